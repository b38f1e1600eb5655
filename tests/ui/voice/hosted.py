"""A host that reads aloud and plays: what it tells comes when a test says so."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from app.core.errors import AppError
from app.protocol.body import Body, Request
from app.protocol.envelope import Message
from app.protocol.system import CANCELLED, Empty, SettingsBody, UpdateSettings
from app.protocol.voice import (
    ControlReading,
    ExtendReading,
    PlayDocument,
    ReadAloud,
    ReadingEnded,
    ReadingProgress,
    StopReading,
)
from app.ui.session import Cancelled, ReplyStream
from tests.ui.fakes import FakeSession


class Told(ReplyStream):
    """The replies to one request: what is told to it, until an end."""

    def __init__(self, session: FakeSession, request: Request[Any]) -> None:
        self.request = request
        self._session = session
        self._queue: asyncio.Queue[Body | Exception] = asyncio.Queue()
        self._generator = self._replay()

    def tell(self, *bodies: Body | Exception) -> None:
        for body in bodies:
            self._queue.put_nowait(body)

    def cancel(self) -> None:
        self._session.cancelled.append(self.request)
        self.tell(Cancelled(Message(CANCELLED, {})))

    async def _replay(self) -> AsyncGenerator[Body, None]:
        while True:
            body = await self._queue.get()
            if isinstance(body, Exception):
                raise body
            yield body
            if isinstance(body, ReadingEnded):
                return


class VoiceHost:
    """Answers the requests of voice on a session; `told` holds the streams it was asked for, in order."""

    def __init__(self, session: FakeSession) -> None:
        self.session = session
        self.told: list[Told] = []
        self._stream = session.stream
        session.stream = self._take  # type: ignore[method-assign]
        for request_type in (ControlReading, ExtendReading):
            session.reply(request_type, Empty())
        session.reply(StopReading, self._stopped)
        session.reply(UpdateSettings, lambda request: SettingsBody(values=request.values))

    def _take(self, request: Request[Any], payload: bytes = b"") -> ReplyStream:
        if not isinstance(request, ReadAloud | PlayDocument):
            return self._stream(request, payload)
        self.session.requests.append(request)
        for stream in self.told:
            stream.tell(ReadingEnded(ended_by="stopped"))
        self.told.append(Told(self.session, request))
        return self.told[-1]

    def _stopped(self, _request: StopReading) -> Empty:
        for stream in self.told:
            stream.tell(ReadingEnded(ended_by="stopped"))
        return Empty()

    def tell(self, *bodies: Body | Exception) -> None:
        """Tell something to the newest request."""
        self.told[-1].tell(*bodies)

    def speak(self, words: str, phase: str = "speaking") -> None:
        """Tell that a sentence of the text given last is heard."""
        text = self.text
        start = text.index(words)
        self.tell(ReadingProgress(phase=phase, start=start, end=start + len(words)))

    def end(self, ended_by: str = "end") -> None:
        self.tell(ReadingEnded(ended_by=ended_by))

    @property
    def text(self) -> str:
        """The text of the newest reading, as given last."""
        request = self.told[-1].request
        assert isinstance(request, ReadAloud)
        more = [each.text for each in self.session.sent(ExtendReading) if each.reading == request.reading]
        return (more or [request.text])[-1]

    def fail(self, error: AppError) -> None:
        self.tell(error)
