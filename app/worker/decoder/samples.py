"""Decodes a recording piece by piece to samples of one kind, at their exact times.

Times count from the beginning of the file. Sample i of the output is heard at `_base_s + i / rate`; where
decoded frames leave a gap (a damaged part), silence takes its place, so that what follows keeps its time.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from app.worker.decoder.containers import Recording, is_plausible

log = logging.getLogger(__name__)

SAMPLE_BYTES = 2
_PREROLL_S = 0.5
"""Decoded before the place that was sought: codecs need some of the past (Opus 80 ms: RFC 7845, 4.6)."""
_MAX_DRIFT_S = 0.1
"""Time stamps within this of the counted samples are rounding; beyond it there is a gap or an overlap."""
_MAX_GAP_S = 600.0
"""A longer jump of the time stamps is a lie or a new recording glued on: the sound goes on without a gap."""
_MAX_DEMUX_ERRORS = 64
"""So many in a row, without any sound between them, and the rest of the file is given up."""
_FAULTS = (FFmpegError, ValueError, LookupError, ArithmeticError, MemoryError, OSError, RuntimeError)
"""What PyAV raises on damaged files: FFmpeg's own errors, and those of its wrapping."""
_PATIENCE_S = 20.0
"""How long nothing may be decoded before a damaged file is taken to hold no more."""
_LENGTH_TOLERANCE_S = 1.0


@dataclass(frozen=True)
class Samples:
    """A stretch of sound.

    Attributes:
        start_s: time of the first sample.
        data: signed 16-bit, little-endian, one channel.
        ended: there are no more.
        damaged: parts could not be decoded.
    """

    start_s: float
    data: bytes
    ended: bool
    damaged: bool


class SampleReader:
    """Reads a recording from one place on; used by one thread."""

    def __init__(self, recording: Recording, start_s: float, rate: int) -> None:
        """Take the recording, where to begin in seconds of it, and the samples a second wanted."""
        self._recording, self._rate = recording, rate
        self._start_s = start_s
        self._resampler: AudioResampler | None = None
        self._source_kind: tuple[str, str, int] | None = None
        self._base_s: float | None = None
        self._next_s = 0.0
        self._shift_s = 0.0
        self._n_made = 0
        self._n_given = 0
        self._n_to_skip = 0
        self._buffer = bytearray()
        self._damaged = False
        self._ended = False
        self._decoded_at = time.monotonic()
        self._sought = start_s > _PREROLL_S and self._seek(start_s - _PREROLL_S)
        self._frames = self._decoded()

    @property
    def has_sound(self) -> bool:
        """Whether anything was decoded so far."""
        return self._base_s is not None

    @property
    def is_damaged(self) -> bool:
        """Whether something could not be decoded since the last piece."""
        return self._damaged

    def begin(self) -> None:
        """Decode the first sound, so that a file without any is known at once."""
        self._decoded_at = time.monotonic()
        while not self.has_sound and not self._ended:
            self._step()

    def read(self, seconds: float, check: Callable[[], None]) -> Samples:
        """Give the next samples, at most `seconds` of them; fewer only at the end.

        Args:
            seconds: how much.
            check: called for every decoded frame; may raise to stop, and reading may go on later.
        """
        wanted = max(1, round(seconds * self._rate)) * SAMPLE_BYTES
        self._decoded_at = time.monotonic()
        while len(self._buffer) <= wanted and not self._ended:  # one more tells whether it was the last
            check()
            self._step()
        data = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        start_s = self._start_s if self._base_s is None else self._base_s + self._n_given / self._rate
        self._n_given += len(data) // SAMPLE_BYTES
        damaged, self._damaged = self._damaged, False
        return Samples(start_s, data, self._ended and not self._buffer, damaged)

    def _step(self) -> None:
        """Decode one frame and put it where it belongs."""
        frame = next(self._frames, None)
        if frame is None:
            self._flush()
            self._ended = True
            self._damaged |= self._is_cut_short()
            return
        if not is_plausible(frame.sample_rate, len(frame.layout.channels)):
            self._damaged = True
            return
        self._place(frame)
        self._feed(frame)

    def _place(self, frame: AudioFrame) -> None:
        """Make the output stand at the time of this frame."""
        stamp_s = self._stamp(frame)
        if self._base_s is None:
            self._begin_at(0.0 if stamp_s is None else stamp_s)
        elif stamp_s is not None:
            ahead_s = stamp_s + self._shift_s - self._next_s
            if _MAX_DRIFT_S < ahead_s <= _MAX_GAP_S:
                self._fill(stamp_s + self._shift_s)
            elif abs(ahead_s) > _MAX_DRIFT_S:
                self._shift_s -= ahead_s
        self._next_s += frame.samples / frame.sample_rate

    def _begin_at(self, stamp_s: float) -> None:
        self._base_s = self._next_s = stamp_s
        self._n_to_skip = max(0, round((self._start_s - stamp_s) * self._rate))
        self._n_given = self._n_to_skip

    def _stamp(self, frame: AudioFrame) -> float | None:
        if frame.pts is None or frame.time_base is None:
            return None
        return float(frame.pts * frame.time_base) - self._recording.offset_s

    def _fill(self, until_s: float) -> None:
        """Put silence up to a time."""
        assert self._base_s is not None
        self._damaged |= self._recording.is_gapless
        self._flush()
        missing = round((until_s - self._base_s) * self._rate) - self._n_made
        self._append(bytes(max(0, missing) * SAMPLE_BYTES))
        self._next_s = until_s

    def _feed(self, frame: AudioFrame) -> None:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._source_kind:
            self._flush()
            self._source_kind = kind
        if self._resampler is None:
            self._resampler = AudioResampler(format="s16", layout="mono", rate=self._rate)
        frame.pts = None  # the samples are counted here; the resampler must not fill or drop any
        try:
            for out in self._resampler.resample(frame):
                self._append(bytes(out.planes[0])[: out.samples * SAMPLE_BYTES])
        except _FAULTS:
            self._damaged, self._resampler = True, None

    def _flush(self) -> None:
        """Take what the resampler still holds."""
        if self._resampler is None:
            return
        resampler, self._resampler = self._resampler, None
        try:
            for out in resampler.resample(None):
                self._append(bytes(out.planes[0])[: out.samples * SAMPLE_BYTES])
        except _FAULTS:
            self._damaged = True

    def _append(self, data: bytes) -> None:
        n_samples = len(data) // SAMPLE_BYTES
        self._n_made += n_samples
        n_skipped = min(self._n_to_skip, n_samples)
        self._n_to_skip -= n_skipped
        self._buffer += data[n_skipped * SAMPLE_BYTES :]

    def _is_cut_short(self) -> bool:
        """Tell whether the file ends well before the length that its header states."""
        stated_s = self._recording.stated_s
        return stated_s is not None and self._next_s + _LENGTH_TOLERANCE_S < stated_s

    # ------------------------------------------------------------------------------------ decoding

    def _seek(self, to_s: float) -> bool:
        stream = self._recording.stream
        if stream.time_base is None:
            return False
        try:
            at = round((to_s + self._recording.offset_s) / stream.time_base)
            self._recording.container.seek(at, stream=stream)
        except (FFmpegError, OverflowError, ValueError):
            return False
        return True

    def _decoded(self) -> Iterator[AudioFrame]:
        """Give the decoded frames; where seeking went wrong, from the beginning of the file."""
        frames = self._packets_decoded()
        first = next(frames, None)
        if self._sought and self._is_too_late(first):
            log.info("seeking was not exact; the recording is decoded from its beginning")
            self._damaged = False
            self._seek(0.0)
            frames = self._packets_decoded()
            first = next(frames, None)
        if first is not None:
            yield first
            yield from frames

    def _is_too_late(self, first: AudioFrame | None) -> bool:
        if first is None:
            return self._recording.seconds is None or self._start_s < self._recording.seconds
        stamp_s = self._stamp(first)
        return stamp_s is None or stamp_s > self._start_s

    def _packets_decoded(self) -> Iterator[AudioFrame]:
        """Give frames until the end; what cannot be decoded is noted and passed over."""
        container, stream = self._recording.container, self._recording.stream
        n_errors = 0
        while n_errors < _MAX_DEMUX_ERRORS:
            try:
                for packet in container.demux(stream):
                    for frame in self._packet_decoded(packet):
                        n_errors = 0
                        yield frame
                    if time.monotonic() - self._decoded_at > _PATIENCE_S:
                        self._damaged = True
                        return
                return
            except EOFError:
                return
            except IndexError:  # a packet of a stream that was not there at the beginning; PyAV knows it not
                n_errors += 1
            except _FAULTS:
                self._damaged = True
                n_errors += 1

    def _packet_decoded(self, packet: "Packet[AudioStream]") -> Iterator[AudioFrame]:
        try:
            frames = self._recording.stream.decode(packet)
        except EOFError:
            return
        except _FAULTS:
            self._damaged = True
            return
        self._damaged |= packet.is_corrupt
        for frame in frames:
            self._damaged |= frame.is_corrupt
            self._decoded_at = time.monotonic()
            yield frame
