"""The microphone: heard, understood, and kept only where that is wanted; one recording at a time."""

import logging
import threading
from pathlib import Path

from app.core.errors import UsageError
from app.protocol.speech import FinishRecording, PartialTranscript, Record, Recorded
from app.protocol.system import Empty
from app.worker.runtime import Job
from app.worker.voice.dictation import Dictated, Dictation
from app.worker.voice.echo import EchoFilter
from app.worker.voice.keeping import keep_recording
from app.worker.voice.listening import Listening
from app.worker.voice.ports import Loudspeaker, Microphones
from app.worker.voice.understanding import Understanding

log = logging.getLogger(__name__)

_JOIN_S = 5.0


class Recorder:
    """Handlers of the microphone. `record` runs in its own lane, `finish` in another, at the same time."""

    def __init__(
        self, microphones: Microphones, understanding: Understanding, loudspeaker: Loudspeaker
    ) -> None:
        """Take what it works with; opens nothing."""
        self._microphones = microphones
        self._understanding = understanding
        self._loudspeaker = loudspeaker
        self._echo = EchoFilter(loudspeaker.recent)
        self._running = threading.Lock()
        self._listening: Listening | None = None
        self._dictations: list[Dictation] = []

    def record(self, request: Record, job: Job) -> Recorded:
        """Open the microphone and understand what is said.

        Raises:
            UsageError: `microphone.in_use`.
            AppError: those of Microphones.open and of Understanding.model.
            Cancelled: the microphone is closed and everything forgotten.
        """
        if not self._running.acquire(blocking=False):
            raise UsageError(
                "microphone.in_use", "The microphone is already listening.", "Finish or cancel that first."
            )
        try:
            self._echo.reset()
            self._listening = Listening(request, job, self._loudspeaker, self._echo)
            job.on_cancel = self._listening.wake
            return self._record(request, job, self._listening)
        finally:
            self._listening = None
            self._running.release()

    def finish(self, request: FinishRecording, job: Job) -> Empty:
        """Close the microphone and understand what came; silent where it is not open."""
        listening = self._listening
        if listening is not None:
            listening.finish()
        return Empty()

    def end(self) -> None:
        """Forget what is understood; the worker ends, and with it every microphone."""
        for dictation in self._dictations:
            dictation.drop()
            dictation.join(_JOIN_S)
        self._dictations.clear()

    def _record(self, request: Record, job: Job, listening: Listening) -> Recorded:
        dictation = self._dictation(request, job, listening)
        try:
            listening.listen(self._microphones, dictation)
            # the microphone is closed: from here on a cancel need not wait for the model
            job.ends_at_once = True
            job.raise_if_cancelled()
            listening.tell("transcribing")
            dictated = Dictated() if dictation is None else dictation.finish(job.cancelled.is_set)
            return Recorded(
                text=dictated.text,
                segments=dictated.segments,
                language=dictated.language,
                language_probability=dictated.language_probability,
                seconds=round(listening.seconds, 2),
                ended_by=listening.ended_by,
                doubtful=dictated.doubtful,
                recording_path=self._kept(request, job, listening),
            )
        finally:
            if dictation is not None:
                dictation.drop()

    def _dictation(self, request: Record, job: Job, listening: Listening) -> Dictation | None:
        """Begin to understand; None for a test of the microphone."""
        if request.options is None:
            return None
        dictation = Dictation(
            self._understanding,
            request.options,
            lambda text: job.progress(PartialTranscript(text=text)),
            listening.fail,
        )
        self._dictations = [*(one for one in self._dictations if one.is_running), dictation]
        return dictation

    def _kept(self, request: Record, job: Job, listening: Listening) -> str:
        """Keep the sound where that is wanted; give its path."""
        samples = listening.samples
        if not job.is_wanted() or not samples.size:
            return ""
        try:
            return str(keep_recording(Path(request.keep_dir), samples))
        except OSError as error:  # the words count for more than the sound
            log.info("a recording could not be kept: %s", error)
            return ""
