"""Makes a process the one window of its data folder, or hands what it was to open to the one that is."""

import asyncio
import sys
from dataclasses import dataclass

from app.client.client import HostClient
from app.core.errors import AppError
from app.core.locks import FileLock, make_private
from app.core.paths import DataPaths
from app.protocol.window import LAUNCHER, OpenInWindow

PATIENCE_S = 15.0
_LEAVE_STARTING_S = 3.0
_POLL_S = 0.05
_RETRY = frozenset({"host.lost", "host.not_running"})
_ANY_PROCESS = -1  # Source: winuser.h, ASFW_ANY


@dataclass(frozen=True)
class Claim:
    """What became of a start of the program.

    Attributes:
        is_window: this process is the window; False where another one took the opening over.
        lock: held as long as this process is the window; None where the data folder cannot be locked.
    """

    is_window: bool
    lock: FileLock | None = None


def claim_window(paths: DataPaths, opening: OpenInWindow) -> Claim:
    """Become the window of a data folder; where there is one, have it open what this process was to open.

    The system frees the lock when the window's process ends, however it ends, so that the next start is the
    window. A folder that cannot be locked keeps no window from opening: the host refuses the folder, and the
    window is where the user reads why.

    Raises:
        AppError: there is a window, and it could not be reached (`window.no_answer`, `host.*`, `storage.*`).
    """
    try:
        make_private(paths.root)
        lock = FileLock.acquire(paths.window_lock_path)
        if lock is None:
            _let_it_come_to_the_front()
            lock = asyncio.run(_hand_over_or_lock(paths, opening))
    except OSError:  # it cannot be made, written or locked, or vanished meanwhile
        return Claim(is_window=True)
    return Claim(is_window=lock is not None, lock=lock)


async def _hand_over_or_lock(paths: DataPaths, opening: OpenInWindow) -> FileLock | None:
    """Hand over, and give None; or give the lock, where the window ended before it took the opening."""
    handing_over = asyncio.create_task(_hand_over(paths, opening), name="hand over")
    locking = asyncio.create_task(_lock(paths), name="wait for the window's end")
    try:
        await asyncio.wait((handing_over, locking), return_when=asyncio.FIRST_COMPLETED)
        if locking.done():
            return locking.result()
        await handing_over
        return None
    finally:
        handing_over.cancel()
        locking.cancel()
        await asyncio.gather(handing_over, locking, return_exceptions=True)


async def _lock(paths: DataPaths) -> FileLock:
    while (lock := FileLock.acquire(paths.window_lock_path)) is None:  # noqa: ASYNC110  # only asking tells
        await asyncio.sleep(_POLL_S)
    return lock


async def _hand_over(paths: DataPaths, opening: OpenInWindow) -> None:
    """Send the opening through the host; the window starts that, and this process does if it takes too long.

    Raises:
        AppError: as `claim_window`.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        start_host = loop.time() - began > _LEAVE_STARTING_S
        try:
            client = await HostClient.connect(paths, LAUNCHER, start_host=start_host)
            try:
                await client.call(opening)
            finally:
                await client.close()
        except AppError as error:
            if error.code not in _RETRY or loop.time() - began > PATIENCE_S:
                raise
            await asyncio.sleep(_POLL_S)
        else:
            return


def _let_it_come_to_the_front() -> None:
    """Pass on the right to the foreground, which Windows gives to the program that the user just started."""
    if sys.platform == "win32":  # pragma: no cover  # this system only
        import ctypes

        ctypes.windll.user32.AllowSetForegroundWindow(_ANY_PROCESS)
