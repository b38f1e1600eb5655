"""Opens connections to the world: behind the user's switch, on the ledger, carrying nothing along.

What leaves this computer is the request line, `Host`, `User-Agent` (the program's name and version),
`Accept`, `Accept-Encoding`, `Connection`, what the caller adds (a byte range), and the hub's token where the
user gave one: to the server that the user named and to no other. No cookie is kept.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from app.core.errors import StorageError, UsageError
from app.core.settings import Settings
from app.host.services.network.addresses import Address, address_of, redirected
from app.host.services.network.answer import Answer
from app.host.services.network.errors import refused_redirect, switched_off
from app.host.services.network.ledger import Ledger
from app.host.services.network.proxy import proxy_for
from app.host.services.ports import Events
from app.protocol.network import LedgerEntry, NetworkUsed

if TYPE_CHECKING:
    from app.host.services.network.exchange import HttpClient

T = TypeVar("T")

MAX_REDIRECTS = 5
SWITCH_POLL_S = 0.25
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Timeouts:
    """How long a connection may keep silent.

    Attributes:
        connect_s: until it stands.
        read_s: between two pieces of the answer.
        head_s: from the request until the head of the answer is whole.
    """

    connect_s: float = 15.0
    read_s: float = 30.0
    head_s: float = 60.0


class Network:
    """Opens connections that the user started. Used by tasks of the host's loop."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Callable[[], Settings],
        events: Events,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Take the ledger, the settings (switch and proxy) and where connections are announced."""
        self._ledger, self._settings, self._events = ledger, settings, events
        self._timeouts = timeouts or Timeouts()
        self._writing = asyncio.Lock()
        self._open: set[str] = set()
        self._client: HttpClient | None = None

    @property
    def offline(self) -> bool:
        """Whether the user's switch refuses every connection."""
        return self._settings().offline

    @property
    def n_open(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    async def entries(self) -> list[LedgerEntry]:
        """Give the ledger, the oldest entry first."""
        async with self._writing:
            return await asyncio.to_thread(self._ledger.read, frozenset(self._open))

    async def forget_entries(self) -> None:
        """Clear the ledger.

        Raises:
            StorageError: `network.no_ledger`.
        """
        async with self._writing:
            try:
                await asyncio.to_thread(self._ledger.clear)
            except OSError as error:
                raise _no_ledger(error) from error

    @contextlib.asynccontextmanager
    async def open_url(
        self, url: str, why: str, headers: Mapping[str, str] | None = None, token: str = ""
    ) -> AsyncIterator[Answer]:
        """Open a URL for reading, for as long as the context lasts; redirects are followed.

        The user's switch ends it within a second.

        Args:
            url: `https`, or `http` to this computer.
            why: what the user started, for the ledger: `download of the model X`.
            headers: sent with the request, to every server that it is redirected to.
            token: of the hub; sent to the first server alone.

        Raises:
            UsageError: `network.bad_url`, `network.bad_proxy`.
            NetworkError: `network.off`, `network.failed`, `network.bad_redirect`.
            StorageError: `network.no_ledger`.
        """
        watch: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(None) as scope:
                if not self.offline:
                    watch = asyncio.create_task(self._watch_switch(scope), name="network switch")
                async with self._followed(url, why, headers or {}, token) as answer:
                    yield answer
        except TimeoutError as error:
            if scope.expired():
                raise switched_off() from error
            raise
        finally:
            if watch is not None:
                watch.cancel()

    async def _watch_switch(self, scope: asyncio.Timeout) -> None:
        while not self.offline:  # noqa: ASYNC110  # the setting may change in any way; a poll sees them all
            await asyncio.sleep(SWITCH_POLL_S)
        scope.reschedule(asyncio.get_running_loop().time())

    @contextlib.asynccontextmanager
    async def _followed(
        self, url: str, why: str, headers: Mapping[str, str], token: str
    ) -> AsyncIterator[Answer]:
        """Open a URL and follow its redirects to the answer."""
        first = address_of(url)
        at_home = True
        for _ in range(MAX_REDIRECTS + 1):
            address = address_of(url)
            at_home = at_home and address == first  # once away, the token stays away
            sent = {**headers, "Authorization": f"Bearer {token}"} if token and at_home else headers
            async with self._exchange(url, address, why, sent) as answer:
                location = answer.headers.get("location", "")
                if answer.status not in _REDIRECTS or not location:
                    yield replace(answer, is_redirected=address != first)
                    return
            try:
                url = redirected(url, location)
            except UsageError as error:
                raise refused_redirect(address.label, "an address that must not be opened") from error
        raise refused_redirect(first.label, "one address after another")

    @contextlib.asynccontextmanager
    async def _exchange(
        self, url: str, address: Address, why: str, headers: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        """Send one request to one server, on the record."""
        setting = self._settings().proxy
        async with self._recorded(address, why) as record:
            proxy = "" if address.is_here else await asyncio.to_thread(proxy_for, setting, address.host)
            if self._client is None:
                self._client = await asyncio.to_thread(_http_client)
            silence_s, head_s = (self._timeouts.connect_s, self._timeouts.read_s), self._timeouts.head_s
            async with self._client.get(
                url, address, headers, proxy, silence_s, head_s, record.note_sent
            ) as answer:
                record.answer = answer
                yield answer

    @contextlib.asynccontextmanager
    async def _recorded(self, address: Address, why: str) -> "AsyncIterator[_Record]":
        """Write the ledger's line before a connection opens and the one when it ends."""
        if self.offline:
            entry = await self._write(lambda: self._ledger.refuse(address.label, why))
            self._events.publish(NetworkUsed(entry=entry, n_open=self.n_open))
            raise switched_off()
        key, entry = await self._write(lambda: self._ledger.open_entry(address.label, why))
        self._open.add(key)
        self._events.publish(NetworkUsed(entry=entry, n_open=self.n_open))
        record, started = _Record(), time.monotonic()
        outcome, detail = "failed", "broken off"
        try:
            if self.offline:  # while the line was written
                raise switched_off()
            yield record
            outcome, detail = "closed", record.status_words
        except Exception as error:
            outcome, detail = _ending(error, record)
            raise
        finally:
            self._open.discard(key)
            ended = replace(
                entry,
                outcome=outcome,
                detail=detail,
                n_sent_bytes=record.n_sent_bytes,
                n_received_bytes=record.answer.body.n_bytes if record.answer is not None else 0,
                seconds=round(time.monotonic() - started, 3),
            )
            self._events.publish(NetworkUsed(entry=ended, n_open=self.n_open))
            with contextlib.suppress(StorageError):  # the reader takes a line without end for broken off
                await self._write(lambda: self._ledger.end_entry(key, ended))

    async def _write(self, write: Callable[[], T]) -> T:
        async with self._writing:
            try:
                return await asyncio.to_thread(write)
            except OSError as error:
                raise _no_ledger(error) from error


@dataclass
class _Record:
    """What went over one connection."""

    n_sent_bytes: int = 0
    answer: Answer | None = None

    def note_sent(self, n_bytes: int) -> None:
        self.n_sent_bytes = n_bytes

    @property
    def status_words(self) -> str:
        return "" if self.answer is None or self.answer.status < 400 else f"HTTP {self.answer.status}"


def _ending(error: Exception, record: _Record) -> tuple[str, str]:
    """Tell the connection's failure from the caller's decision not to read on."""
    code = getattr(error, "code", "")
    if isinstance(error, UsageError) or code.startswith("network."):
        return "failed", getattr(error, "user_message", "")
    return "closed", record.status_words


def _http_client() -> "HttpClient":
    """Import and make the client. A thread of the pool."""
    from app.host.services.network.exchange import HttpClient

    return HttpClient()


def _no_ledger(error: OSError) -> StorageError:
    return StorageError(
        "network.no_ledger",
        f"The record of connections cannot be written ({error.strerror}), so none is opened.",
        "Check that the disk is not full and that the data folder can be written.",
    )
