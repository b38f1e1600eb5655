"""Transcribing files: the decoder gives samples, the voice worker understands them, piece by piece."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace

from app.core.errors import AppError
from app.core.transcript_notes import DAMAGED_CODE, DOUBTFUL_CODE, NOTES, ONE_TRACK_CODE
from app.host.services.listening import speech_options
from app.host.services.ports import Handler, RequestContext, SettingsPort
from app.host.services.voice_models import VoiceModels
from app.host.supervision import Worker
from app.protocol.audio import (
    SAMPLE_BYTES,
    SPEECH_RATE,
    AudioInfo,
    AudioPiece,
    CloseAudio,
    OpenAudio,
    ReadAudio,
)
from app.protocol.body import Body
from app.protocol.speech import (
    CloseTranscription,
    FeedTranscription,
    OpenTranscription,
    SpeechOptions,
    SpeechSegment,
    TranscriptPart,
)
from app.protocol.voice import TranscribeFile, Transcript, TranscriptionProgress

PIECE_S = 30.0
"""What a model of Whisper's family looks at, at once."""
_READING, _UNDERSTANDING = "while decoding a recording", "while transcribing"


@dataclass
class Progress:
    """What is known of a transcription; it can go on from here after a break.

    Attributes:
        done_s: sound up to here is understood.
        total_s: length of the file; None where it does not say.
        ended: all of it is understood.
        n_tracks: tracks of sound in the file.
        computed_s: that it took.
    """

    segments: list[SpeechSegment] = field(default_factory=list)
    done_s: float = 0.0
    total_s: float | None = None
    ended: bool = False
    language: str = ""
    doubtful: bool = False
    damaged: bool = False
    n_tracks: int = 1
    format: str = ""
    title: str = ""
    seconds: float = 0.0
    computed_s: float = 0.0

    @property
    def text(self) -> str:
        """All that was said."""
        return " ".join(segment.text.strip() for segment in self.segments if segment.text.strip())

    def note(self) -> tuple[str, str, str]:
        """Give code, words and next step of what may be wrong with it; empty where nothing is."""
        code = DOUBTFUL_CODE if self.doubtful else DAMAGED_CODE if self.damaged else ""
        if not code and self.n_tracks > 1:
            code = ONE_TRACK_CODE
        return (code, *NOTES[code]) if code else ("", "", "")


OnPart = Callable[[Progress, tuple[SpeechSegment, ...]], None]


class Transcriber:
    """Transcribes one file after another, or several at once; the voice worker takes them in turn."""

    def __init__(self, decoder: Worker, voice: Worker, patient: bool = False) -> None:
        """Bind the two workers.

        Args:
            decoder: gives samples.
            voice: understands them.
            patient: nobody waits for it, so that it can be held still.
        """
        self._decoder, self._voice, self._patient = decoder, voice, patient
        self._closing: set[asyncio.Task[None]] = set()

    async def advance(self, path: str, options: SpeechOptions, progress: Progress, on_part: OnPart) -> None:
        """Transcribe from where the progress stands to the end of the file.

        It may be cancelled at any time, and called again with the same progress.

        Args:
            path: absolute.
            options: how to understand it.
            progress: is brought up to date.
            on_part: gets it, and what is new, after each piece.

        Raises:
            AppError: those of OpenAudio, OpenTranscription; `worker.died`.
        """
        begun = time.monotonic()
        try:
            async with self._opened(path, options, progress.done_s) as (info, handle):
                progress.total_s, progress.format, progress.title = info.seconds, info.format, info.title
                progress.n_tracks = info.n_tracks
                await self._feed_all(info.handle, handle, progress, on_part)
        finally:
            progress.computed_s += time.monotonic() - begun

    def pause(self) -> asyncio.Event | None:
        """Hold the voice worker still where nobody else needs it, see `Worker.pause`."""
        return self._voice.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._voice.resume()

    @contextlib.asynccontextmanager
    async def _opened(
        self, path: str, options: SpeechOptions, start_s: float
    ) -> AsyncIterator[tuple[AudioInfo, str]]:
        """Open the file and a transcription; give the file and the transcription's handle."""
        info = await self._decoder.call(OpenAudio(path=path, start_s=start_s), activity=_READING)
        try:
            opened = await self._voice.call(
                OpenTranscription(options=options), activity=_UNDERSTANDING, patient=self._patient
            )
            try:
                yield info, opened.handle
            finally:
                self._close(self._voice, CloseTranscription(handle=opened.handle))
        finally:
            self._close(self._decoder, CloseAudio(handle=info.handle))

    def _close(self, worker: Worker, request: CloseTranscription | CloseAudio) -> None:
        """Close in the background: also where the task that had opened it is being cancelled."""

        async def close() -> None:
            if worker.is_ready:  # else it is closed with its process
                with contextlib.suppress(AppError):
                    await worker.call(request, patient=self._patient)

        task = asyncio.create_task(close(), name="close of a recording")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _feed_all(self, audio: str, handle: str, progress: Progress, on_part: OnPart) -> None:
        """Feed piece after piece; the next one is decoded while one is understood."""
        offset_s: float | None = None
        reading = self._read(audio)
        try:
            while not progress.ended:
                piece, samples = await reading
                if not piece.ended:
                    reading = self._read(audio)
                offset_s = piece.start_s if offset_s is None else offset_s
                progress.damaged = progress.damaged or piece.damaged
                progress.seconds = piece.start_s + len(samples) / SAMPLE_BYTES / SPEECH_RATE
                feed = FeedTranscription(handle=handle, last=piece.ended)
                part = await self._voice.call(feed, samples, _UNDERSTANDING, self._patient)
                on_part(progress, _take(progress, part, offset_s, piece.ended))
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)  # what it raises was or will be met again

    def _read(self, audio: str) -> "asyncio.Task[tuple[AudioPiece, bytes]]":
        request = ReadAudio(handle=audio, seconds=PIECE_S)
        return asyncio.create_task(
            self._decoder.call_with_payload(request, activity=_READING), name="piece of a recording"
        )

    async def close(self) -> None:
        """Wait for what is being closed."""
        await asyncio.gather(*self._closing)


def _take(
    progress: Progress, part: TranscriptPart, offset_s: float, ended: bool
) -> tuple[SpeechSegment, ...]:
    """Add a part to the progress; give its segments with times of the file."""
    segments = tuple(
        replace(segment, start_s=segment.start_s + offset_s, end_s=segment.end_s + offset_s)
        for segment in part.segments
    )
    progress.segments.extend(segments)
    progress.done_s = progress.seconds if ended else offset_s + part.done_s
    progress.language = part.language or progress.language
    progress.doubtful = progress.doubtful or part.doubtful
    progress.ended = ended
    return segments


class TranscribingService:
    """Transcribes files that a front end names."""

    def __init__(self, transcriber: Transcriber, models: VoiceModels, settings: SettingsPort) -> None:
        """Take what is needed."""
        self._transcriber, self._models, self._settings = transcriber, models, settings

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {TranscribeFile: self._transcribe}

    async def _transcribe(self, request: TranscribeFile, context: RequestContext) -> Transcript:
        options = await speech_options(
            self._models, self._settings, request.model, request.language, request.translate
        )
        progress = Progress()

        def tell(progress: Progress, segments: tuple[SpeechSegment, ...]) -> None:
            context.progress(
                TranscriptionProgress(segments=segments, done_s=progress.done_s, total_s=progress.total_s)
            )

        await self._transcriber.advance(request.path, options, progress, tell)
        _, note, hint = progress.note()
        return Transcript(
            text=progress.text,
            language=progress.language,
            segments=tuple(progress.segments),
            seconds=progress.seconds,
            doubtful=progress.doubtful,
            note=f"{note} {hint}".strip(),
            compute_seconds=progress.computed_s,
        )
