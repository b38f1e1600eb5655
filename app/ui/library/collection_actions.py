"""Creating, renaming and deleting collections: asking the user, and telling why a name was refused."""

from PySide6.QtCore import QObject, Slot

from app.core.errors import AppError
from app.protocol.library import Collection
from app.ui.library.collection_panel import CollectionPanel
from app.ui.library.controller import LibraryController
from app.ui.library.dialogs import Check, Questions
from app.ui.tasks import TaskSpawner


class CollectionActions(QObject):
    """Fulfils the wishes of a CollectionPanel."""

    def __init__(
        self,
        panel: CollectionPanel,
        controller: LibraryController,
        questions: Questions,
        tasks: TaskSpawner,
        parent: QObject | None = None,
    ) -> None:
        """Listen to `panel`; ask through `questions`; act through `controller`."""
        super().__init__(parent)
        self._panel, self._controller = panel, controller
        self._questions, self._tasks = questions, tasks
        self._created: int | None = None  # a collection to be chosen as soon as it is listed
        panel.create_requested.connect(self._on_create_requested)
        panel.rename_requested.connect(self._on_rename_requested)
        panel.delete_requested.connect(self._on_delete_requested)
        controller.collections_changed.connect(self._choose_created)

    @Slot()
    def _on_create_requested(self) -> None:
        async def check(name: str) -> str:
            try:
                created = await self._controller.create_collection(name)
            except AppError as error:
                return _words(error)
            self._created = created.id
            self._choose_created()  # it may be listed already
            return ""

        title, label = self.tr("New collection"), self.tr("Name of the collection")
        self._tasks.spawn(self._ask_name(title, label, "", check), "library.create_collection")

    @Slot()
    def _choose_created(self) -> None:
        if self._created is not None and self._controller.collections.by_id(self._created):
            self._panel.choose(self._created)
            self._created = None

    @Slot(object)
    def _on_rename_requested(self, collection: Collection) -> None:
        async def check(name: str) -> str:
            try:
                await self._controller.rename_collection(collection, name)
            except AppError as error:
                return _words(error)
            return ""

        title, label = self.tr("Rename collection"), self.tr("New name")
        asking = self._ask_name(title, label, collection.name, check)
        self._tasks.spawn(asking, "library.rename_collection")

    async def _ask_name(self, title: str, label: str, initial: str, check: Check) -> None:
        await self._questions.name(title, label, initial, check)

    @Slot(object)
    def _on_delete_requested(self, collection: Collection) -> None:
        self._tasks.spawn(self._delete(collection), "library.ask_delete")

    async def _delete(self, collection: Collection) -> None:
        files = self.tr("1 file leaves") if collection.n_files == 1 else self.tr("{n} files leave")
        text = self.tr("{files} the library. Nothing is deleted from the disk, and you can undo this.")
        text = text.replace("{files}", files.replace("{n}", f"{collection.n_files:,}"))
        if collection.id == self._controller.collections.collections[0].id:
            title, action = self.tr("Remove all files of “{name}”?"), self.tr("Remove all")
        else:
            title, action = self.tr("Delete the collection “{name}”?"), self.tr("Delete")
        if await self._questions.confirm(title.replace("{name}", collection.name), text, action):
            self._controller.delete_collection(collection)


def _words(error: AppError) -> str:
    return f"{error.user_message} {error.hint}".strip()
