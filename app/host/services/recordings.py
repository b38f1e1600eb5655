"""Recordings of the library are transcribed in the background, one at a time, while nobody talks or asks."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from app.core.errors import AppError
from app.core.settings import Settings
from app.host.services.listening import speech_options
from app.host.services.ports import LibraryPort, SettingsPort
from app.host.services.transcribing import Progress, Transcriber
from app.host.services.voice_models import VoiceModels
from app.host.services.voice_use import VoiceUse
from app.protocol.body import Body, Request
from app.protocol.recordings import (
    FailRecording,
    NoteTranscription,
    RecordingUnwanted,
    RecordingWaits,
    ResumeRecordings,
    StoreTranscript,
    TakeRecording,
    TranscriptLine,
    WaitingRecording,
)
from app.protocol.speech import SpeechOptions, SpeechSegment

log = logging.getLogger(__name__)

_DEATHS = frozenset({"worker.died", "worker.bad_answer"})
_LATER = frozenset(
    {
        "speech.none",
        "speech.not_found",
        "speech.not_multilingual",
        "speech.model_missing",
        "speech.model_damaged",
        "speech.no_memory",
        "worker.failed",
    }
)
"""Not the file's fault: it is tried again when there is another model, or at the next start."""
_TELL_EVERY_S = 1.0


class RecordingsService:
    """Takes recordings from the library worker and gives back transcripts."""

    def __init__(
        self,
        library: LibraryPort,
        transcriber: Transcriber,
        models: VoiceModels,
        settings: SettingsPort,
        use: VoiceUse,
    ) -> None:
        """Take what is needed; nothing runs before `open`."""
        self._library, self._transcriber = library, transcriber
        self._models, self._settings, self._use = models, settings, use
        self._wake = asyncio.Event()
        self._current: WaitingRecording | None = None
        self._work: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._helpers: set[asyncio.Task[None]] = set()
        self._deferred_with: frozenset[str] | None = None
        self._speech_settings: tuple[object, ...] | None = None  # with which recordings were tried

    def open(self) -> None:
        """Begin to look for recordings that wait."""
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="recordings")

    async def close(self) -> None:
        """End; what is unfinished begins again at the next start."""
        tasks = [task for task in (self._task, *self._helpers) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def is_busy(self) -> bool:
        """Whether a recording is being transcribed."""
        return self._current is not None

    def on_recording(self, body: Body) -> None:
        """Take an event of the library worker."""
        if isinstance(body, RecordingWaits):
            self._wake.set()
        elif isinstance(body, RecordingUnwanted) and self._is_current(body) and self._work is not None:
            self._work.cancel()

    def _is_current(self, body: RecordingUnwanted) -> bool:
        current = self._current
        return current is not None and (current.location_id, current.revision) == (
            body.location_id,
            body.revision,
        )

    def on_settings(self, settings: Settings) -> None:
        """Try again what waits for another model or language, once these have changed."""
        wanted = _speech_settings(settings)
        if self._speech_settings is not None and wanted != self._speech_settings:
            self.resume()

    def resume(self) -> None:
        """Try again what waits for another model or a worker that starts."""
        self._help(self._resume())

    async def look_for_models(self) -> None:
        """Try again what waits for another model, once there is another one; called now and then."""
        if self._deferred_with is not None and await self._model_names() != self._deferred_with:
            await self._resume()

    async def _resume(self) -> None:
        self._deferred_with = self._speech_settings = None
        await self._tell_library(ResumeRecordings())
        self._wake.set()

    # -------------------------------------------------------------------------------------------- working

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while (recording := await self._library.call(TakeRecording())).location_id:
                    await self._serve(recording)
            except AppError as error:  # it says so when it is back
                log.info("no recording was taken: %s", error.code)

    async def _serve(self, recording: WaitingRecording) -> None:
        """Transcribe one recording; whatever happens, the library hears how it ended."""
        self._current = recording
        self._work = asyncio.create_task(self._transcribe(recording), name="recording")
        try:
            await asyncio.wait({self._work})
            if not self._work.cancelled():  # else nobody wants it any more
                self._work.result()
        finally:
            self._work.cancel()  # where we are being ended
            await asyncio.wait({self._work})
            self._current = self._work = None

    async def _advance(self, recording: WaitingRecording, options: SpeechOptions, progress: Progress) -> None:
        """Transcribe while it is quiet; once more where a process died.

        Raises:
            AppError: it cannot be transcribed.
        """
        n_deaths, told_at = 0, 0.0

        def tell(progress: Progress, segments: tuple[SpeechSegment, ...]) -> None:
            nonlocal told_at
            if time.monotonic() - told_at >= _TELL_EVERY_S and progress.total_s:
                told_at = time.monotonic()
                self._help(self._note(recording, min(1.0, progress.done_s / progress.total_s)))

        while not progress.ended:
            await self._use.quiet.wait()
            try:
                await self._while_quiet(self._transcriber.advance(recording.path, options, progress, tell))
            except AppError as error:
                n_deaths += error.code in _DEATHS
                if error.code not in _DEATHS or n_deaths > 1:
                    raise
                log.info("a recording is tried once more: %s", error.code)

    async def _while_quiet(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it until somebody talks or asks; then hold it still, or break off. Raises what it raises."""
        task = asyncio.create_task(work, name="transcription")
        try:
            while not task.done():
                await _first_of(task, self._use.disturbed)
                if not task.done() and not await self._held_still(task):
                    break
        finally:
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def _held_still(self, task: "asyncio.Task[None]") -> bool:
        """Hold it still while an answer is written; give whether it may go on.

        Cancelling is not enough: the model ends the stretch that it works on, beside the answer's beginning.
        """
        woken = self._transcriber.pause() if self._use.is_answering_only else None
        if woken is None:
            return False
        try:
            await _first_of(task, self._use.quiet, woken)
        finally:
            self._transcriber.resume()
        return not woken.is_set()

    async def _transcribe(self, recording: WaitingRecording) -> None:
        """Transcribe one recording and tell the library how it ended; the border of a task."""
        progress = Progress()
        self._speech_settings = _speech_settings(self._settings.current())
        try:
            options = await speech_options(self._models, self._settings)
            await self._advance(recording, options, progress)
        except AppError as error:
            if error.code != "worker.stopped":  # then the program ends, and it begins again at the next start
                await self._fail(recording, error)
        except Exception as error:
            log.exception("a recording could not be transcribed")
            reason = f"Something went wrong inside ({type(error).__name__})."
            await self._fail(recording, AppError("host.failed", reason, "Try the file again."))
        else:
            await self._store(recording, options, progress)

    # -------------------------------------------------------------------------------------------- telling

    async def _store(self, recording: WaitingRecording, options: SpeechOptions, progress: Progress) -> None:
        code, note, hint = progress.note()
        lines = tuple(
            TranscriptLine(start_s=segment.start_s, end_s=segment.end_s, text=segment.text.strip())
            for segment in progress.segments
            if segment.text.strip()
        )
        await self._tell_library(
            StoreTranscript(
                location_id=recording.location_id,
                revision=recording.revision,
                lines=lines,
                language=progress.language,
                format=progress.format,
                seconds=progress.seconds,
                model=Path(options.model_path).name,
                title=progress.title,
                note_code=code,
                note=note,
                note_hint=hint,
            )
        )

    async def _fail(self, recording: WaitingRecording, error: AppError) -> None:
        later = error.code in _LATER
        if later:
            self._deferred_with = await self._model_names()
        await self._tell_library(
            FailRecording(
                location_id=recording.location_id,
                revision=recording.revision,
                code=error.code,
                reason=error.user_message,
                hint=error.hint,
                later=later,
            )
        )

    async def _note(self, recording: WaitingRecording, share: float) -> None:
        await self._tell_library(
            NoteTranscription(location_id=recording.location_id, revision=recording.revision, progress=share)
        )

    async def _tell_library(self, request: Request[Any]) -> None:
        try:
            await self._library.call(request)
        except AppError as error:  # it gives the recording again when it is back
            log.info("%s did not reach the library: %s", request.TYPE, error.code)

    async def _model_names(self) -> frozenset[str]:
        return frozenset(model.entry.name for model in (await self._models.find()).speech_models)

    def _help(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="recordings")
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)


async def _first_of(task: "asyncio.Task[None]", *events: asyncio.Event) -> None:
    """Return when the task has ended or one of the events is set."""
    waiting = [asyncio.create_task(event.wait(), name="watch for others") for event in events]
    try:
        await asyncio.wait({task, *waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)


def _speech_settings(settings: Settings) -> tuple[object, ...]:
    return settings.speech_model, settings.speech_language, settings.speech_translate
