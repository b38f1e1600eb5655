"""The window about models over a host kept in memory."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel, QWidget

from app.core.settings import Settings
from app.protocol.catalogue import CatalogueList, ListCatalogue, ListHubFiles, SearchHub
from app.protocol.downloads import (
    CancelDownload,
    Download,
    DownloadChanged,
    DownloadList,
    ListDownloads,
    PauseDownload,
    ResumeDownload,
    StartDownload,
)
from app.protocol.models import (
    ChooseModel,
    FindFolders,
    FitModel,
    FoundFolders,
    GetModelSettings,
    ImportModel,
    ListModels,
    ModelChanged,
    ModelEntry,
    ModelList,
    PreviewPrompt,
    PromptPreview,
    RemovedModel,
    RemoveModel,
    UnloadModelNamed,
    UpdateModelSettings,
    UseFolder,
)
from app.protocol.network import GetNetwork, NetworkStatus
from app.protocol.system import Empty, GetSettings, SettingsBody, UpdateSettings
from app.protocol.voice import GetVoiceChoices, VoiceChoices
from app.ui.models.controller import ModelsController
from app.ui.models.questions import Removal
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.models import samples


@dataclass
class Answers:
    """What the user answers to questions, and what was asked."""

    files: list[str] = field(default_factory=list)
    file: str = ""
    folder: str = ""
    removes: Removal | None = field(default_factory=Removal)
    agrees: bool = True
    asked: list[str] = field(default_factory=list)

    async def model_files(self) -> list[str]:
        return self.files

    async def model_folder(self) -> str:
        return self.folder

    async def adapter_file(self) -> str:
        return self.file

    async def projector_file(self) -> str:
        return self.file

    async def removal(self, model: ModelEntry) -> Removal | None:
        self.asked.append(model.name)
        return self.removes

    async def confirm(self, title: str, text: str, action: str) -> bool:
        self.asked.append(f"{title} {text} [{action}]")
        return self.agrees


@dataclass
class FakeOpener:
    works: bool = True
    shown: list[str] = field(default_factory=list)

    def open_file(self, path: str) -> bool:
        raise AssertionError(path)

    def show_in_folder(self, path: str) -> bool:
        self.shown.append(path)
        return self.works


class Host:
    """Answers as a host would, over lists that tests change."""

    def __init__(self, session: FakeSession) -> None:
        self.session = session
        self.models: ModelList = samples.MODELS
        self.folders: FoundFolders = samples.FOLDERS
        self.catalogue: CatalogueList = samples.CATALOGUE
        self.downloads: list[Download] = list(samples.DOWNLOADS.downloads)
        self.network: NetworkStatus = samples.NETWORK
        self.settings = samples.settings_body()
        self.choices: VoiceChoices = samples.CHOICES
        self.preview = PromptPreview(text="<|user|>\nHello\n")
        for request, answer in (
            (ListModels, self._list_models),
            (FindFolders, lambda _request: self.folders),
            (ListCatalogue, lambda _request: self.catalogue),
            (ListDownloads, lambda _request: DownloadList(downloads=tuple(self.downloads))),
            (GetNetwork, lambda _request: self.network),
            (SearchHub, samples.HITS),
            (ListHubFiles, samples.HIT_FILES),
            (GetSettings, SettingsBody(values=Settings().model_dump())),
            (GetVoiceChoices, lambda _request: self.choices),
            (UpdateSettings, self._update_settings),
            (UnloadModelNamed, self._unload),
            (RemoveModel, self._remove),
            (ImportModel, self._import),
            (UseFolder, self._use_folder),
            (StartDownload, self._start),
            (PauseDownload, Empty()),
            (ResumeDownload, Empty()),
            (CancelDownload, self._cancel),
            (GetModelSettings, lambda _request: self.settings),
            (UpdateModelSettings, lambda _request: self.settings),
            (FitModel, lambda request: samples.TIGHT if request.context_length > 8192 else samples.SLOW),
            (PreviewPrompt, lambda _request: self.preview),
        ):
            session.reply(request, answer)
        session.script(ChooseModel, lambda request: [self.model(request.name)])

    def model(self, name: str) -> ModelEntry:
        return next(model for model in self.models.models if model.name == name)

    def put(self, model: ModelEntry, progress: float | None = None, note: str = "") -> None:
        """Change a model and tell of it."""
        others = tuple(each for each in self.models.models if each.name != model.name)
        self.models = replace(self.models, models=(*others, model))
        self.session.deliver(ModelChanged(model=model, progress=progress, note=note))

    def change(self, download: Download, *, removed: bool = False) -> None:
        """Change a download and tell of it."""
        self.downloads = [each for each in self.downloads if each.id != download.id]
        if not removed:
            self.downloads.append(download)
        self.session.deliver(DownloadChanged(download=download, removed=removed))

    def _list_models(self, request: ListModels) -> ModelList:
        if request.with_fit:
            return self.models
        return replace(self.models, models=tuple(replace(each, fit=None) for each in self.models.models))

    def _update_settings(self, request: UpdateSettings) -> SettingsBody:
        for key, value in request.values.items():
            if key == "default_model":
                self.models = replace(self.models, default=value)
            else:
                self.choices = replace(self.choices, **{key: value})
        return SettingsBody(values=request.values)

    def _unload(self, request: UnloadModelNamed) -> Empty:
        self.put(replace(self.model(request.name), state="available", loaded=None))
        return Empty()

    def _remove(self, request: RemoveModel) -> RemovedModel:
        model = self.model(request.name)
        rest = tuple(each for each in self.models.models if each.name != request.name)
        self.models = replace(self.models, models=rest)
        if model.freed_bytes or request.delete_file:
            return RemovedModel(freed_bytes=model.size_bytes)
        return RemovedModel(freed_bytes=0, kept_path="" if model.state == "missing" else model.path)

    def _import(self, request: ImportModel) -> ModelEntry:
        model = replace(samples.QWEN, name="imported", path=request.path, source="imported", freed_bytes=0)
        self.models = replace(self.models, models=(*self.models.models, model))
        return model

    def _use_folder(self, request: UseFolder) -> FoundFolders:
        self.folders = FoundFolders(
            folders=tuple(
                replace(each, in_use=request.use) if each.path == request.path else each
                for each in self.folders.folders
            )
        )
        return self.folders

    def _start(self, request: StartDownload) -> DownloadList:
        offer = next(each for each in (*self.catalogue.models, samples.HIT_FILES) if each.id == request.model)
        started = Download(
            id="new",
            title=f"{offer.title} · new",
            repository=offer.repository,
            revision=request.revision,
            name=request.file,
            state="queued",
            total_bytes=samples.GB,
        )
        self.downloads.append(started)
        return DownloadList(downloads=(started,))

    def _cancel(self, request: CancelDownload) -> Empty:
        gone = next(each for each in self.downloads if each.id == request.id)
        self.change(gone, removed=True)
        return Empty()


@dataclass
class Shown:
    """The window and what stands around it."""

    controller: ModelsController
    host: Host
    answers: Answers
    opener: FakeOpener

    @property
    def installed(self) -> Any:
        return self.controller.pages.installed

    @property
    def catalogue(self) -> Any:
        return self.controller.pages.catalogue

    @property
    def search(self) -> Any:
        return self.controller.pages.search

    @property
    def downloads(self) -> Any:
        return self.controller.pages.downloads

    def toasts(self) -> str:
        return "\n".join(toast.words.text() for toast in self.controller.window.toasts.toasts)


Make = Callable[[], Shown]


@pytest.fixture
async def make(session: FakeSession, tasks: TaskSpawner, theme: Theme) -> AsyncIterator[Make]:
    """Make a window, not opened yet."""
    made: list[Shown] = []

    def new() -> Shown:
        host, answers, opener = Host(session), Answers(), FakeOpener()
        controller = ModelsController(session, tasks, theme, answers, None, opener)
        made.append(Shown(controller, host, answers, opener))
        return made[-1]

    yield new
    await tasks.close()
    for shown in made:
        if shown.controller.settings.dialog is not None:
            shown.controller.settings.dialog.close()
        shown.controller.close()
        if shown.controller._pages is not None:
            shown.controller.window.deleteLater()
        shown.controller.deleteLater()


@pytest.fixture
async def shown(make: Make) -> Shown:
    """The window, opened, with everything loaded."""
    shown = make()
    shown.controller.open()
    await until(
        lambda: (
            shown.controller.installed.is_listed
            and shown.controller.catalogue.is_listed
            and shown.controller.downloads.is_listed
            and (first := shown.controller.installed.models.by_key(samples.QWEN.name)) is not None
            and first.fit is not None
        )
    )
    return shown


def words(widget: QWidget) -> str:
    """Give what all labels say that are not hidden."""
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))
