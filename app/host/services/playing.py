"""Playing the sound of a document: the decoder gives pieces, the voice worker plays them."""

import asyncio
import contextlib
from collections.abc import Mapping

from app.core.errors import AppError
from app.host.services.document_source import unchanged_source
from app.host.services.ports import Cancelled, Handler, LibraryPort, RequestContext, SettingsPort
from app.host.services.voice_use import VoiceUse
from app.host.supervision import Worker
from app.protocol.audio import SAMPLE_BYTES, AudioInfo, CloseAudio, OpenAudio, ReadAudio
from app.protocol.body import Body
from app.protocol.speech import PauseSound, Play, SetVolume, SoundPosition
from app.protocol.voice import ControlReading, PlaybackPosition, PlayDocument, ReadingEnded

PLAY_RATE = 24_000
"""Samples a second of what is played: speech loses nothing."""
PIECE_S = 2.0
N_AHEAD = 3
"""Pieces in the voice worker; little, so that a pause or a jump wastes nothing."""
_ACTIVITY = "while playing a recording"


class Playback:
    """One sound that is played; `run` is its task, everything else is called by others in the same loop.

    Attributes:
        gone: set when nothing of it is heard any more.
    """

    def __init__(
        self, decoder: Worker, voice: Worker, context: RequestContext, request: PlayDocument, path: str
    ) -> None:
        """Take a file; nothing is heard yet."""
        self._decoder, self._voice, self._context = decoder, voice, context
        self._request, self._path = request, path
        self._info: AudioInfo | None = None
        self._pieces: set[asyncio.Task[None]] = set()
        self._ended_by = ""
        self._paused = False
        self._failure: AppError | None = None
        self._wake = asyncio.Event()
        self.volume, self.device = 1.0, ""
        self.gone = asyncio.Event()

    def end(self, ended_by: str) -> None:
        """Be silent soon; the first reason counts."""
        self._ended_by = self._ended_by or ended_by
        self._wake.set()

    async def control(self, request: ControlReading) -> None:
        """Pause and change the volume. Raises AppError where the worker fails."""
        if request.volume is not None:
            self.volume = request.volume
            await self._voice.call(SetVolume(volume=request.volume), activity=_ACTIVITY)
        if request.paused is not None and request.paused != self._paused:
            self._paused = request.paused
            await self._voice.call(PauseSound(paused=request.paused), activity=_ACTIVITY)

    async def run(self) -> str:
        """Play until the end, or until somebody ends it; give why. Raises AppError."""
        request = OpenAudio(path=self._path, start_s=self._request.start_s, sample_rate=PLAY_RATE)
        self._info = await self._decoder.call(request, activity=_ACTIVITY)
        try:
            await self._play(self._info.handle)
        finally:
            tasks = list(self._pieces)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            with contextlib.suppress(AppError):
                await self._leave(self._info.handle)
        return self._ended_by

    async def _leave(self, handle: str) -> None:
        if self._decoder.is_ready:
            await self._decoder.call(CloseAudio(handle=handle))
        if self._paused and self._voice.is_ready:
            await self._voice.call(PauseSound(paused=False), activity=_ACTIVITY)

    async def _play(self, handle: str) -> None:
        ended = False
        while not self._ended_by:
            self._wake.clear()
            if not ended and len(self._pieces) < N_AHEAD:
                ended = await self._next_piece(handle)
            elif not self._pieces:
                self.end("end")
            else:
                await self._wake.wait()
            if self._failure is not None:
                raise self._failure

    async def _next_piece(self, handle: str) -> bool:
        """Fetch a piece and have it played; give whether it was the last."""
        piece, samples = await self._decoder.call_with_payload(
            ReadAudio(handle=handle, seconds=PIECE_S), activity=_ACTIVITY
        )
        ended, end_s = piece.ended, self._request.end_s
        if end_s is not None:
            n_samples = max(0, round((end_s - piece.start_s) * PLAY_RATE))
            ended = ended or n_samples <= len(samples) // SAMPLE_BYTES
            samples = samples[: n_samples * SAMPLE_BYTES]
        if samples:
            task = asyncio.create_task(self._heard(piece.start_s, samples), name="piece of sound")
            self._pieces.add(task)
        return ended

    async def _heard(self, start_s: float, samples: bytes) -> None:
        """Have one piece played, and tell what is heard of it."""
        request = Play(sample_rate=PLAY_RATE, volume=self.volume, device=self.device)
        total_s = self._info.seconds if self._info is not None else None
        try:
            async with contextlib.aclosing(self._voice.stream(request, samples, _ACTIVITY)) as stream:
                async for body in stream:
                    if isinstance(body, SoundPosition):
                        self._context.progress(
                            PlaybackPosition(seconds=start_s + body.seconds, total_s=total_s)
                        )
        except Cancelled:  # somebody spoke, and all that waits is dropped
            self.end("interrupted")
        except AppError as error:
            self._failure = error
        task = asyncio.current_task()
        assert task is not None
        self._pieces.discard(task)
        self._wake.set()


class PlayingService:
    """Plays recordings of the library; one at a time, in turn with readings."""

    def __init__(
        self, library: LibraryPort, decoder: Worker, voice: Worker, settings: SettingsPort, use: VoiceUse
    ) -> None:
        """Take what is needed; nothing is started."""
        self._library, self._decoder, self._voice = library, decoder, voice
        self._settings, self._use = settings, use
        self._playbacks: dict[str, Playback] = {}

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {PlayDocument: self._play}

    async def control(self, request: ControlReading) -> None:
        """Pause or change the volume of a document that plays; silent where it does not."""
        playback = self._playbacks.get(request.reading)
        if playback is not None:
            await playback.control(request)

    async def _play(self, request: PlayDocument, context: RequestContext) -> ReadingEnded:
        path = await unchanged_source(
            self._library,
            request.document_id,
            "its sound cannot be played",
            "What was understood of it can still be read.",
        )
        settings = self._settings.current()
        playback = Playback(self._decoder, self._voice, context, request, path)
        playback.volume, playback.device = settings.voice_volume, settings.speaker
        name = f"document.{request.document_id}"
        async with self._use.sounding(playback):
            self._playbacks[name] = playback  # the one before, of the same document, has ended
            try:
                return ReadingEnded(ended_by=await playback.run())
            finally:
                del self._playbacks[name]
