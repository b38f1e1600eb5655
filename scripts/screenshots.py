"""Take the pictures of the README: the real program with real engines, under Xvfb where there is no display.

    .venv/bin/python -m scripts.screenshots [--pdf FILE --question TEXT] [--out docs/images]

Writes guide, first_start, about, library_states, answer, viewer, dark and error (.png). Look at them: a
picture that was made is not yet one that is right.
"""

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import qasync
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget

from app.core.paths import data_paths
from app.protocol.library import RefreshFiles
from app.protocol.system import GetHostStatus
from app.ui.application import Program, create_application
from scripts.drive_window import Driver, StepFailed
from scripts.faults.make_documents import QUESTION, make_pdf

TOP_DIR = Path(__file__).resolve().parents[1]
DEBIAN_PDF = Path("/usr/share/debian-reference/debian-reference.en.pdf")
DEBIAN_QUESTION = "What is etckeeper used for?"
SIZE = (1280, 800)
STORY = "Write a long story about a river and the people who live beside it."


def make_files(folder: Path, pdf: Path) -> list[Path]:
    """Write files that end in each of the library's states beside the PDF; give all of them."""
    import pymupdf

    folder.mkdir()
    (folder / "Release notes.md").write_text("# Release notes\n\nVersion 4 reads tables and scanned pages.\n")
    (folder / "Blank page.txt").write_text("")
    (folder / "Interrupted copy.pdf").write_bytes(pdf.read_bytes()[:2000])
    (folder / "Holiday.heic").write_bytes(random.Random(1).randbytes(4000))
    locked = pymupdf.open()
    locked.new_page().insert_text((72, 72), "Salaries")
    locked.save(
        folder / "Salaries 2025.pdf",
        encryption=pymupdf.PDF_ENCRYPT_AES_256,
        user_pw="secret",
        owner_pw="secret",
    )
    (folder / "Draft agenda.txt").write_text("Agenda of the meeting in May: the new pump, the budget.\n")
    return [*sorted(folder.iterdir()), pdf]


class Photographer(Driver):
    """Drives the window through the pictures."""

    async def settle(self, seconds: float = 0.6) -> None:
        """Let animations and late loads end."""
        await asyncio.sleep(seconds)

    def shoot_dialog(self, dialog: QWidget, name: str) -> None:
        """Save a picture of a dialog."""
        if self.shots_dir is not None:
            dialog.grab().save(str(self.shots_dir / f"{name}.png"))

    async def guide(self) -> None:
        """The guide of the first start, where it tells of the computer; then it is skipped."""
        await self.connected()
        await self.until("guide", lambda: self.window.guide.dialog is not None)
        guide = self.window.guide.dialog
        assert guide is not None  # it was waited for
        guide.show_page(2)
        await self.until("hardware", lambda: bool(guide.computer.told), 30)
        await self.settle()
        self.shoot_dialog(guide, "guide")
        guide.skip_button.click()

    async def about(self) -> None:
        """The box about the program, with a licence to read."""
        self.window.about.open()
        box = self.window.about.dialog
        assert box is not None  # it was just opened
        parts = box.components
        await self.until("components", lambda: parts.model.rowCount() > 0)
        parts.search.setText("pymupdf")
        parts.view.setCurrentIndex(parts.view.model().index(0, 0))
        await self.until("licence", lambda: bool(parts.text.toPlainText()))
        parts.search.clear()
        await self.settle()
        self.shoot_dialog(box, "about")
        box.reject()

    async def first_start(self) -> None:
        """The window as it opens for the first time."""
        QCursor.setPos(SIZE[0] + 100, SIZE[1] + 100)  # the pointer is not to mark anything
        await self.settle(1.5)
        self.shoot("first_start")

    async def library_states(self, files: list[Path], pdf: Path) -> None:
        """Files in each state; one of them vanished after it was read."""
        self.drop([path for path in files if path != pdf])
        await self.ingested()
        next(path for path in files if path.name == "Draft agenda.txt").unlink()
        await self.program.session.call(RefreshFiles())
        self.drop([pdf])
        await self.until("reading", lambda: bool(self._status and self._status.waiting), 30)
        await self.settle(2.5)
        self.shoot("library_states")
        await self.ingested()

    async def answer_and_viewer(self, question: str) -> None:
        """An answer with citations, and the page that one of them opens, light and dark."""
        answer = await self.ask(question)
        await self.settle()
        self.shoot("answer")
        if not answer.citations:
            raise StepFailed("an answer with a citation")
        await self.open_citation(answer)
        await self.settle(1.0)
        self.shoot("viewer")
        self.window.choose_theme("dark")
        await self.settle(1.0)
        self.shoot("dark")
        self.window.choose_theme("light")
        self.window.viewer_pane.close_document()

    async def error(self) -> None:
        """The model's process is killed while it writes: what came is kept, and the reason is told."""
        self.window.chats.ask(STORY, use_documents=False)
        await self.until("words", lambda: bool((answer := self.answer()) and len(answer.text) > 200), 120)
        status = await self.program.session.call(GetHostStatus())
        pid = next(worker.pid for worker in status.workers if worker.kind == "inference")
        assert pid is not None  # it is writing
        psutil.Process(pid).kill()
        await self.until("its end", lambda: self.window.chats.current.live is None, 30)
        await self.settle(0.3)
        self.shoot("error")


async def take(application: object, options: argparse.Namespace, work_dir: Path) -> None:
    """Take all pictures with a data folder and files below `work_dir`."""
    arguments = argparse.Namespace(began=time.time(), timings=None, paths=[], n_refused=0)
    program = Program(application, data_paths(work_dir / "data"), arguments)  # type: ignore[arg-type]
    program.window.resize(*SIZE)
    running = asyncio.ensure_future(program.run())
    pdf, question = options.pdf, options.question
    if pdf is None:
        pdf, question = work_dir / "Operations manual.pdf", QUESTION
        make_pdf(pdf)
    copied = work_dir / pdf.name  # the folder's name is what the pictures show
    if copied != pdf:
        shutil.copy(pdf, copied)
    files = make_files(work_dir / "files", copied)
    camera = Photographer(program, options.out)
    try:
        await camera.guide()
        await camera.first_start()
        await camera.about()
        await camera.library_states(files, copied)
        await camera.answer_and_viewer(question)
        await camera.error()
    finally:
        program.window.close_now()
        await running


def main() -> int:
    """Take the pictures; 1 where one could not be taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pdf", type=Path, default=DEBIAN_PDF if DEBIAN_PDF.exists() else None)
    parser.add_argument("--question", default=DEBIAN_QUESTION)
    parser.add_argument("--out", type=Path, default=TOP_DIR / "docs" / "images")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    display = start_display()
    application = create_application()
    loop = qasync.QEventLoop(application, set_running_loop=False)
    asyncio.set_event_loop(loop)
    try:
        with tempfile.TemporaryDirectory() as work_dir, loop:
            loop.run_until_complete(take(application, options, Path(work_dir)))
    except StepFailed as failed:
        print(f"This did not come about: {failed}.", file=sys.stderr)
        return 1
    finally:
        if display is not None:
            display.terminate()
            display.wait()
    return 0


def start_display() -> "subprocess.Popen[bytes] | None":
    """Start Xvfb where there is no display; give its process."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name == "nt":
        return None
    reading, writing = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as file:
        os.environ["DISPLAY"] = f":{file.readline().strip()}"
    return process


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
