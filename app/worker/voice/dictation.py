"""Understand a recording while it goes on, in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.protocol.audio import SPEECH_RATE
from app.protocol.speech import SpeechOptions, SpeechSegment
from app.worker.runtime import Cancelled
from app.worker.voice.activity import FRAME_S, Waveform
from app.worker.voice.transcriber import Transcriber
from app.worker.voice.understanding import Understanding

log = logging.getLogger(__name__)

_LEAST_NEW_S = 0.2
_LEAST_SPEECH_FRAMES = round(0.3 / FRAME_S)
_REST_FACTOR = 1.0
_TOO_SLOW_S = 3.0
_PAUSE_S = 0.25
_PATIENCE_S = 0.5
_LOOK_S = 0.05


@dataclass(frozen=True)
class Dictated:
    """What was understood in the end."""

    text: str = ""
    segments: tuple[SpeechSegment, ...] = ()
    language: str = ""
    language_probability: float = 0.0
    doubtful: bool = False


class Dictation:
    """Understands one recording. While it goes on it tells what it understood so far, as often as it can.

    What lies far enough behind a silence is certain and not computed again; of the rest, a preview is made
    where something new was said. Between previews it rests as long as the last one took, so that the machine
    keeps up; where they take longer than a few seconds, it waits for pauses in speech. A preview made in a
    pause is the final text if nothing follows, so that after most sentences nobody waits.

    Attributes:
        thread: its own; ends after `finish`, or soon after `drop`.
    """

    def __init__(
        self,
        understanding: Understanding,
        options: SpeechOptions,
        on_text: Callable[[str], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Begin to load the model.

        Args:
            understanding: has the model.
            options: of the transcription.
            on_text: gets all that was understood so far; in the dictation's thread.
            on_failure: called once where it cannot be understood; in the dictation's thread.
        """
        self._understanding = understanding
        self._options = options
        self._on_text, self._on_failure = on_text, on_failure
        self._new: list[Waveform] = []
        self._changed = threading.Condition()
        self._finishing = False
        self._dropped = threading.Event()
        self._segments: list[SpeechSegment] = []
        self._result: Dictated | None = None
        self._error: Exception | None = None
        self._cost_s = 0.0
        self._previewed_at = 0.0
        self.thread = threading.Thread(target=self._run, name="dictation", daemon=True)
        self.thread.start()

    def feed(self, waveform: Waveform) -> None:
        """Take the next samples; never waits."""
        with self._changed:
            self._new.append(waveform)
            self._changed.notify()

    def finish(self, is_dropped: Callable[[], bool]) -> Dictated:
        """Understand what is left, and give everything; a drop is seen within a twentieth of a second.

        Raises:
            AppError: it could not be understood.
            Cancelled: it is not wanted any more.
        """
        with self._changed:
            self._finishing = True
            self._changed.notify()
        while self.thread.is_alive() and not is_dropped():
            self.thread.join(_LOOK_S)
        if is_dropped():
            raise Cancelled
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise Cancelled
        return self._result

    def drop(self) -> None:
        """Forget everything; the thread ends once the model can be left. Any thread, never waits."""
        self._dropped.set()
        with self._changed:
            self._changed.notify()

    @property
    def is_running(self) -> bool:
        """Whether its thread has not ended yet."""
        return self.thread.is_alive()

    def _run(self) -> None:
        try:
            self._understanding.model(self._options)
            self._follow(self._understanding.transcriber(self._options))
        except Cancelled:
            return
        except Exception as error:  # the border of a thread; `finish` raises it in the request's
            self._error = error
            self._on_failure(error)

    def _follow(self, transcriber: Transcriber) -> None:
        while not self._dropped.is_set():
            waveform, finishing = self._await_sound()
            part = transcriber.feed(waveform, finishing, self._is_wanted)
            self._segments.extend(part.segments)
            if finishing:
                self._result = Dictated(
                    joined(self._segments),
                    tuple(self._segments),
                    part.language,
                    part.language_probability,
                    part.doubtful,
                )
                return
            if self._is_time(transcriber):
                self._tell(transcriber)

    def _await_sound(self) -> tuple[Waveform, bool]:
        """Give the samples that came, once they are worth a look, and whether they are the last."""
        with self._changed:
            self._changed.wait_for(self._has_work, _PATIENCE_S)
            waveform = np.concatenate([np.zeros(0, np.float32), *self._new])
            self._new.clear()
            return waveform, self._finishing

    def _has_work(self) -> bool:
        enough = sum(map(len, self._new)) >= _LEAST_NEW_S * SPEECH_RATE
        return enough or self._finishing or self._dropped.is_set()

    def _is_wanted(self) -> bool:
        return not self._dropped.is_set()

    def _is_time(self, transcriber: Transcriber) -> bool:
        if self._finishing or not transcriber.n_new_frames:
            return False
        if transcriber.quiet_s >= _PAUSE_S:
            return True
        has_rested = time.monotonic() - self._previewed_at >= _REST_FACTOR * self._cost_s
        return transcriber.n_new_frames >= _LEAST_SPEECH_FRAMES and has_rested and self._cost_s < _TOO_SLOW_S

    def _tell(self, transcriber: Transcriber) -> None:
        begin = time.monotonic()
        segments = transcriber.preview(self._is_wanted)
        self._previewed_at = time.monotonic()
        self._cost_s = self._previewed_at - begin
        if text := joined([*self._segments, *segments]):
            self._on_text(text)


def joined(segments: list[SpeechSegment]) -> str:
    """Give the text of segments."""
    return " ".join(segment.text for segment in segments)
