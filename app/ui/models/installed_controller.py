"""The models on this computer: what the page asks the host for, and what it hears from it."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError
from app.protocol.models import (
    ChooseModel,
    FindFolders,
    FoundFolder,
    FoundFolders,
    ImportModel,
    ListModels,
    ModelChanged,
    ModelEntry,
    ModelList,
    RemovedModel,
    RemoveModel,
    UnloadModelNamed,
    UseFolder,
)
from app.protocol.system import UpdateSettings
from app.protocol.voice import GetVoiceChoices, VoiceChoices
from app.ui.models.questions import MODEL_SUFFIXES, ModelQuestions
from app.ui.models.requests import Asker
from app.ui.models.row_model import RowLook, RowModel
from app.ui.models.words import (
    SOUND_KINDS,
    Mark,
    fit_mark,
    kind_words,
    parameter_words,
    size_words,
    sound_letters,
    state_mark,
)
from app.ui.session import Cancelled, ReplyStream, Session
from app.ui.tasks import TaskSpawner

_BADGE_ROLES = {
    "chat": "accent",
    "embedding": "ok",
    "reranking": "ok",
    "speech": "ok",
    "voice": "ok",
    "projector": "busy",
    "adapter": "busy",
}


class InstalledController(Asker):
    """Keeps the list of models here and does what the page wishes.

    Attributes:
        models: rows of ModelEntry.
        default: name of the model used where none is chosen.
        folder: where downloads go.
        disk_bytes: taken by the models in it.
        is_listed: the list has come.

    Signals:
        changed: the list, a model or the default changed.
        list_failed: AppError; the list cannot be shown.
        told: words about a wish that was fulfilled.
        imported: name of a model that can be used now.
        folders_found: FoundFolders.
    """

    changed = Signal()
    list_failed = Signal(object)
    told = Signal(str)
    imported = Signal(str)
    folders_found = Signal(object)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        questions: ModelQuestions,
        parent: QObject | None = None,
    ) -> None:
        """Follow the session's events; nothing is asked before `load`."""
        super().__init__(session, tasks, parent)
        self._questions = questions
        self.models = RowModel(lambda model: model.name, self._look, self)
        self.default = self.folder = ""
        self._in_use = {kind: "" for kind in SOUND_KINDS}
        self.disk_bytes = 0
        self.is_listed = False
        self._progress: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._loading: dict[str, ReplyStream] = {}
        session.model_changed.connect(self._on_model_changed)
        session.models_changed.connect(self._on_models_changed)

    # --- the list

    @Slot()
    def load(self) -> None:
        """Ask for the list: first as it is at once, then with advice on the fit."""
        self.ask_latest("models", ListModels(), self._on_first_list, self.list_failed.emit)
        self._ask_in_use()

    def _ask_in_use(self) -> None:
        """Ask which speech model and which voice are used; without an answer, none is marked."""
        self.ask_latest("voices", GetVoiceChoices(), self._on_choices, lambda _error: None)

    def _on_choices(self, choices: VoiceChoices) -> None:
        self._in_use = {"speech": choices.speech_model, "voice": choices.voice}
        if self.is_listed:
            self.models.refresh()
            self.changed.emit()

    def is_in_use(self, model: ModelEntry) -> bool:
        """Tell whether a model is the one that answers, understands speech or reads aloud by default."""
        if model.kind in SOUND_KINDS:
            return self._in_use[model.kind] == sound_name(model)
        return model.name == self.default

    def _on_first_list(self, listed: ModelList) -> None:
        fits = {model.name: model.fit for model in self.models.items}
        known = tuple(replace(model, fit=model.fit or fits.get(model.name)) for model in listed.models)
        self._show(replace(listed, models=known))
        self.ask_latest("fit", ListModels(with_fit=True), self._show, self.list_failed.emit)

    def _show(self, listed: ModelList) -> None:
        self.default, self.folder, self.disk_bytes = listed.default, listed.folder, listed.disk_bytes
        self.is_listed = True
        self.models.show(sorted(listed.models, key=self._order))
        self.models.refresh()
        self.changed.emit()

    def _order(self, model: ModelEntry) -> tuple[int, str]:
        kinds = ("chat", "embedding", "reranking", "speech", "voice", "projector", "adapter")
        rank = kinds.index(model.kind) if model.kind in kinds else len(kinds)
        return rank, model.name.casefold()

    def progress(self, name: str) -> float | None:
        """Give how far loading a model is, 0 to 1."""
        return self._progress.get(name)

    def note(self, name: str) -> str:
        """Give what is being tried while a model is loaded."""
        return self._notes.get(name, "")

    @Slot()
    def _on_models_changed(self) -> None:
        if self.is_listed:  # else nobody has looked at it yet
            self.load()

    @Slot(object)
    def _on_model_changed(self, change: ModelChanged) -> None:
        name = change.model.name
        known = self.models.by_key(name)
        self._progress.pop(name, None)
        if change.model.state == "loading":
            self._progress[name] = change.progress or 0.0
            if change.note:
                self._notes[name] = change.note
        else:
            self._notes.pop(name, None)
        if known is None:
            if self.is_listed:
                self.load()
            return
        self.models.put(replace(change.model, fit=change.model.fit or known.fit))
        self.models.refresh()
        self.changed.emit()

    # --- wishes

    def load_model(self, model: ModelEntry) -> None:
        """Load a model into memory."""
        if model.name not in self._loading:
            stream = self._session.stream(ChooseModel(name=model.name))
            self._loading[model.name] = stream
            self._tasks.spawn(self._follow(model.name, stream), "models.load")

    async def _follow(self, name: str, stream: ReplyStream) -> None:
        try:
            async with contextlib.aclosing(stream) as replies:
                async for _body in replies:
                    pass
        except AppError as error:
            self.failed.emit(error)
        except Cancelled:
            self.told.emit(self.tr("Loading {0} was cancelled.").format(name))
        finally:
            self._loading.pop(name, None)
            self._progress.pop(name, None)
            self._notes.pop(name, None)
            self.load()

    def cancel_loading(self, model: ModelEntry) -> None:
        """End the loading of a model, whoever began it."""
        stream = self._loading.get(model.name)
        if stream is not None:
            stream.cancel()
        else:
            self.ask(UnloadModelNamed(name=model.name))

    def unload(self, model: ModelEntry) -> None:
        """Free a model's memory."""
        self.ask(UnloadModelNamed(name=model.name), self._on_unloaded)

    def _on_unloaded(self, _answer: Any) -> None:
        self.load()

    def use_as_default(self, model: ModelEntry) -> None:
        """Let a model answer where none is chosen."""
        self.ask(UpdateSettings(values={"default_model": model.name}), self._on_unloaded)

    def use_for_sound(self, model: ModelEntry) -> None:
        """Let a speech model understand what is said, or a voice read aloud."""
        setting = "voice" if model.kind == "voice" else "speech_model"
        self.ask(UpdateSettings(values={setting: sound_name(model)}), self._on_unloaded)

    def remove(self, model: ModelEntry) -> None:
        """Ask, then remove a model."""
        self._tasks.spawn(self._remove(model), "models.remove")

    async def _remove(self, model: ModelEntry) -> None:
        removal = await self._questions.removal(model)
        if removal is None:
            return
        try:
            request = RemoveModel(name=model.name, delete_file=removal.delete_file)
            removed = await self._session.call(request)
        except AppError as error:
            self.failed.emit(error)
            return
        self.told.emit(self._removed_words(model, removed))
        self.load()

    def _removed_words(self, model: ModelEntry, removed: RemovedModel) -> str:
        if removed.freed_bytes:
            words = self.tr("{0} was deleted; {1} are free again.")
            return words.format(model.name, size_words(removed.freed_bytes))
        if removed.kept_path:
            return self.tr("{0} left the list. Its file stays at {1}.").format(model.name, removed.kept_path)
        return self.tr("{0} left the list.").format(model.name)

    @Slot()
    def choose_files(self) -> None:
        """Ask which files to use in place."""
        self._tasks.spawn(self._choose_files(), "models.choose")

    async def _choose_files(self) -> None:
        self.import_files(await self._questions.model_files())

    def import_files(self, paths: Sequence[str]) -> None:
        """Use model files where they are."""
        for path in paths:
            self.ask(ImportModel(path=path), self._on_imported)

    def _on_imported(self, model: ModelEntry) -> None:
        self.load()
        self.imported.emit(model.name)
        self.told.emit(self.tr("{0} can be used now. Its file stays where it is.").format(model.name))

    # --- other programs' folders

    @Slot()
    def find_folders(self) -> None:
        """Look for other programs' models."""
        self.ask_latest("folders", FindFolders(), self.folders_found.emit)

    def use_folder(self, folder: FoundFolder, *, use: bool) -> None:
        """Show a folder's models in the list, or no longer."""
        self.ask(UseFolder(path=folder.path, program=folder.program, use=use), self._on_folders)

    @Slot()
    def choose_folder(self) -> None:
        """Ask for another folder of models and use it."""
        self._tasks.spawn(self._choose_folder(), "models.choose")

    async def _choose_folder(self) -> None:
        if path := await self._questions.model_folder():
            self.ask(UseFolder(path=path), self._on_folders)

    def _on_folders(self, found: FoundFolders) -> None:
        self.folders_found.emit(found)
        self.load()

    # --- rows

    def _look(self, model: ModelEntry) -> RowLook:
        progress = self._progress.get(model.name) if model.state == "loading" else None
        marks = [state_mark(model, progress)]
        if self.is_in_use(model):
            words = self.tr("In use") if model.kind in SOUND_KINDS else self.tr("Default")
            marks.append(Mark("star", words, "accent"))
        if model.state in ("available", "loaded"):
            marks.append(fit_mark(model.fit) if model.kind in ("chat", *SOUND_KINDS) else None)
        elif model.problem:
            marks.append(Mark("", model.problem, "text_muted"))
        shown = tuple(mark for mark in marks if mark is not None)
        return RowLook(
            title=model.name,
            badge=parameter_words(model.n_params) or sound_letters(model.kind) or model.format.upper(),
            badge_role=_BADGE_ROLES.get(model.kind, "text_muted"),
            right=size_words(model.size_bytes),
            marks=shown or (Mark("", kind_words(model.kind), "text_muted"),),
            progress=progress,
        )


def sound_name(model: ModelEntry) -> str:
    """Give the name of a speech model or voice as the settings hold it: its folder's, or its file's stem."""
    path = PurePath(model.path)
    return path.stem if model.kind == "voice" else path.parent.name


def model_paths(paths: Sequence[str]) -> list[str]:
    """Give those paths that look like model files."""
    return [path for path in paths if PurePath(path).suffix.lower() in MODEL_SUFFIXES]
