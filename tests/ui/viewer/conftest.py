"""A shown viewer whose host serves real documents."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.viewer.pane import ViewerPane
from tests.ui.fakes import FakeSession
from tests.ui.viewer.served import Served, serve

Open = Callable[..., ViewerPane]


@dataclass
class FakeOpener:
    """Records what would be opened."""

    works: bool = True
    opened: list[str] = field(default_factory=list)

    def open_file(self, path: str) -> bool:
        self.opened.append(path)
        return self.works

    def show_in_folder(self, path: str) -> bool:
        self.opened.append(path)
        return self.works


@pytest.fixture
def opener() -> FakeOpener:
    return FakeOpener()


@pytest.fixture
async def viewer(
    session: FakeSession, tasks: TaskSpawner, theme: Theme, opener: FakeOpener
) -> AsyncIterator[Open]:
    """Make a pane of 500 × 700 pixels over some documents."""
    panes: list[ViewerPane] = []

    def make(*documents: Served) -> ViewerPane:
        serve(session, documents)
        pane = ViewerPane(session, tasks, theme, opener=opener)
        panes.append(pane)
        pane.resize(500, 700)
        pane.show()
        return pane

    yield make
    await tasks.close()  # before what the tasks report to is deleted
    for pane in panes:
        pane.close()
        pane.deleteLater()
