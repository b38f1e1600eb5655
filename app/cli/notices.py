"""What the host announces while a command waits."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from app.cli.output import print_error
from app.core.errors import AppError, StorageError
from app.protocol.body import Body
from app.protocol.system import Notice


class Notices:
    """Tells the user of troubles while a command runs, and ends a command that they keep from finishing."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self._storage_trouble: asyncio.Future[AppError] | None = None

    def on_event(self, body: Body) -> None:
        """Take one event of the host."""
        if not isinstance(body, Notice) or body.severity == "info":
            return
        error = StorageError(body.code, body.message, body.hint)
        waiting = self._storage_trouble
        if waiting is not None and not waiting.done() and body.code.startswith("storage."):
            waiting.set_result(error)
        else:
            print_error(error)

    async def or_storage_trouble(self, work: Awaitable[int]) -> int:
        """Wait for the work, but not on a data folder that cannot be written.

        Raises:
            StorageError: the disk is full or fails; what is unfinished goes on by itself when there is room.
        """
        self._storage_trouble = asyncio.get_running_loop().create_future()
        task: asyncio.Future[Any] = asyncio.ensure_future(work)
        await asyncio.wait({task, self._storage_trouble}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise self._storage_trouble.result()
        return int(task.result())
