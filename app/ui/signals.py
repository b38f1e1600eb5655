"""Ends the window on SIGINT and SIGTERM, which Python alone would notice only at the next event."""

import contextlib
import signal
import socket
from collections.abc import Callable
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Slot


class SignalWatcher(QObject):
    """Wakes the event loop when a signal arrives and calls back there."""

    def __init__(self, on_signal: Callable[[], object], parent: QObject | None = None) -> None:
        """Call `on_signal` on SIGINT and SIGTERM until `close`; main thread only."""
        super().__init__(parent)
        self._on_signal = on_signal
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self._old_descriptor = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        self._notifier = QSocketNotifier(self._reading.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_readable)
        self._old = {
            number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def close(self) -> None:
        """Give the signals back."""
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_descriptor)
        self._notifier.setEnabled(False)
        self._reading.close()
        self._writing.close()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._on_signal()

    @Slot()
    def _on_readable(self) -> None:
        """Empty the socket; having come here, Python runs `_handle`."""
        with contextlib.suppress(BlockingIOError):
            self._reading.recv(64)
