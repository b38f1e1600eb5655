"""An open microphone: from the sound system's thread to one that may take its time."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from app.core.errors import AppError
from app.protocol.audio import SPEECH_RATE
from app.worker.voice.ports import Samples
from app.worker.voice.resampling import Resampler
from app.worker.voice.sound_errors import Reason, microphone_error

log = logging.getLogger(__name__)

FIRST_BLOCK_S = 5.0
"""A device may need this long until it hears anything (Bluetooth)."""
SILENT_S = 2.0
"""A microphone always gives samples, if only silence; one that gives none this long has gone.

Counted in looks, not by the clock: where this process itself stood still (loading a model, a suspended
computer), the microphone had no chance to give anything.
"""
WATCH_S = 0.25
_MIN_BLOCK = SPEECH_RATE // 100
_MAX_BLOCK = SPEECH_RATE // 10


class InputStream(Protocol):
    """What a microphone needs of a stream, see `portaudio.PortAudioStream`."""

    @property
    def is_active(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Begin."""

    def abort(self) -> None:
        """End at once."""

    def close(self) -> None:
        """Close the device."""


class Microphone:
    """Delivers what an open device hears, from a thread of its own, until it is closed or the device goes."""

    def __init__(
        self,
        sample_rate: int,
        on_samples: Callable[[Samples], None],
        on_lost: Callable[[AppError], None],
        is_gone: Callable[[], bool],
    ) -> None:
        """Take whom to tell; `start` begins.

        Args:
            sample_rate: of the device.
            on_samples: see `ports.Microphones`.
            on_lost: see there.
            is_gone: asked a few times a second: whether the device was unplugged. Some sound servers move a
                recording silently to another microphone then, which nobody has agreed to.
        """
        self._resampler = Resampler(sample_rate, SPEECH_RATE)
        self._on_samples = on_samples
        self._on_lost = on_lost
        self._is_gone = is_gone
        self._blocks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._close_lock = threading.Lock()
        self._stream: InputStream | None = None
        self._rest = np.empty(0, np.int16)
        self._pump = threading.Thread(target=self._run, name="microphone", daemon=True)

    def take(self, data: Any, _n_frames: int, _time: Any, _status: Any) -> None:
        """Take a block; called by the sound system in its own thread."""
        self._blocks.put(bytes(data))

    def start(self, stream: InputStream) -> None:
        """Begin to listen on a stream whose callback is `take`. Raises what PortAudio raises."""
        self._stream = stream
        stream.start()
        self._pump.start()

    def close(self) -> None:
        """Close it; afterwards no callback comes any more. Any thread, also twice."""
        self._closing.set()
        self._close_stream()
        self._blocks.put(None)
        if threading.current_thread() is not self._pump and self._pump.ident is not None:
            self._pump.join()

    def _close_stream(self) -> None:
        with self._close_lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()
            stream.close()

    def _run(self) -> None:
        patience_s = FIRST_BLOCK_S
        next_watch = time.monotonic() + WATCH_S
        while not self._closing.is_set():
            try:
                block = self._blocks.get(timeout=WATCH_S)
            except queue.Empty:
                block = b""
            if block is None:
                return
            now = time.monotonic()
            if block:
                patience_s = SILENT_S
                self._deliver(np.frombuffer(block, np.int16))
            else:
                patience_s -= WATCH_S
                if patience_s <= 0:
                    self._lose(Reason.LOST)
            if now >= next_watch:
                next_watch = now + WATCH_S
                self._watch()

    def _watch(self) -> None:
        with self._close_lock:  # a stream that another thread closes at this moment must not be asked
            has_ended = self._stream is not None and not self._stream.is_active
        if has_ended or self._is_gone():
            self._lose(Reason.LOST)

    def _deliver(self, samples: Samples) -> None:
        """Pass on in blocks of 10 to 100 ms."""
        samples = np.concatenate([self._rest, self._resampler.push(samples)])
        self._rest = samples
        while len(self._rest) >= _MIN_BLOCK and not self._closing.is_set():
            block, self._rest = self._rest[:_MAX_BLOCK], self._rest[_MAX_BLOCK:]
            try:
                self._on_samples(block)
            except Exception:  # the border of this thread: what listens has failed, and must be told
                log.exception("what listens to the microphone failed")
                self._lose(Reason.FAILED)

    def _lose(self, reason: Reason) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._close_stream()
        self._on_lost(microphone_error(reason))
