"""A host that listens: what the microphone hears comes when a test says so."""

from collections.abc import AsyncGenerator
from typing import Any

from app.protocol.body import Body, Request
from app.protocol.speech import MicrophoneState, PartialTranscript, Recorded
from app.protocol.system import Empty
from app.protocol.voice import FinishListening, Listen, ReadAloud, ReadingEnded
from app.ui.session import ReplyStream
from tests.ui.fakes import FakeSession
from tests.ui.voice.hosted import Told, VoiceHost


class ToldToEnd(Told):
    """Also ends with what was recorded."""

    async def _replay(self) -> AsyncGenerator[Body, None]:
        while True:
            body = await self._queue.get()
            if isinstance(body, Exception):
                raise body
            yield body
            if isinstance(body, Recorded | ReadingEnded):
                return


class ListeningHost(VoiceHost):
    """Answers `voice.listen` too; `listens` holds those streams, in order."""

    def __init__(self, session: FakeSession) -> None:
        super().__init__(session)
        self.listens: list[ToldToEnd] = []
        session.reply(FinishListening, Empty())

    def _take(self, request: Request[Any], payload: bytes = b"") -> ReplyStream:
        if not isinstance(request, Listen):
            return super()._take(request, payload)
        self.session.requests.append(request)
        self.listens.append(ToldToEnd(self.session, request))
        return self.listens[-1]

    def hear(self, phase: str = "listening", elapsed_s: float = 1.0, **more: Any) -> None:
        """Tell a state of the microphone."""
        self.listens[-1].tell(MicrophoneState(phase=phase, elapsed_s=elapsed_s, **more))

    def understand(self, text: str) -> None:
        """Tell a partial transcript."""
        self.listens[-1].tell(PartialTranscript(text=text))

    def record(self, text: str, ended_by: str = "finish", **more: Any) -> None:
        """End the listening."""
        self.listens[-1].tell(recorded(text, ended_by, **more))

    def break_off(self, error: Exception) -> None:
        """End the listening with an error."""
        self.listens[-1].tell(error)

    @property
    def wanted(self) -> list[Listen]:
        """What was asked of the microphone."""
        return self.session.sent(Listen)

    @property
    def read(self) -> list[ReadAloud]:
        """What was asked to be read aloud."""
        return self.session.sent(ReadAloud)


def recorded(text: str, ended_by: str = "finish", **more: Any) -> Recorded:
    """Make the end of a listening."""
    told: dict[str, Any] = {
        "segments": (),
        "language": "en",
        "language_probability": 0.99,
        "seconds": 2.0,
    } | more
    return Recorded(text=text, ended_by=ended_by, **told)
