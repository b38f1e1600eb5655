"""The decoder: audio and video files to samples. It may read files and do nothing else."""

import contextlib
import itertools
import math
import sys
from collections.abc import Mapping
from typing import NamedTuple

from app.protocol.audio import AudioInfo, AudioPiece, CloseAudio, OpenAudio, ReadAudio
from app.protocol.body import Body
from app.protocol.system import Empty
from app.worker import sandbox
from app.worker.decoder import reasons
from app.worker.decoder.containers import Recording, audio_decoders, open_recording, silence_log
from app.worker.decoder.samples import SampleReader
from app.worker.decoder.watchdog import Watchdog
from app.worker.runtime import Handler, Job, Reply, Worker

MAX_OPEN = 8
_MEMORY_BYTES = 1_500_000_000
_MIN_RATE, _MAX_RATE = 4_000, 192_000
_MAX_PIECE_S = 120.0
_AUDIBLE_S = 0.5
"""A file that states at least this length and gives nothing is damaged, not empty."""


def main(argv: list[str]) -> int:
    """Serve until the host ends; return the exit code. Takes no arguments."""
    silence_log()
    audio_decoders()
    _limit_memory()
    sandbox.confine(sandbox.Rights(readable=("/",), threads=True))
    watchdog = Watchdog()
    watchdog.start()
    decoder = Decoder(watchdog)
    worker = Worker("decoder", decoder.lanes())
    worker.at_exit(watchdog.stop)
    worker.at_exit(decoder.close_all)
    return worker.run()


class _Opened(NamedTuple):
    recording: Recording
    reader: SampleReader


class Decoder:
    """Serves the requests about recordings; one thread, the lane `decode`."""

    def __init__(self, watchdog: Watchdog) -> None:
        """Take what ends the process when FFmpeg hangs."""
        self._watchdog = watchdog
        self._opened: dict[str, _Opened] = {}
        self._numbers = itertools.count(1)

    def lanes(self) -> Mapping[str, Mapping[type[Body], Handler]]:
        """Give the handlers by lane."""
        return {"decode": {OpenAudio: self.open, ReadAudio: self.read, CloseAudio: self.close}}

    def open(self, request: OpenAudio, _job: Job) -> AudioInfo:
        """Open a file and decode its first sound.

        Raises:
            AppError: see OpenAudio.
        """
        if len(self._opened) >= MAX_OPEN:
            raise reasons.too_many(MAX_OPEN)
        with self._watchdog.watched():
            recording = open_recording(request.path, self._watchdog.touch)
            try:
                reader = _started(recording, request)
            except BaseException:
                recording.close()
                raise
        handle = f"audio-{next(self._numbers)}"
        self._opened[handle] = _Opened(recording, reader)
        return AudioInfo(
            handle=handle,
            seconds=recording.seconds,
            format=recording.format,
            codec=recording.codec,
            has_video=recording.has_video,
            title=recording.title,
            n_tracks=len(recording.container.streams.audio),
        )

    def read(self, request: ReadAudio, job: Job) -> Reply:
        """Give the next samples; cancelled, what was decoded is kept for the next time.

        Raises:
            AppError: see ReadAudio.
        """
        opened = self._opened.get(request.handle)
        if opened is None:
            raise reasons.not_open()
        with self._watchdog.watched():
            samples = opened.reader.read(_within(request.seconds, 0.0, _MAX_PIECE_S), job.raise_if_cancelled)
        if opened.recording.file.failed:
            raise reasons.unreadable()
        piece = AudioPiece(
            start_s=max(0.0, round(samples.start_s, 6)),
            n_samples=len(samples.data) // 2,
            ended=samples.ended,
            damaged=samples.damaged,
        )
        return Reply(piece, samples.data)

    def close(self, request: CloseAudio, _job: Job) -> Empty:
        """Close a file."""
        opened = self._opened.pop(request.handle, None)
        if opened is not None:
            opened.recording.close()
        return Empty()

    def close_all(self) -> None:
        """Close every file."""
        while self._opened:
            self._opened.popitem()[1].recording.close()


def _started(recording: Recording, request: OpenAudio) -> SampleReader:
    """Give a reader that has decoded the first sound, or say why there is none."""
    start_s = _within(request.start_s, 0.0, math.inf)
    rate = int(_within(request.sample_rate, _MIN_RATE, _MAX_RATE))
    reader = SampleReader(recording, start_s, rate)
    reader.begin()
    if recording.file.failed:
        raise reasons.unreadable()
    is_past_end = recording.seconds is not None and start_s >= recording.seconds
    if not reader.has_sound and not is_past_end:
        if reader.is_damaged or (recording.seconds or 0.0) >= _AUDIBLE_S:
            raise reasons.damaged()
        raise reasons.no_sound(has_video=recording.has_video)
    return reader


def _within(value: float, low: float, high: float) -> float:
    """Hold a number within bounds; what is no number becomes the lower one."""
    return low if math.isnan(value) else min(high, max(low, value))


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    for what, limit in ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # lower already
            resource.setrlimit(what, (limit, limit))
