"""Messages about the network: what went over it, and the switch that closes it."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class LedgerEntry(Body):
    """One connection that was opened, or refused by the switch.

    Attributes:
        when: seconds since 1970.
        why: what the user started.
        outcome: `open`, `closed`, `failed` or `refused`.
        n_sent_bytes: of the request's body and headers, about.
        n_received_bytes: of the answer's body.
    """

    when: float
    host: str
    why: str
    outcome: str
    n_sent_bytes: int = 0
    n_received_bytes: int = 0
    seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class NetworkStatus(Body):
    """The network as the program uses it.

    Attributes:
        offline: the switch is on: no connection is opened, whatever is asked for.
        entries: of the ledger, the newest first.
        n_entries: in the whole ledger.
        n_received_bytes: of the whole ledger.
        has_token: an access token of the hub is kept.
        token_place: where: `keyring`, `memory` (until the program ends) or empty.
        proxy: in use, without its password; empty: none.
        endpoint: of the hub or its mirror.
    """

    offline: bool
    entries: tuple[LedgerEntry, ...]
    n_entries: int
    n_sent_bytes: int
    n_received_bytes: int
    has_token: bool
    token_place: str
    proxy: str
    endpoint: str


@dataclass(frozen=True, kw_only=True)
class GetNetwork(Request[NetworkStatus]):
    """Ask for the ledger and the state of the switch."""

    TYPE: ClassVar[str] = "network.get"
    RESULT: ClassVar[type[Body]] = NetworkStatus
    limit: int = 200


@dataclass(frozen=True, kw_only=True)
class ClearLedger(Request[Empty]):
    """Forget the ledger's entries."""

    TYPE: ClassVar[str] = "network.clear"
    RESULT: ClassVar[type[Body]] = Empty


@dataclass(frozen=True, kw_only=True)
class SetHubToken(Request[NetworkStatus]):
    """Keep the hub's access token in the system's keyring; empty: forget it. No reply or log holds it."""

    TYPE: ClassVar[str] = "network.set_token"
    RESULT: ClassVar[type[Body]] = NetworkStatus
    token: str


@dataclass(frozen=True, kw_only=True)
class NetworkUsed(Body):
    """Event: a connection was opened, refused or ended."""

    TYPE: ClassVar[str] = "network.used"
    entry: LedgerEntry
    n_open: int
