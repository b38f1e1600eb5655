"""The microphone: heard, understood, and kept only where that is wanted; one recording at a time."""

import logging
import threading
from pathlib import Path

from app.core.errors import UsageError
from app.protocol.speech import FinishRecording, PartialTranscript, Record, Recorded
from app.protocol.system import Empty
from app.worker.runtime import LATER, Job, Later
from app.worker.voice.dictation import Dictated, Dictation
from app.worker.voice.echo import EchoFilter
from app.worker.voice.keeping import keep_recording
from app.worker.voice.listening import Listening
from app.worker.voice.ports import Loudspeaker, Microphones
from app.worker.voice.understanding import Understanding

log = logging.getLogger(__name__)

_JOIN_S = 5.0


class Recorder:
    """Handlers of the microphone; each recording has a thread of its own, so that another one is refused."""

    def __init__(
        self, microphones: Microphones, understanding: Understanding, loudspeaker: Loudspeaker
    ) -> None:
        """Take what it works with; opens nothing."""
        self._microphones = microphones
        self._understanding = understanding
        self._loudspeaker = loudspeaker
        self._echo = EchoFilter(loudspeaker)
        self._lock = threading.Lock()
        self._listening: Listening | None = None
        self._finished_before = -1
        self._threads: list[threading.Thread] = []
        self._dictations: list[Dictation] = []

    def record(self, request: Record, job: Job) -> Later:
        """Open the microphone and understand what is said; a Recorded ends the request.

        Raises:
            UsageError: `microphone.in_use`.
            AppError: ends the request; those of Microphones.open and of Understanding.model.
            Cancelled: ends the request; the microphone is closed and everything forgotten.
        """
        with self._lock:
            if self._listening is not None:
                raise UsageError(
                    "microphone.in_use",
                    "The microphone is already listening.",
                    "Finish or cancel that first.",
                )
            self._echo.reset()
            listening = self._listening = Listening(request, job, self._loudspeaker, self._echo)
            if self._finished_before > job.arrival:
                listening.finish()
            thread = threading.Thread(
                target=self._run, args=(request, job, listening), name="recording", daemon=True
            )
            self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        job.on_cancel = listening.wake
        thread.start()
        return LATER

    def finish(self, request: FinishRecording, job: Job) -> Empty:
        """Close the microphone and understand what came; silent where it is not open.

        A recording that was asked for before, and whose thread has not begun yet, ends too.
        """
        with self._lock:
            self._finished_before = job.arrival
            listening = self._listening
        if listening is not None:
            listening.finish()
        return Empty()

    def end(self) -> None:
        """Forget what is understood; the worker ends, and has cancelled what records."""
        for dictation in self._dictations:
            dictation.drop()
        for thread in [*self._threads, *(one.thread for one in self._dictations)]:
            thread.join(_JOIN_S)

    def _run(self, request: Record, job: Job, listening: Listening) -> None:
        try:
            job.end(self._recorded(request, job, listening))
        except Exception as error:  # the border of a task, as in the runtime's lanes
            job.end_with_error(error)

    def _recorded(self, request: Record, job: Job, listening: Listening) -> Recorded:
        dictation = self._dictation(request, job, listening)
        try:
            self._listen(listening, dictation)
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

    def _listen(self, listening: Listening, dictation: Dictation | None) -> None:
        """Hear until the end; then the microphone is free for another recording."""
        try:
            listening.listen(self._microphones, dictation)
        finally:
            with self._lock:
                self._listening = None

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
