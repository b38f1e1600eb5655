"""One place where everything goes that the user should read and nobody else has shown."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.core.errors import AppError
from app.protocol.system import Notice

log = logging.getLogger(__name__)


class Notifier:
    """Turns exceptions and messages into notices and hands them to its listeners; knows nothing of Qt.

    Any thread may call it; listeners are called in that thread.
    """

    def __init__(self) -> None:
        """Start without listeners."""
        self._listeners: list[Callable[[Notice], None]] = []

    def subscribe(self, listener: Callable[[Notice], None]) -> None:
        """Hand every later notice to `listener` too."""
        self._listeners.append(listener)

    def notify(self, notice: Notice) -> None:
        """Hand a notice to every listener."""
        for listener in self._listeners:
            listener(notice)

    def info(self, message: str, hint: str = "") -> None:
        """Tell the user something good or neutral."""
        self.notify(Notice(severity="info", code="", message=message, hint=hint))

    def report(self, error: BaseException, doing: str = "") -> None:
        """Tell the user of an error: in its own words if it is an AppError, else in general ones and logged.

        Args:
            error: what was raised; cancelling and leaving are silent.
            doing: what was going on, for the log.
        """
        if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
            return
        if isinstance(error, AppError):
            log.info("%s: %s", doing or "an operation failed", error.code)
            self.notify(
                Notice(severity="error", code=error.code, message=error.user_message, hint=error.hint)
            )
            return
        log.error("unexpected error in %s", doing or "the window", exc_info=error)
        self.notify(
            Notice(
                severity="error",
                code="window.unexpected",
                message="Something went wrong in the window. Nothing that was saved is lost.",
                hint="Try again. If it happens again, restart the program; details are in the log.",
            )
        )

    def install(self) -> Callable[[], None]:
        """Take what nobody else catches in any thread; returns the function that undoes it."""
        before, thread_before = sys.excepthook, threading.excepthook

        def on_exception(
            _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
        ) -> None:
            self.report(error)

        def on_thread_exception(arguments: threading.ExceptHookArgs) -> None:
            if arguments.exc_value is not None:
                self.report(arguments.exc_value, f"thread {getattr(arguments.thread, 'name', '')}")

        def uninstall() -> None:
            sys.excepthook, threading.excepthook = before, thread_before

        sys.excepthook, threading.excepthook = on_exception, on_thread_exception
        return uninstall

    def on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle what the event loop could not deliver (`loop.set_exception_handler`)."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.report(error, str(context.get("message", "")))
        else:
            log.error("event loop: %s", context.get("message"))


class NotifierBridge(QObject):
    """Carries notices from any thread into the window's.

    Signals:
        notified: a Notice, always in this object's thread.
    """

    notified = Signal(object)
    _arrived = Signal(object)

    def __init__(self, notifier: Notifier, parent: QObject | None = None) -> None:
        """Subscribe to the notifier."""
        super().__init__(parent)
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        notifier.subscribe(self._arrived.emit)

    @Slot(object)
    def _on_arrived(self, notice: Notice) -> None:
        self.notified.emit(notice)
