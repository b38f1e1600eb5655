"""One recording: hear the microphone, notice speech, tell levels, know when it ends."""

import logging
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from enum import Enum

import numpy as np

from app.core.errors import AppError, WorkerError
from app.protocol.audio import SPEECH_RATE
from app.protocol.speech import MicrophoneState, Record
from app.worker.runtime import Job
from app.worker.voice.activity import ModelDetector, SpeechWatch, to_waveform
from app.worker.voice.dictation import Dictation
from app.worker.voice.echo import EchoFilter
from app.worker.voice.meter import Meter
from app.worker.voice.ports import Loudspeaker, Microphones, Samples

log = logging.getLogger(__name__)

_STATE_EVERY_S = 0.1
_LEAD_IN_S = 0.4
_HELD_S = 4.0
_LEAST_SPEECH_FRAMES = 5
_MUTE_AFTER_S = 6.0  # counted in looks: while this process stands still, nobody could give it anything


class _Wake(Enum):
    """Puts the loop to work when no samples come."""

    NOW = "now"


@dataclass(frozen=True)
class _Lost:
    """The device is gone."""

    error: AppError


@dataclass(frozen=True)
class _Failed:
    """What is heard cannot be understood."""

    error: Exception


class Listening:
    """One recording, from the opening of the microphone until it is closed.

    `listen` runs in the thread of the request, everything else in any thread.

    Attributes:
        seconds: the microphone was open.
        ended_by: see speech.Recorded; empty while it goes on.
    """

    def __init__(self, request: Record, job: Job, loudspeaker: Loudspeaker, echo: EchoFilter) -> None:
        """Take what it works with; opens nothing.

        Args:
            request: how to record.
            job: gets the states; its cancelling ends the recording.
            loudspeaker: what the microphone may hear too, and is silenced by barge-in.
            echo: takes that out before speech is looked for.
        """
        self._request = request
        self._job = job
        self._loudspeaker = loudspeaker
        self._echo = echo
        self._items: queue.SimpleQueue[Samples | _Lost | _Failed | _Wake] = queue.SimpleQueue()
        self._finishing = threading.Event()
        self._watch = SpeechWatch(ModelDetector(), request.silence_s)
        self._meter = Meter()
        self._held: deque[Samples] = deque()
        self._kept: list[Samples] = []
        self._n_recorded = 0
        self._is_recording = not request.hands_free
        self._n_samples = 0
        self._mute_s = 0.0
        self._opened_at = self._told_at = time.monotonic()
        self._error: Exception | None = None
        self.seconds = 0.0
        self.ended_by = ""

    @property
    def samples(self) -> Samples:
        """What is to be kept: (n,) int16; hands-free, from a little before speech on; else empty."""
        return np.concatenate([np.zeros(0, np.int16), *self._kept])

    def wake(self) -> None:
        """Look at the job's flag now."""
        self._items.put(_Wake.NOW)

    def finish(self) -> None:
        """End it as the user wants."""
        self._finishing.set()
        self.wake()

    def fail(self, error: Exception) -> None:
        """End it: what is heard cannot be understood."""
        self._items.put(_Failed(error))

    def listen(self, microphones: Microphones, dictation: Dictation | None) -> None:
        """Open the microphone, hear until the end or a cancel, close it; the dictation gets what is recorded.

        Raises:
            AppError: those of Microphones.open; what `fail` got; why a device that gave nothing was lost.
        """
        if self._finishing.is_set():  # a key that was only touched
            self.ended_by = "finish"
            return
        self.tell("opening")
        microphone = microphones.open(self._request.device, self._items.put, self._lose)
        self._opened_at = self._told_at = time.monotonic()
        try:
            while not self.ended_by and not self._is_over():
                self._step(dictation)
        finally:
            microphone.close()
            self.seconds = time.monotonic() - self._opened_at
        if self._error is not None:
            raise self._error
        if self.ended_by == "finish":
            self._drain(dictation)

    def tell(self, phase: str = "") -> None:
        """Send the state; without a phase, the one that was heard last."""
        phase = phase or ("hearing" if self._watch.speaking else "listening")
        level, peaks = self._meter.read()
        elapsed_s = self.seconds or time.monotonic() - self._opened_at
        if phase == "opening":
            elapsed_s = 0.0
        self._job.progress(
            MicrophoneState(phase=phase, elapsed_s=round(elapsed_s, 2), level_db=level, peaks=peaks)
        )
        self._told_at = time.monotonic()

    def _lose(self, error: AppError) -> None:
        self._items.put(_Lost(error))

    def _is_over(self) -> bool:
        return self._error is not None or self._job.cancelled.is_set()

    def _step(self, dictation: Dictation | None) -> None:
        """Wait for one thing and deal with it."""
        try:
            item = self._items.get(timeout=_STATE_EVERY_S)
        except queue.Empty:
            item = _Wake.NOW
            self._mute_s += _STATE_EVERY_S
        match item:
            case _Failed(error):
                self._error = error
            case _Lost(error):
                self._end_lost(error)
            case _Wake():
                self._look_for_end()
            case samples:
                self._hear(samples, dictation)
                self._look_for_end()
        if time.monotonic() - self._told_at >= _STATE_EVERY_S and not self.ended_by:
            self.tell()

    def _hear(self, samples: Samples, dictation: Dictation | None) -> None:
        self._mute_s = 0.0
        self._n_samples += len(samples)
        waveform = to_waveform(samples)
        self._meter.feed(waveform)
        self._watch.feed(self._echo.feed(waveform, self._watch.speaking))
        if self._request.barge_in and self._watch.speaking and self._loudspeaker.is_sounding:
            self._loudspeaker.interrupt()
        if self._is_recording:
            self._record(samples, dictation)
        else:
            self._wait_for_speech(samples, dictation)

    def _wait_for_speech(self, samples: Samples, dictation: Dictation | None) -> None:
        """Hold the last seconds until there is speech; a click or a cough alone is not."""
        self._held.append(samples)
        while sum(map(len, self._held)) - len(self._held[0]) > _HELD_S * SPEECH_RATE:
            self._held.popleft()
        if not self._watch.speaking or self._watch.n_speech_frames < _LEAST_SPEECH_FRAMES:
            return
        self._is_recording = True
        wanted = self._watch.n_samples - self._watch.started_at + int(_LEAD_IN_S * SPEECH_RATE)
        self._record(np.concatenate(self._held)[-wanted:], dictation)
        self._held.clear()

    def _record(self, samples: Samples, dictation: Dictation | None) -> None:
        self._n_recorded += len(samples)
        if self._request.keep_dir:
            self._kept.append(samples)
        if dictation is not None:
            dictation.feed(to_waveform(samples))

    def _look_for_end(self) -> None:
        if self._finishing.is_set():
            self.ended_by = "finish"
        elif self._is_recording and self._request.hands_free and not self._watch.speaking:
            self.ended_by = "silence"
        elif self._n_recorded >= self._request.max_seconds * SPEECH_RATE:
            self.ended_by = "limit"
        elif self._mute_s > _MUTE_AFTER_S:
            self._end_lost(_mute())

    def _end_lost(self, error: AppError) -> None:
        """End because the device is gone; where it never gave anything, its reason is all there is to say."""
        log.info("the microphone was lost: %s", error.code)
        if self._n_samples:
            self.ended_by = "lost"
        else:
            self._error = error

    def _drain(self, dictation: Dictation | None) -> None:
        """Take what came before the microphone was closed."""
        while True:
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                return
            if isinstance(item, np.ndarray) and self._is_recording:
                self._record(item, dictation)


def _mute() -> AppError:
    return WorkerError(
        "microphone.failed",
        "The microphone gives no sound.",
        "Plug it in again, or choose another one in the settings.",
    )
