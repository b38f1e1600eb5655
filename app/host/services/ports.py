"""What services of the host offer each other and the server, as protocols so that tests can stand in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from app.protocol.body import Body, Request
from app.protocol.chat import ImageAttachment
from app.protocol.engine import PLAIN_SAMPLING, EngineInfo, Generation, Sampling
from app.protocol.envelope import Message

if TYPE_CHECKING:
    from app.core.settings import Settings  # pydantic takes time to import, and the server does without

R = TypeVar("R", bound=Body)


class Reply(NamedTuple):
    """A handler's result with raw bytes behind it.

    Attributes:
        body: the result, or the JSON object of one that is passed on unread.
    """

    body: Body | Mapping[str, Any]
    payload: bytes = b""


class Cancelled(Exception):  # noqa: N818  # an outcome, not a fault
    """A handler ends as cancelled and says what it kept.

    A handler whose request is cancelled gets `asyncio.CancelledError` at its next await; letting it pass ends
    the request as `cancelled` with an empty body, raising this instead sends `body`.

    Attributes:
        body: what was kept, or its JSON object as a worker sent it.
    """

    def __init__(self, body: Body | Mapping[str, Any]) -> None:
        """Keep the body."""
        super().__init__("cancelled")
        self.body = body


class RequestContext(Protocol):
    """What a handler knows of the request that it serves."""

    @property
    def payload(self) -> bytes:
        """Raw bytes that came with the request."""

    def progress(self, body: Body, payload: bytes = b"") -> None:
        """Send a progress message of this request; never blocks, silent when the client has gone."""

    def forward(self, message: Message) -> None:
        """Pass on a worker's progress message unread as progress of this request."""


Handler = Callable[[Any, RequestContext], Awaitable[Body | Reply]]
"""Serves one request: returns its result, raises AppError, or is cancelled; one task of the loop each."""


class Service(Protocol):
    """A use-case of the host."""

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""


class Events(Protocol):
    """Broadcasts events to every attached front end."""

    def publish(self, body: Body) -> None:
        """Send an event to all clients; never blocks."""

    def forward(self, message: Message) -> None:
        """Pass on a worker's event unread to all clients."""


class Offers(Protocol):
    """Sends an event to front ends of one kind, for as long as somebody waits that one takes it."""

    def offered(self, body: Body, kind: str) -> AbstractContextManager[None]:
        """Send it to those attached, and to each that attaches before the context ends."""


class LibraryPort(Protocol):
    """The library worker."""

    async def call(self, request: Request[R]) -> R:
        """Send a request and return its result.

        Raises:
            AppError: the worker's error, or `worker.died` with the reason in words.
        """

    async def throttle(self, active: bool) -> None:
        """Say that an answer starts (embedding yields the cores) or has ended; never raises AppError."""


class EnginePort(Protocol):
    """The inference worker."""

    def stream(self, request: Request[R], payload: bytes = b"") -> AsyncIterator[Body]:
        """Send a request with raw bytes and yield its progress bodies; the last one yielded is its result.

        Close it (`contextlib.aclosing`) or cancel the task to cancel the request in the worker.

        Raises:
            AppError: the worker's error, or `worker.died` with the reason in words.
        """

    async def call(self, request: Request[R]) -> R:
        """Send a request and return its result. Raises as `stream`."""


@dataclass(frozen=True)
class GenerationOptions:
    """How a model writes, unless a request says otherwise.

    Attributes:
        seed: None: another one each time.
        stop: texts at which an answer ends.
        system_prompt: stands before general conversations; empty for the program's own.
    """

    max_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    sampling: Sampling = PLAIN_SAMPLING
    stop: tuple[str, ...] = ()
    prompt_lookup: bool = True
    shift_context: bool = True
    seed: int | None = None
    system_prompt: str = ""


class ModelsPort(Protocol):
    """Chat models and the loaded one."""

    async def ensure_loaded(
        self, name: str = "", on_progress: Callable[[float], None] | None = None
    ) -> EngineInfo:
        """Load a model unless it is loaded; one at a time.

        Args:
            name: of the model; empty for the default one.
            on_progress: gets 0 to 1 while it loads.

        Raises:
            AppError: `model.none`, `model.not_found`, the worker's reasons, `worker.died`.
        """

    def generation_options(self, name: str) -> GenerationOptions:
        """Say how a model writes: its own settings, else the program's."""

    async def note_answer(self, handle: str, generation: Generation) -> None:
        """Take note of a finished answer of the model with this handle."""


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Attributes:
        pixels: RGB888, `width` × `height` × 3 bytes, rows from the top.
    """

    sha256: str
    width: int
    height: int
    pixels: bytes


class ImagesPort(Protocol):
    """Images attached to questions."""

    async def check(self, images: Sequence[ImageAttachment]) -> None:
        """Refuse what is not kept. Raises NotFoundError `image.not_found`, UsageError `image.too_many`."""

    async def pictures(self, digests: Sequence[str]) -> Mapping[str, Picture]:
        """Decode images as models get them; what is gone or damaged is left out.

        Raises:
            AppError: the renderer's death.
        """


class SettingsPort(Protocol):
    """The settings."""

    def current(self) -> "Settings":
        """Give the settings as they are now."""
