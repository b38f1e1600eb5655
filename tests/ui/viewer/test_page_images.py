"""Pictures of pages: urgency, memory, failures, stale answers."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from PySide6.QtGui import QColor

from app.core.errors import AppError, NotFoundError, WorkerError
from app.protocol.pictures import PageImage, RenderPage
from app.ui.tasks import TaskSpawner
from app.ui.viewer.page_images import PageImages, to_image
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession

SIDE = 100  # pixels at scale 1


def picture(request: RenderPage) -> tuple[PageImage, bytes]:
    side = round(SIDE * request.scale)
    stride = side * 3 + 5  # rows need not end where the pixels end
    row = bytes((request.page, 10, 20)) * side + b"\0" * 5
    return PageImage(page=request.page, width=side, height=side, stride=stride), row * side


@pytest.fixture
def images(session: FakeSession, tasks: TaskSpawner) -> Iterator[PageImages]:
    session.reply(RenderPage, picture)
    made = PageImages(session, tasks, max_bytes=4 * SIDE * SIDE * 3)
    made.show_document(7)
    yield made
    made.deleteLater()


def test_pixels_arrive_with_their_colours_and_outlive_the_bytes() -> None:
    body, payload = picture(RenderPage(document_id=1, page=200, scale=0.5))
    image = to_image(body, payload)
    del payload
    assert (image.width(), image.height()) == (50, 50)
    assert image.pixelColor(49, 49) == QColor(200, 10, 20)


@pytest.mark.parametrize(("width", "height", "n_bytes"), [(10, 10, 299), (0, 10, 300), (10, 0, 300)])
def test_an_incomplete_picture_is_no_picture(width: int, height: int, n_bytes: int) -> None:
    body = PageImage(page=1, width=width, height=height, stride=30)
    assert to_image(body, b"\0" * n_bytes).isNull()


async def test_the_most_urgent_come_first_and_two_at_a_time(images: PageImages, session: FakeSession) -> None:
    gate = asyncio.Event()

    async def slow(request: RenderPage) -> tuple[PageImage, bytes]:
        await gate.wait()
        return picture(request)

    session.reply(RenderPage, slow)
    images.want([5, 6, 4, 7], 1.0)
    await until(lambda: len(session.sent(RenderPage)) == 2)
    images.want([90, 91], 1.0)  # scrolled on: 4 and 7 are no longer wanted
    gate.set()
    await until(lambda: images.image(91, 1.0) is not None)
    assert [request.page for request in session.sent(RenderPage)] == [5, 6, 90, 91]
    assert session.sent(RenderPage)[0].document_id == 7


async def test_memory_is_bounded_and_what_shows_stays(images: PageImages) -> None:
    for first in range(1, 20, 2):
        images.want([first, first + 1], 1.0)
        await until(partial(images.image, first + 1, 1.0))
    assert images.n_bytes <= 4 * SIDE * SIDE * 3
    assert images.image(1, 1.0) is None
    images.want([1, 2], 8.0)  # far more than the bound, but it shows
    await until(lambda: images.image(2, 8.0) is not None)
    assert images.image(1, 8.0) is not None


async def test_a_picture_at_another_scale_serves_meanwhile(images: PageImages) -> None:
    images.want([3], 1.0)
    await until(lambda: images.image(3, 1.0) is not None)
    other = images.image(3, 1.5)
    assert other is not None
    assert other.width() == SIDE
    images.want([3], 1.5)
    await until(lambda: (found := images.image(3, 1.5)) is not None and found.width() == 150)


async def test_an_answer_for_a_document_no_longer_shown_is_dropped(
    images: PageImages, session: FakeSession
) -> None:
    gate = asyncio.Event()

    async def slow(request: RenderPage) -> tuple[PageImage, bytes] | AppError:
        if request.document_id == 8:
            return picture(request)
        await gate.wait()
        return picture(request) if request.page == 1 else WorkerError("page.failed", "No.")

    session.reply(RenderPage, slow)
    images.want([1, 2], 1.0)
    await until(lambda: len(session.sent(RenderPage)) == 2)
    images.show_document(8)
    images.want([3], 1.0)
    gate.set()
    await until(lambda: images.image(3, 1.0) is not None)
    assert images.image(1, 1.0) is None
    assert images.failure(2) is None


async def test_a_page_that_fails_is_asked_again_only_on_retry(
    images: PageImages, session: FakeSession
) -> None:
    failed: list[int] = []
    images.page_failed.connect(failed.append)
    session.reply(RenderPage, WorkerError("page.failed", "The page is damaged."))
    images.want([1], 1.0)
    await until(lambda: failed == [1])
    images.want([1], 1.0)
    assert images.has_failures
    assert len(session.sent(RenderPage)) == 1
    session.reply(RenderPage, picture)
    images.retry()
    await until(lambda: images.image(1, 1.0) is not None)
    assert images.failure(1) is None


async def test_incomplete_pixels_are_a_failure_in_words(images: PageImages, session: FakeSession) -> None:
    session.reply(RenderPage, (PageImage(page=1, width=10, height=10, stride=30), b"short"))
    images.want([1], 1.0)
    await until(lambda: images.failure(1) is not None)
    assert "incomplete" in str(images.failure(1))


@pytest.mark.parametrize("code", ["document.source_changed", "document.source_missing"])
async def test_a_lost_source_is_told_once(images: PageImages, session: FakeSession, code: str) -> None:
    lost: list[AppError] = []
    images.source_lost.connect(lost.append)
    session.reply(RenderPage, NotFoundError(code, "The file changed."))
    images.want([1, 2, 3], 1.0)
    await until(lambda: len(session.sent(RenderPage)) >= 2)
    await until(lambda: lost)
    assert [error.code for error in lost] == [code]


async def test_without_a_document_nothing_is_asked(images: PageImages, session: FakeSession) -> None:
    images.show_document(None)
    images.want([1], 1.0)
    assert session.sent(RenderPage) == []
