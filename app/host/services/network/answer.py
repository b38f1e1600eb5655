"""What a server answers, to be read while its connection is open."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol

from app.host.services.network.errors import whole_within


class AnswerBody(Protocol):
    """The body of an answer as it comes."""

    @property
    def n_bytes(self) -> int:
        """Bytes that have come."""

    def pieces(self, unpacked: bool) -> AsyncGenerator[bytes, None]:
        """Give it as it comes over the wire, or unpacked.

        Raises:
            NetworkError: `network.failed`.
        """


@dataclass(frozen=True)
class Answer:
    """What a server answers.

    Attributes:
        status: of HTTP.
        headers: by name in lower case.
        host: of the server that gives the answer, for people.
        body: what comes.
        is_redirected: another server than the first one gives it.
    """

    status: int
    headers: Mapping[str, str]
    host: str
    body: AnswerBody
    is_redirected: bool = False

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give the body as it comes over the wire, at most 64 kB at once.

        Raises:
            NetworkError: `network.failed`.
        """
        return self.body.pieces(unpacked=False)

    async def read(self, max_bytes: int, limit_s: float) -> bytes:
        """Read the body, unpacked, but no more than `max_bytes` and a piece.

        Args:
            max_bytes: to read.
            limit_s: for all of it: a server that sends a byte now and then is not waited for.

        Raises:
            NetworkError: `network.failed`.
        """
        data = bytearray()
        async with whole_within(limit_s, self.host):
            async for chunk in self.body.pieces(unpacked=True):
                data += chunk
                if len(data) > max_bytes:
                    break
        return bytes(data)
