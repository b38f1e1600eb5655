"""Everything that comes into the library through the window: drops, pastes, dialogs, the sample."""

import asyncio

from PySide6.QtCore import QMimeData, QObject, Signal
from PySide6.QtGui import QGuiApplication

from app.core.paths import resources_dir
from app.protocol.library import AddContent
from app.protocol.system import Notice
from app.ui.dialogs import Dialogs
from app.ui.intake import intake_of, is_model, suggested_name
from app.ui.library.pane import LibraryPane
from app.ui.model_intake import ModelIntake
from app.ui.notifier import Notifier
from app.ui.session import Session
from app.ui.tasks import TaskSpawner


class IntakeController(QObject):
    """Adds files, folders and text to the collection that the library shows.

    Attributes:
        models: takes the model files among them.

    Signals:
        adding: something is being added; the library should be in view.
    """

    adding = Signal()

    def __init__(
        self,
        library: LibraryPane,
        session: Session,
        tasks: TaskSpawner,
        notifier: Notifier,
        dialogs: Dialogs,
        parent: QObject | None = None,
    ) -> None:
        """Add through `library`; model files go to `models` instead."""
        super().__init__(parent)
        self.models = ModelIntake(session, tasks, notifier, self)
        self._library, self._session, self._tasks = library, session, tasks
        self._notifier, self._dialogs = notifier, dialogs

    def choose_files(self) -> None:
        """Let the user choose files."""
        self._tasks.spawn(self._choose(folder=False), "choose files")

    def choose_folder(self) -> None:
        """Let the user choose a folder."""
        self._tasks.spawn(self._choose(folder=True), "choose folder")

    def add_paths(self, paths: list[str]) -> "asyncio.Task[None] | None":
        """Add files and folders; gives what ends when they are in the library for good, or cannot be.

        Model files are no documents: they are made usable where they are.
        """
        models = [path for path in paths if is_model(path)]
        documents = [path for path in paths if not is_model(path)]
        if models:
            self.models.take(models)
        if not documents:
            return None
        self.adding.emit()
        return self._library.add_paths(documents)

    def add_sample(self) -> None:
        """Add the sample document."""
        folder = resources_dir() / "sample"
        self.add_paths([str(path) for path in sorted(folder.iterdir()) if path.is_file()])

    def take(self, mime: QMimeData) -> bool:
        """Add what was dropped or pasted; False where there is nothing that can be."""
        intake = intake_of(mime)
        if intake.paths:
            self.add_paths(list(intake.paths))
        elif intake.text:
            self._tasks.spawn(self._add_text(intake.text), "add text")
        self.tell_refused(intake.n_refused, any_added=bool(intake.paths))
        return bool(intake)

    def paste(self) -> None:
        """Add what the clipboard holds."""
        mime = _clipboard_content()
        if self.take(mime) or mime.hasUrls():
            return
        if mime.hasImage():
            words = self.tr("The clipboard holds an image and no file.")
            self._notifier.info(words, self.tr("To ask about it, paste it into the text field."))
        else:
            self._notifier.info(self.tr("The clipboard holds no files and no text."))

    def tell_refused(self, n_refused: int, *, any_added: bool) -> None:
        """Say that so many things were left out; nothing where it is none."""
        if not n_refused:
            return
        words = self.tr("Addresses on the network cannot be added.")
        if any_added:
            words = self.tr("{0} of the items are no files on this computer.").format(n_refused)
        hint = self.tr("Save them on this computer first, then add the files.")
        self._notifier.notify(Notice(severity="warning", code="intake.refused", message=words, hint=hint))

    async def _choose(self, *, folder: bool) -> None:
        chosen = await (self._dialogs.choose_folder() if folder else self._dialogs.choose_files())
        self.add_paths(chosen)

    async def _add_text(self, text: str) -> None:
        name = await self._dialogs.name_text(suggested_name(text), text)
        if not name:
            return
        if "." not in name[-6:]:
            name += ".txt"
        collection = self._library.collections.current()
        self.adding.emit()
        request = AddContent(name=name, collection=collection.name if collection else "")
        await self._session.call(request, text.encode())
        self._notifier.info(self.tr("“{0}” was added to the library.").format(name))


def _clipboard_content() -> QMimeData:
    """Give what the clipboard holds; an empty one may hold no object at all, whatever the stubs say."""
    content: object = QGuiApplication.clipboard().mimeData()
    return content if isinstance(content, QMimeData) else QMimeData()
