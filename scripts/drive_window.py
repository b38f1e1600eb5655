"""Drive the real window with real engines: drop a file, ask, click the citation; print what happened as JSON.

The window runs in this process on whatever Qt platform the environment names (Xvfb, `offscreen`, a desktop);
host and workers are the program's own. Exit 1 where a step does not come about in time.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import qasync
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from app.core.paths import data_paths
from app.protocol.chat import ChatMessage
from app.protocol.library import LibraryStatus
from app.ui.application import Program, create_application
from scripts.first_start import skip_guide

STEP_S = 0.05


class StepFailed(Exception):  # noqa: N818  # an outcome of the drive
    """A step did not come about in time."""


class Driver:
    """Does what a person does, and notes when each thing was seen.

    Attributes:
        seen: what was seen, with seconds and figures.
        shots_dir: where pictures go; None: nowhere.
    """

    def __init__(self, program: Program, shots_dir: Path | None) -> None:
        """Take the running program."""
        self.program, self.window = program, program.window
        self.seen: dict[str, Any] = {}
        self.shots_dir = shots_dir
        self._status: LibraryStatus | None = None
        program.session.library_status_changed.connect(self._on_status)

    def _on_status(self, status: LibraryStatus) -> None:
        self._status = status

    async def until(self, what: str, condition: Callable[[], bool], timeout_s: float = 120) -> float:
        """Wait for a condition; give the seconds it took.

        Raises:
            StepFailed: it did not come about.
        """
        began = time.perf_counter()
        while not condition():
            if time.perf_counter() - began > timeout_s:
                raise StepFailed(what)
            await asyncio.sleep(STEP_S)
        return round(time.perf_counter() - began, 3)

    async def connected(self) -> None:
        """Wait for the host."""
        await self.until("connected", lambda: self.program.session.is_connected)

    async def guided(self) -> None:
        """Read the guide of the first start and let it add the sample; note the question that it suggests."""
        await self.until("guide", lambda: self.window.guide.dialog is not None)
        guide = self.window.guide.dialog
        assert guide is not None  # it was waited for
        self.shoot("guide_start")
        guide.show_page(2)
        await self.until("hardware", lambda: "GB" in guide.computer.told, 30)
        self.seen["computer"] = guide.computer.told
        guide.show_page(3)
        guide.try_it.sample_button.click()
        self.seen["suggested"] = self.window.chat_pane.composer.text()
        await self.ingested()

    def drop(self, paths: list[Path]) -> None:
        """Drop files in the middle of the window."""
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        middle = QPointF(self.window.rect().center())
        event = QDropEvent(
            middle,
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        began = time.perf_counter()
        self.window.dropEvent(event)
        self.seen["drop_ms"] = round((time.perf_counter() - began) * 1000, 1)

    async def answerable(self) -> None:
        """Wait until the first file can be asked about by its words."""
        self.seen["answerable_s"] = await self.until(
            "answerable", lambda: self._status is not None and self._status.n_chunks > 0
        )

    async def ingested(self, timeout_s: float = 600) -> None:
        """Wait until nothing is being read any more."""
        self.seen["ingest_s"] = await self.until(
            "ingested",
            lambda: self._status is not None and self._status.waiting == 0 and self._status.n_documents > 0,
            timeout_s,
        )

    def answer(self) -> ChatMessage | None:
        """Give the last answer of the open conversation."""
        model = self.window.chats.current.model
        if model.rowCount() == 0:
            return None
        message = model.row(model.rowCount() - 1).message
        return message if message.role == "assistant" else None

    async def ask(self, question: str) -> ChatMessage:
        """Type a question, press Enter, wait for the finished answer."""
        before = self.answer()
        self.window.chat_pane.composer.set_text(question)
        self.window.chats.ask(question)

        def is_finished() -> bool:
            answer = self.answer()
            return answer is not None and answer is not before and answer.state != "streaming"

        self.seen["answer_s"] = await self.until("answer", is_finished, 300)
        self.window.chat_pane.composer.set_text("")
        answer = self.answer()
        assert answer is not None  # is_finished saw it
        self.seen["answer"] = answer.text
        self.seen["kind"] = answer.kind
        self.seen["pages"] = [citation.page for citation in answer.citations]
        return answer

    async def open_citation(self, answer: ChatMessage, page: int | None = None) -> None:
        """Click the citation of a page (or the first one) and wait until the highlight shows."""
        wanted = [number for number, cited in enumerate(answer.citations) if page in (None, cited.page)]
        if not wanted:
            raise StepFailed(f"a citation of page {page}")
        self.window.chat_pane.messages.citation_activated.emit(answer.id, wanted[0])
        cited_page = answer.citations[wanted[0]].page
        self.seen["viewer_s"] = await self.until("viewer", lambda: self.shows_highlight(cited_page), 60)
        self.seen["viewer_page"] = cited_page
        await asyncio.sleep(0.5)  # the smooth scroll ends

    def shows_highlight(self, page: int | None) -> bool:
        """Whether the viewer shows the page's picture with marked words, or the text with its mark."""
        viewer = self.window.viewer_pane
        if page is None or not viewer.pages.isVisible():
            return bool(viewer.text.isVisible() and viewer.text.extraSelections())
        content = viewer.pages._content(page)  # what it draws; the picture itself is looked at by people
        return viewer.pages.page == page and content.image is not None and bool(content.marks.cited)

    def shoot(self, name: str) -> None:
        """Save a picture of the window."""
        if self.shots_dir is not None:
            self.shots_dir.mkdir(parents=True, exist_ok=True)
            self.window.grab().save(str(self.shots_dir / f"{name}.png"))

    def measure(self) -> None:
        """Note memory and the event loop's delays."""
        self.seen["rss_mb"] = round(psutil.Process().memory_info().rss / 1e6)
        self.seen["loop"] = self.program.stalls.figures()
        self.seen["stalls"] = [stall for stall in self.program.stalls.stalls[:5]]


async def main_job(driver: Driver, options: argparse.Namespace) -> None:
    """Drop, ask and look, as far as the options say."""
    await driver.connected()
    if options.guide:
        await driver.guided()
    driver.shoot("start")
    if options.add:
        driver.drop([path.resolve() for path in options.add])
        if options.ask_early:
            await driver.answerable()
        else:
            await driver.ingested()
    question = options.ask or driver.seen.get("suggested", "")
    if question:
        answer = await driver.ask(question)
        driver.shoot("answer")
        if answer.citations:
            await driver.open_citation(answer, options.page)
            driver.shoot("viewer")
    if options.ask_early:
        await driver.ingested()
    driver.measure()


Job = Callable[[Driver, argparse.Namespace], Coroutine[Any, Any, None]]


def run(options: argparse.Namespace, job: Job) -> int:
    """Run a job on the real window; print one JSON value and return the exit code.

    Args:
        options: with `data_dir`, `size` and `shots`; `guide` keeps the guide of the first start.
        job: what a person does.
    """
    application = create_application()
    loop = qasync.QEventLoop(application, set_running_loop=False)
    asyncio.set_event_loop(loop)
    with loop:
        code: int = loop.run_until_complete(_drive(application, options, job))
    return code


async def _drive(application: Any, options: argparse.Namespace, job: Job) -> int:
    if not options.guide:
        skip_guide(Path(options.data_dir))
    program = Program(
        application,
        data_paths(options.data_dir),
        argparse.Namespace(began=time.time(), timings=None, paths=[], n_refused=0),
    )
    if options.size:
        width, _, height = options.size.partition("x")
        program.window.resize(int(width), int(height))
    running = asyncio.ensure_future(program.run())
    driver = Driver(program, options.shots)
    code = 0
    try:
        await job(driver, options)
    except StepFailed as failed:
        driver.seen["failed"] = str(failed)
        driver.shoot("failed")
        code = 1
    print(json.dumps(driver.seen), flush=True)
    program.window.close_now()
    await running
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True, help="data folder")
    parser.add_argument("--add", type=Path, action="append", default=[], help="drop this file on the window")
    parser.add_argument(
        "--guide", action="store_true", help="begin with the guide; ask the question that it suggests"
    )
    parser.add_argument("--ask", default="", help="ask this question")
    parser.add_argument(
        "--ask-early", action="store_true", help="ask at once, while the files are being read"
    )
    parser.add_argument("--page", type=int, help="open the citation of this page")
    parser.add_argument("--shots", type=Path, help="save pictures here")
    parser.add_argument("--size", default="1400x860", help="of the window")
    return parser.parse_args()


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(run(_options(), main_job))
