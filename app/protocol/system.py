"""Messages that every connection knows: greeting, ends of requests, cancelling, health."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from app.protocol.body import Body, Request

DONE = "done"
ERROR = "error"
CANCELLED = "cancelled"
ENDS = frozenset({DONE, ERROR, CANCELLED})


@dataclass(frozen=True, kw_only=True)
class Empty(Body):
    """The result of a request that has nothing to return."""


@dataclass(frozen=True, kw_only=True)
class Hello(Body):
    """The first message of each side of a connection.

    Attributes:
        protocol: the sender's PROTOCOL_VERSION; peers of another version part with a clear error.
        kind: `window`, `cli`, `launcher`, `host`, `inference`, `library`, `render`, …
        version: the program's version.
        pid: the sender's process id.
        token: the secret of host.json, where the host listens on a port instead of a Unix socket.
    """

    TYPE: ClassVar[str] = "hello"
    protocol: int
    kind: str
    version: str
    pid: int
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class ErrorBody(Body):
    """The end of a request that failed.

    Attributes:
        code: stable name for programs, such as `model.not_found`; never matched on text.
        message: what happened, for the user.
        hint: what the user can do next; empty where nothing helps.
        context: facts for the log and for tests; no user text.
    """

    TYPE: ClassVar[str] = ERROR
    code: str
    message: str
    hint: str = ""
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CancelRequest(Body):
    """Ask the peer to end one request early; it is answered by that request's own end."""

    TYPE: ClassVar[str] = "request.cancel"
    request_id: str


@dataclass(frozen=True, kw_only=True)
class Ping(Request[Empty]):
    """Ask whether the peer's control path is alive."""

    TYPE: ClassVar[str] = "process.ping"
    RESULT: ClassVar[type[Body]] = Empty


@dataclass(frozen=True, kw_only=True)
class Shutdown(Request[Empty]):
    """Ask a worker, or the host when no other front end needs it, to finish and exit.

    Attributes:
        force: the host ends although work is running (what is unfinished resumes at the next start).
    """

    TYPE: ClassVar[str] = "process.shutdown"
    RESULT: ClassVar[type[Body]] = Empty
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Notice(Body):
    """Event: something the user should read.

    Attributes:
        severity: `info`, `warning` or `error`.
        code: as in ErrorBody.
    """

    TYPE: ClassVar[str] = "host.notice"
    severity: str
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkerChanged(Body):
    """Event: a worker started, died, restarts or was given up.

    Attributes:
        kind: the worker.
        state: `starting`, `ready`, `restarting`, `failed` or `stopped`.
        message: what happened, in words; empty for the ordinary course.
    """

    TYPE: ClassVar[str] = "worker.changed"
    kind: str
    state: str
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkerStatus(Body):
    """One worker in HostStatus."""

    kind: str
    state: str
    pid: int | None
    restarts: int


@dataclass(frozen=True, kw_only=True)
class HostStatus(Body):
    """What the host is doing.

    Attributes:
        busy: work runs that would go on, or stop, when the last front end leaves (ingestion, an answer).
        n_clients: attached front ends, the asking one included.
    """

    pid: int
    version: str
    data_dir: str
    busy: bool
    n_clients: int
    workers: tuple[WorkerStatus, ...]


@dataclass(frozen=True, kw_only=True)
class GetHostStatus(Request[HostStatus]):
    """Ask what the host is doing."""

    TYPE: ClassVar[str] = "host.status"
    RESULT: ClassVar[type[Body]] = HostStatus


@dataclass(frozen=True, kw_only=True)
class Check(Body):
    """One finding of the doctor.

    Attributes:
        name: stable, such as `library.orphan_chunks`.
        status: `ok`, `warning` or `error`; an error is a violated invariant.
        detail: the finding in words, with figures.
        hint: the next step where it is not ok.
    """

    name: str
    status: str
    detail: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class DoctorReport(Body):
    """Every check of the data folder and of one real generation and embedding."""

    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True)
class RunDoctor(Request[DoctorReport]):
    """Check the data folder's invariants and the engines."""

    TYPE: ClassVar[str] = "doctor.run"
    RESULT: ClassVar[type[Body]] = DoctorReport


@dataclass(frozen=True, kw_only=True)
class SettingsBody(Body):
    """All settings as a JSON object (`app.core.settings.Settings` validates it)."""

    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SettingsChanged(Body):
    """Event: settings were changed; all of them."""

    TYPE: ClassVar[str] = "settings.changed"
    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class GetSettings(Request[SettingsBody]):
    """Ask for the settings."""

    TYPE: ClassVar[str] = "settings.get"
    RESULT: ClassVar[type[Body]] = SettingsBody


@dataclass(frozen=True, kw_only=True)
class UpdateSettings(Request[SettingsBody]):
    """Change some settings; answered by all of them as stored."""

    TYPE: ClassVar[str] = "settings.update"
    RESULT: ClassVar[type[Body]] = SettingsBody
    values: dict[str, Any]
