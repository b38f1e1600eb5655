"""Joins the window with what concerns models: their window, the status line, images, imported files."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.protocol.models import ModelEntry, ModelList
from app.protocol.network import GetNetwork
from app.protocol.system import Notice
from app.ui.chat.controller import ChatController
from app.ui.chat.image_viewer import ImageViewer
from app.ui.chat.pane import ChatPane
from app.ui.diagnostics.pane import DiagnosticsPane
from app.ui.dialogs import Dialogs
from app.ui.guide.controller import GuideController
from app.ui.model_intake import ModelIntake
from app.ui.models.controller import CATALOGUE, INSTALLED, ModelsController
from app.ui.network.pane import NetworkPane
from app.ui.session import Session
from app.ui.status_line import StatusLine
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.toasts import ToastArea

NETWORK, DIAGNOSTICS = "network", "diagnostics"


@dataclass(frozen=True)
class ModelParts:
    """The parts of the window that are joined here."""

    session: Session
    tasks: TaskSpawner
    theme: Theme
    dialogs: Dialogs
    chats: ChatController
    chat_pane: ChatPane
    status_line: StatusLine
    guide: GuideController
    intake: ModelIntake
    toasts: ToastArea


class WindowModels(QObject):
    """Opens the window about models at the page that is asked for, and passes on what others must know.

    The window about models is built when it is first opened: it would lengthen every start.
    """

    def __init__(self, parts: ModelParts, over: QWidget) -> None:
        """Join the parts; the window about models will stand over `over`."""
        super().__init__(over)
        self._parts, self._over = parts, over
        self._controller: ModelsController | None = None
        self._viewer = ImageViewer(parts.chats.thumbnails, parts.tasks, parts.chat_pane)
        self._connect_pages()
        self._connect_parts()

    @property
    def controller(self) -> ModelsController:
        """Of the window about models."""
        if self._controller is None:
            session, tasks, theme = self._parts.session, self._parts.tasks, self._parts.theme
            self._controller = ModelsController(session, tasks, theme, None, self._over)
            network, diagnostics = (
                NetworkPane(session, tasks, theme),
                DiagnosticsPane(session, tasks, theme),
            )
            self._controller.add_page(NETWORK, self.tr("Network"), "globe", network)
            self._controller.add_page(DIAGNOSTICS, self.tr("Diagnostics"), "diagnostics", diagnostics)
        return self._controller

    def _connect_pages(self) -> None:
        line, pane = self._parts.status_line, self._parts.chat_pane
        for signal in (line.models_requested, pane.models_requested):
            signal.connect(self.open_installed)
        for signal in (
            line.catalogue_requested,
            pane.catalogue_requested,
            self._parts.guide.catalogue_requested,
        ):
            signal.connect(self.open_catalogue)
        line.diagnostics_requested.connect(self.open_diagnostics)
        line.network_requested.connect(self.open_network)

    def _connect_parts(self) -> None:
        parts = self._parts
        parts.session.connected.connect(self._on_connected)
        parts.chats.models_changed.connect(self._on_models_changed)
        parts.chats.cancellable_changed.connect(parts.status_line.set_cancellable)
        parts.chats.speed_measured.connect(parts.status_line.show_speed)
        parts.status_line.cancel_requested.connect(parts.chats.cancel_loading)
        parts.chat_pane.images_requested.connect(self.choose_images)
        parts.chat_pane.image_opened.connect(self._viewer.open)
        parts.intake.imported.connect(self._on_imported)

    # --- pages

    @Slot()
    def open_installed(self) -> None:
        """Show the models of this computer."""
        self.controller.open(INSTALLED)

    @Slot()
    def open_catalogue(self) -> None:
        """Show the models that can be fetched."""
        self.controller.open(CATALOGUE)

    @Slot()
    def open_network(self) -> None:
        """Show the page about the network."""
        self.controller.open(NETWORK)

    @Slot()
    def open_diagnostics(self) -> None:
        """Show what the computer has."""
        self.controller.open(DIAGNOSTICS)

    @Slot()
    def put_away(self) -> None:
        """Close the window about models with the program's window."""
        if self._controller is not None:
            self._controller.close()

    # --- what others must know

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Take over settings that were just loaded."""
        self._parts.status_line.show_settings(values)

    @Slot()
    def _on_connected(self) -> None:
        self._parts.tasks.spawn(self._load_network(), "load network")

    async def _load_network(self) -> None:
        """Learn of a connection that was opened before this window came."""
        try:
            status = await self._parts.session.call(GetNetwork(limit=20))
        except AppError:
            return  # the sign shows what the next event tells
        self._parts.status_line.show_network(status)

    @Slot(object)
    def _on_models_changed(self, models: ModelList) -> None:
        self._parts.status_line.show_models(models)
        self._parts.guide.show_models(has_models=self._parts.chat_pane.models.has_models)

    @Slot(object)
    def _on_imported(self, model: ModelEntry) -> None:
        words = self.tr("{0} can be used now. Its file stays where it is.").format(model.name)
        notice = Notice(severity="info", code="", message=words)
        if model.kind != "chat":
            self._parts.toasts.show_notice(notice, self.tr("Show"), self.open_installed)
            return
        self._parts.toasts.show_notice(notice, self.tr("Use it"), partial(self._use, model.name))

    def _use(self, name: str) -> None:
        self._parts.chat_pane.models.set_current(name)
        self._parts.chats.choose_model(name)
        self._parts.chat_pane.focus_composer()

    @Slot()
    def choose_images(self) -> None:
        """Let the user choose images for the question."""
        self._parts.tasks.spawn(self._choose_images(), "choose images")

    async def _choose_images(self) -> None:
        if paths := await self._parts.dialogs.choose_images():
            self._parts.chat_pane.attach_images(paths)
