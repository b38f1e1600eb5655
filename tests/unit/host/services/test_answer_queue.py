"""One answer at a time, in order, and everybody sees their place."""

import asyncio

import pytest

from app.host.services.answer_queue import AnswerQueue, waiting_words


async def turns() -> None:
    """Let other tasks run."""
    for _ in range(10):
        await asyncio.sleep(0)


class Asker:
    """Takes a turn and keeps it until it is let go."""

    def __init__(self, queue: AnswerQueue) -> None:
        self.places: list[int] = []
        self.has_turn, self.done = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._run(queue))

    async def _run(self, queue: AnswerQueue) -> None:
        async with queue.turn(self.places.append):
            self.has_turn.set()
            await self.done.wait()


def test_words() -> None:
    assert waiting_words(1) == "1 answer before this one"
    assert waiting_words(3) == "3 answers before this one"


async def test_first_come_first_served_and_places_move_up() -> None:
    queue = AnswerQueue()
    assert queue.is_free
    first, second, third = [Asker(queue) for _ in range(3)]
    await turns()
    assert first.has_turn.is_set() and not second.has_turn.is_set() and not queue.is_free
    assert (first.places, second.places, third.places) == ([], [1], [2])
    first.done.set()
    await turns()
    assert second.has_turn.is_set() and third.places == [2, 1]
    second.done.set()
    third.done.set()
    await asyncio.gather(first.task, second.task, third.task)
    assert queue.is_free


async def test_one_who_leaves_lets_the_others_move_up() -> None:
    queue = AnswerQueue()
    first, second, third = [Asker(queue) for _ in range(3)]
    await turns()
    second.task.cancel()
    await turns()
    assert third.places == [2, 1]
    first.done.set()
    third.done.set()
    await asyncio.gather(first.task, third.task)
    assert queue.is_free


async def test_the_turn_is_not_lost_with_one_who_leaves_when_it_comes() -> None:
    queue = AnswerQueue()
    first, second, third = [Asker(queue) for _ in range(3)]
    await turns()
    first.done.set()
    while not first.task.done():
        await asyncio.sleep(0)
    if not second.has_turn.is_set():
        second.task.cancel()
    else:  # pragma: no cover  # the loop's order is another one
        second.done.set()
    third.done.set()
    await asyncio.gather(second.task, third.task, return_exceptions=True)
    assert third.has_turn.is_set() and queue.is_free


async def test_without_a_listener_one_waits_in_silence() -> None:
    queue = AnswerQueue()
    async with queue.turn():

        async def wait() -> None:
            async with queue.turn():
                pass

        task = asyncio.create_task(wait())
        await turns()
        assert not task.done()
    await task


async def test_background_work_yields_to_every_answer() -> None:
    queue = AnswerQueue()
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("yielded")
            raise

    assert queue.try_background(work, "measuring") and not queue.try_background(work, "measuring")
    await turns()
    assert queue.is_free
    async with queue.turn():
        assert seen == ["yielded"]
        assert not queue.try_background(work, "measuring")
    assert queue.try_background(work, "measuring")
    await turns()
    await queue.close()
    assert seen == ["yielded", "yielded"]
    await queue.close()
    assert queue.try_background(work, "measuring")
    await queue.close()  # before it began
    assert queue.try_background(work, "measuring")
    await queue.close()


async def test_background_work_that_fails_makes_room_for_the_next() -> None:
    queue = AnswerQueue()

    async def fail() -> None:
        raise ValueError("no")

    for _ in range(2):
        assert queue.try_background(fail, "measuring")
        await turns()


async def test_an_error_gives_the_turn_back() -> None:
    queue = AnswerQueue()
    with pytest.raises(ValueError, match="no"):
        async with queue.turn():
            raise ValueError("no")
    assert queue.is_free
