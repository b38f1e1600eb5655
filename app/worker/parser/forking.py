"""The preloaded parent: takes open files from the library worker and forks a child for each.

It has seen no user data and never reads any: a file's descriptor goes straight to the child. Its life hangs
on the control socket: at its end, which the kernel brings about when the library worker dies, children and
parent end.
"""

import contextlib
import os
import select
import signal
import socket
from dataclasses import dataclass

from app.worker.parser import child
from app.worker.parser.frames import exit_mark
from app.worker.parser.handover import receive_request
from app.worker.parser.task import Reader


@dataclass
class _Child:
    pid: int
    result: socket.socket


class ForkServer:
    """Serves one control socket; single-threaded, because only such a process may fork safely."""

    def __init__(self, control_fd: int, read: Reader) -> None:
        """Take the control socket and what reads a file."""
        self._control = socket.socket(fileno=control_fd)
        self._read = read
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()
        self._wakeup, wakeup_end = os.pipe()
        os.set_blocking(wakeup_end, False)
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _wake_up)

    def run(self) -> int:
        """Serve until the control socket ends; then end the children."""
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._wakeup, select.POLLIN)
        try:
            while True:
                for fd, _ in self._poll.poll():
                    if fd == self._control.fileno():
                        if not self._take():
                            return 0
                    elif fd == self._wakeup:
                        os.read(fd, 512)
                    elif fd in self._children:
                        self._end_if_unwanted(self._children[fd])
                self._reap()
        finally:
            for running in self._children.values():
                _kill(running.pid)

    def _take(self) -> bool:
        """Take one file and fork its child; False at the end of the socket."""
        request = receive_request(self._control)
        if request is None:
            return False
        parent_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            child.run(request, self._read, parent_pid)
        os.close(request.file_fd)
        self._children[request.result_fd] = _Child(pid, socket.socket(fileno=request.result_fd))
        self._poll.register(request.result_fd, select.POLLIN)
        return True

    def _end_if_unwanted(self, running: _Child) -> None:
        """End a child whose result nobody waits for: the library worker only ever closes this."""
        with contextlib.suppress(BlockingIOError):
            with contextlib.suppress(ConnectionError):
                if running.result.recv(1, socket.MSG_DONTWAIT):
                    return
            self._poll.unregister(running.result)
            _kill(running.pid)

    def _reap(self) -> None:
        """Say how each ended child ended, behind its frames, and close its side."""
        for fd, running in list(self._children.items()):
            pid, status = os.waitpid(running.pid, os.WNOHANG)
            if pid == 0:
                continue
            with contextlib.suppress(KeyError):  # no longer registered where it was unwanted
                self._poll.unregister(fd)
            with contextlib.suppress(
                OSError
            ):  # nobody reads, or so much is unread that the end explains itself
                running.result.send(exit_mark(status), socket.MSG_DONTWAIT)
            running.result.close()
            del self._children[fd]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _wake_up(signum: int, frame: object) -> None:
    """Exist: a handler is what makes SIGCHLD write to the wake-up descriptor."""
