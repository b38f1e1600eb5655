"""The thread that owns `chats.db`, as services of the host use it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from app.core.errors import AppError
from app.host.services.chat_checks import check_chats
from app.host.services.chat_store import ChatStore
from app.host.services.images import sweep
from app.host.services.ports import Events
from app.protocol.system import Check

P = ParamSpec("P")
T = TypeVar("T")


class Chats:
    """Runs the store's methods in order in a thread of their own; the file is opened at first use."""

    def __init__(
        self,
        path: Path,
        backups_dir: Path,
        events: Events,
        images_dir: Path | None = None,
        on_forgotten: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Name the file and the folder of attached images; nothing is opened.

        `on_forgotten` gets each conversation that is gone for good.
        """
        self._on_forgotten = on_forgotten
        self._forgetting: asyncio.Task[None] | None = None
        self._path, self._backups_dir, self._events = path, backups_dir, events
        self._images_dir = images_dir
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chats")
        self._store: ChatStore | None = None
        self._told = False

    async def do(
        self, method: Callable[Concatenate[ChatStore, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a method of the store.

        Once begun it runs to its end, even where the waiting task is cancelled.

        Raises:
            AppError: the method's errors, or why the file cannot be opened.
        """
        future = self._executor.submit(lambda: method(self._open(), *args, **kwargs))
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._tell()

    async def close(self) -> None:
        """Close the file, after what is still to be written."""
        if self._forgetting is not None:
            self._forgetting.cancel()
            await asyncio.gather(self._forgetting, return_exceptions=True)
        await asyncio.to_thread(self._close)

    def check(self) -> tuple[Check, ...]:
        """Check every invariant of the file; any thread but the store's own."""
        return self._executor.submit(self._check).result()

    def _open(self) -> ChatStore:
        if self._store is None:
            self._store = ChatStore(self._path, self._backups_dir)
            # A file that was just restored or begun anew may not name what the damaged one kept aside does.
            if self._images_dir is not None and self._store.notice is None:
                sweep(self._images_dir, self._store.image_digests())
        return self._store

    def _tell(self) -> None:
        """Publish, once, what happened when the file was opened; the loop's thread."""
        if not self._told and self._store is not None:
            self._told = True
            if self._store.notice is not None:
                self._events.publish(self._store.notice)
            if self._on_forgotten is not None and self._store.forgotten:
                self._forgetting = asyncio.create_task(
                    self._forget(self._store.forgotten, self._on_forgotten), name="forgetting conversations"
                )

    async def _forget(
        self, conversations: tuple[str, ...], on_forgotten: Callable[[str], Awaitable[None]]
    ) -> None:
        for conversation in conversations:
            await on_forgotten(conversation)

    def _check(self) -> tuple[Check, ...]:
        try:
            return check_chats(self._open().connection, self._path)
        except AppError as error:
            return (Check(name="chats.file", status="error", detail=error.user_message, hint=error.hint),)

    def _close(self) -> None:
        self._executor.submit(self._close_store).result()
        self._executor.shutdown()

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
