"""A shown library pane over a library kept in memory."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from app.protocol.library import FileEntry
from app.ui.library.dialogs import Check
from app.ui.library.pane import LibraryPane
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.library.served import ServedLibrary


@dataclass
class Answers:
    """What the user answers to questions, and what was asked."""

    paths: list[str] = field(default_factory=list)
    agrees: bool = True
    names: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def files(self) -> list[str]:
        self.asked.append("files")
        return self.paths

    async def folder(self) -> list[str]:
        self.asked.append("folder")
        return self.paths

    async def confirm(self, title: str, text: str, action: str) -> bool:
        self.asked.append(f"{title} {text} [{action}]")
        return self.agrees

    async def name(self, title: str, label: str, initial: str, check: Check) -> bool:
        self.asked.append(f"{title} {label} ({initial})")
        for name in self.names:
            problem = await check(name)
            if not problem:
                return True
            self.problems.append(problem)
        return False


@dataclass
class FakeOpener:
    works: bool = True
    shown: list[str] = field(default_factory=list)

    def open_file(self, path: str) -> bool:
        raise AssertionError(path)

    def show_in_folder(self, path: str) -> bool:
        self.shown.append(path)
        return self.works


@dataclass
class Shown:
    """The pane and what stands around it."""

    pane: LibraryPane
    host: ServedLibrary
    answers: Answers
    opener: FakeOpener

    def names(self) -> list[str]:
        """The names shown, in order."""
        model = self.pane.controller.files
        return [str(model.index(row).data()) for row in range(model.rowCount())]

    def choose(self, *rows: int) -> None:
        """Choose rows, as if by clicks with Ctrl."""
        selection = self.pane.files.selectionModel()
        selection.clear()
        for row in rows:
            index = self.pane.controller.files.index(row)
            selection.setCurrentIndex(index, selection.SelectionFlag.Select)


Show = Callable[..., "Shown"]


@pytest.fixture
async def library(session: FakeSession, tasks: TaskSpawner, theme: Theme) -> AsyncIterator[Show]:
    """Make a pane of 420 × 760 pixels over some files."""
    panes: list[LibraryPane] = []

    def make(files: list[FileEntry], names: tuple[str, ...] = ()) -> Shown:
        host, answers, opener = ServedLibrary(session, files, names), Answers(), FakeOpener()
        pane = LibraryPane(session, tasks, theme, opener=opener, questions=answers)
        panes.append(pane)
        pane.resize(420, 760)
        pane.show()
        return Shown(pane, host, answers, opener)

    yield make
    await tasks.close()
    for pane in panes:
        pane.close()
        pane.deleteLater()


async def listed(shown: Shown) -> None:
    """Wait until the whole list is loaded."""
    await until(lambda: shown.pane.controller.files.is_complete and not shown.pane.controller._is_loading)
