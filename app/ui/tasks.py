"""The one way to start a task in the window."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from app.ui.notifier import Notifier

T = TypeVar("T")


class TaskSpawner:
    """Starts named tasks, keeps them alive, reports what they raise and cancels them at the end."""

    def __init__(self, notifier: Notifier) -> None:
        """Report exceptions to `notifier`."""
        self._notifier = notifier
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tasks that run, for tests and logs."""
        return tuple(task.get_name() for task in self._tasks)

    def spawn(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T] | None:
        """Start a coroutine as a task of this name; None (and nothing runs) once closed."""
        if self._closed:
            coroutine.close()
            return None
        task = asyncio.get_event_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    async def close(self) -> None:
        """Cancel what runs and wait for its end; nothing can be started afterwards."""
        self._closed = True
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2.0)

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._notifier.report(error, task.get_name())
