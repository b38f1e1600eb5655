"""Who may use the inference worker: one answer at a time, in the order of asking, and each sees its place."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

log = logging.getLogger(__name__)

PATIENCE_S = 2.0


def waiting_words(n_before: int) -> str:
    """Say how many stand before: `1 answer before this one`."""
    return f"{n_before} answer{'' if n_before == 1 else 's'} before this one"


class _Place:
    """One who waits."""

    def __init__(self, on_place: Callable[[int], None] | None) -> None:
        self.turn = asyncio.get_running_loop().create_future()
        self._on_place = on_place

    def tell(self, n_before: int) -> None:
        if self._on_place is not None:
            self._on_place(n_before)


class AnswerQueue:
    """A first-come, first-served queue in front of the engine.

    Background work (measuring the machine) runs only while nobody wants an answer, and is cancelled as soon
    as somebody does.
    """

    def __init__(self) -> None:
        """Start with nobody."""
        self._waiting: deque[_Place] = deque()
        self._is_taken = False
        self._background: asyncio.Task[None] | None = None

    @property
    def is_free(self) -> bool:
        """Whether nobody uses the engine or waits for it; background work does not count."""
        return not self._is_taken

    @contextlib.asynccontextmanager
    async def turn(self, on_place: Callable[[int], None] | None = None) -> AsyncIterator[None]:
        """Wait for the turn, and keep it until the context ends.

        Args:
            on_place: gets the number of those before, at once and whenever it changes; not where there is
                nobody.
        """
        if self._is_taken:
            await self._wait(_Place(on_place))
        else:
            self._is_taken = True
        try:
            await self._stop_background()
            yield
        finally:
            self._pass_on()

    async def _wait(self, place: _Place) -> None:
        self._waiting.append(place)
        place.tell(len(self._waiting))
        try:
            await place.turn
        except asyncio.CancelledError:
            if place.turn.done() and not place.turn.cancelled():
                self._pass_on()  # it was given the turn in the moment of its end
            else:
                self._waiting.remove(place)
                self._tell_all()
            raise

    def _pass_on(self) -> None:
        if not self._waiting:
            self._is_taken = False
            return
        self._waiting.popleft().turn.set_result(None)
        self._tell_all()

    def _tell_all(self) -> None:
        for number, place in enumerate(self._waiting, start=1):
            place.tell(number)

    # ------------------------------------------------------------------------------------------ background

    def try_background(self, work: Callable[[], Awaitable[None]], name: str) -> bool:
        """Start work that yields to every answer; False where the engine is in use."""
        if self._is_taken or self._background is not None:
            return False
        task = asyncio.create_task(_awaited(work), name=name)
        self._background = task
        task.add_done_callback(self._on_background_done)
        return True

    def _on_background_done(self, task: asyncio.Task[None]) -> None:
        """Make room for the next one, also after one that was cancelled before it began."""
        if self._background is task:
            self._background = None
        if not task.cancelled() and task.exception() is not None:
            log.info("background work failed: %s", task.exception())

    async def _stop_background(self) -> None:
        if self._background is not None:
            task = self._background
            task.cancel()
            await asyncio.wait({task}, timeout=PATIENCE_S)  # the worker may be slow to let go of it
            self._background = None

    async def close(self) -> None:
        """End background work."""
        await self._stop_background()


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()
