"""Stand-ins for microphone and loudspeaker that work with real sound, and ways to make it."""

import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.core.errors import AppError, WorkerError
from app.protocol.audio import SPEECH_RATE
from app.protocol.body import Body, from_message
from app.protocol.envelope import Message
from app.protocol.speech import SpeechOptions
from app.worker.runtime import Job, Reply
from app.worker.voice.ports import Samples
from app.worker.voice.understanding import Understanding

B = TypeVar("B", bound=Body)

MODELS = Path(__file__).parents[3] / "resources/models"
STARTER = MODELS / "speech-to-text/whisper-tiny"
VOICE = MODELS / "text-to-speech/en_US-joe-medium/en_US-joe-medium.onnx"
OPTIONS = SpeechOptions(model_path=str(STARTER))
Waveform = NDArray[np.float32]

BLOCK = 800


def to_samples(waveform: Waveform) -> Samples:
    """Give samples as a microphone gives them."""
    return np.clip(np.round(waveform * 32767), -32768, 32767).astype(np.int16)


def quiet(seconds: float, level: float = 0.0004) -> Waveform:
    """Give the faint noise of a quiet room."""
    noise = np.random.default_rng(7).normal(0, level, int(seconds * SPEECH_RATE))
    return noise.astype(np.float32)


def in_room(waveform: Waveform, level: float = 0.0004) -> Waveform:
    """Add the faint noise of a quiet room."""
    return waveform + quiet(len(waveform) / SPEECH_RATE + 1, level)[: len(waveform)]


class Sent:
    """A request as the worker's runtime hands it over; keeps what its handler sends."""

    def __init__(self, request: Body, payload: bytes = b"") -> None:
        """Make the job of a request."""
        self.progress: list[Body] = []
        self._changed = threading.Condition()
        self._end: list[Body | Reply | Exception] = []
        self.job = Job("r1", request, payload, self._take, self._take_end)

    def _take(self, message: Message) -> None:
        body = from_message(message)
        assert body is not None
        with self._changed:
            self.progress.append(body)
            self._changed.notify_all()

    def _take_end(self, _: Job, result: Body | Reply | Exception) -> None:
        with self._changed:
            self._end.append(result)
            self._changed.notify_all()

    def result(self, kind: type[B], patience_s: float = 30.0) -> B:
        """Wait for the end of a request whose handler returned LATER; raises how it failed."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._end, patience_s)
        (end,) = self._end
        if isinstance(end, Exception):
            raise end
        assert isinstance(end, kind)
        return end

    def of(self, kind: type[B]) -> list[B]:
        """Give the progress of a kind, so far."""
        return [body for body in self.progress if isinstance(body, kind)]

    def await_progress(self, is_there: Callable[[list[Body]], bool], patience_s: float = 20.0) -> None:
        """Wait until the progress is as wanted."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_there(self.progress), patience_s)


@cache
def spoken(text: str, language: str = "") -> Waveform:
    """Give a text spoken by the starter voice; with the sounds of another language, if named."""
    voice = _voice()
    own = voice.config.espeak_voice
    voice.config.espeak_voice = language or own
    try:
        pieces = [chunk.audio_float_array for chunk in voice.synthesize(text, _same_each_time())]
    finally:
        voice.config.espeak_voice = own
    sound = np.concatenate(pieces)
    times = np.arange(0, len(sound) / voice.config.sample_rate, 1 / SPEECH_RATE)
    heard: Waveform = np.interp(times, np.arange(len(sound)) / voice.config.sample_rate, sound * 0.5).astype(
        np.float32
    )
    return heard


def _same_each_time() -> Any:
    from piper import SynthesisConfig

    return SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)


@cache
def _voice() -> Any:
    from piper import PiperVoice

    return PiperVoice.load(VOICE)


@cache
def understanding() -> Understanding:
    """Give what understands with the starter model; loaded once for all tests."""
    return Understanding()


class Microphone:
    """A microphone that hears a sound, block by block, and then a quiet room for as long as it is open.

    Attributes:
        opened: how often it was.
        n_samples: of its sound.
        closed_at: when it was closed last (monotonic); None while it is open.
        n_heard: samples given so far.
    """

    def __init__(self, waveform: Waveform, pace: float = 0.0, lost_after: int | None = None) -> None:
        """Take what it hears.

        Args:
            waveform: of 16,000 samples a second.
            pace: 1: as fast as time goes; 0: as fast as it can, but only to the end of the sound.
            lost_after: samples after which the device goes away.
        """
        self._samples = to_samples(waveform)
        self.n_samples = len(self._samples)
        self._pace = pace
        self._lost_after = lost_after
        self._closing = threading.Event()
        self.opened = 0
        self.closed_at: float | None = None
        self.n_heard = 0
        self.error: AppError | None = None

    def open(
        self, device: str, on_samples: Callable[[Samples], None], on_lost: Callable[[AppError], None]
    ) -> "Microphone":
        """Begin to hear."""
        if self.error is not None:
            raise self.error
        self.opened += 1
        self.closed_at, self.n_heard = None, 0
        self._closing.clear()
        self._thread = threading.Thread(target=self._hear, args=(on_samples, on_lost), daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Hear nothing more."""
        self._closing.set()
        self._thread.join()
        self.closed_at = time.monotonic()

    def _hear(self, on_samples: Callable[[Samples], None], on_lost: Callable[[AppError], None]) -> None:
        begin = time.monotonic()
        room = to_samples(quiet(BLOCK / SPEECH_RATE))
        while not self._closing.is_set():
            if self._lost_after is not None and self.n_heard >= self._lost_after:
                on_lost(WorkerError("microphone.failed", "The microphone is gone."))
                return
            block = self._samples[self.n_heard : self.n_heard + BLOCK]
            on_samples(block if len(block) else room)
            self.n_heard += BLOCK
            after_end = self.n_heard >= len(self._samples)
            due = begin + self.n_heard / SPEECH_RATE * (self._pace or (0.05 if after_end else 0.0))
            self._closing.wait(max(0.0, due - time.monotonic()))


class Loudspeaker:
    """A loudspeaker that plays a sound while a recorder listens: its time is that of the blocks looked at.

    Attributes:
        position: samples of it that were sent.
        plays_on: each look at the clock finds one block more.
        interrupted_at: position at which it was silenced; None while it was not.
    """

    def __init__(self, waveform: Waveform | None = None) -> None:
        """Take what it plays."""
        self._waveform = np.zeros(0, np.float32) if waveform is None else waveform
        self.position = 0
        self.plays_on = True
        self.interrupted_at: int | None = None

    @property
    def is_sounding(self) -> bool:
        """Whether it plays."""
        return self.interrupted_at is None and self.position < len(self._waveform)

    def now(self) -> int:
        """Give the number of this moment."""
        if self.plays_on:
            self.position += BLOCK
        return self.position

    def heard(self, first: int, n_samples: int) -> Waveform:
        """Give a part of what was sent, zeros before and behind it."""
        end = self.position if self.interrupted_at is None else self.interrupted_at
        line = np.concatenate([np.zeros(n_samples, np.float32), self._waveform[:end]])
        part = line[max(first + n_samples, 0) :][:n_samples]
        return np.concatenate([part, np.zeros(n_samples - len(part), np.float32)])

    def interrupt(self) -> bool:
        """Be silent."""
        was_sounding = self.is_sounding
        if was_sounding:
            self.interrupted_at = self.position
        return was_sounding
