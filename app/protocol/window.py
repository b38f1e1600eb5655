"""Messages about the one window of a data folder: a second start hands over what it was to open."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import Empty

WINDOW = "window"
LAUNCHER = "launcher"


@dataclass(frozen=True, kw_only=True)
class OpenInWindow(Request[Empty]):
    """Ask the open window to come to the front and to add files; done when it has taken them.

    Attributes:
        paths: absolute paths of files and folders to add to the library; may be none.
        n_refused: addresses that were asked for too and are no files of this computer.
        activation_token: what the desktop gave the second start, so that the window may come to the front
            (`XDG_ACTIVATION_TOKEN` or `DESKTOP_STARTUP_ID`); empty where there is none.
    """

    TYPE: ClassVar[str] = "window.open"
    RESULT: ClassVar[type[Body]] = Empty
    paths: tuple[str, ...] = ()
    n_refused: int = 0
    activation_token: str = ""


@dataclass(frozen=True, kw_only=True)
class WindowOpened(Body):
    """Event for windows alone: the program was started again; fields as in OpenInWindow.

    Attributes:
        opening_id: what TakeOpening names.
    """

    TYPE: ClassVar[str] = "window.opened"
    opening_id: str
    paths: tuple[str, ...] = ()
    n_refused: int = 0
    activation_token: str = ""


@dataclass(frozen=True, kw_only=True)
class TakeOpening(Request[Empty]):
    """Say that the window has taken an opening over; without effect where nobody waits for that any more."""

    TYPE: ClassVar[str] = "window.take"
    RESULT: ClassVar[type[Body]] = Empty
    opening_id: str
