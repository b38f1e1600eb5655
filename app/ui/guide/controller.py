"""Shows the guide at the first start and whenever it is asked for."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.protocol.hardware import GetHardware
from app.protocol.system import UpdateSettings
from app.ui.chat.pane import ChatPane
from app.ui.guide.dialog import GuideDialog
from app.ui.intake_controller import IntakeController
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme

_HARDWARE_ASKED_AT = 1  # a page before it is shown, so that it is known by then


class GuideController(QObject):
    """Keeps the one guide of a window, and does what its last page offers.

    Attributes:
        dialog: the open guide; None while there is none.

    Signals:
        catalogue_requested: show the models that can be fetched.
    """

    catalogue_requested = Signal()

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        theme: Theme,
        intake: IntakeController,
        chat: ChatPane,
        over: QWidget,
    ) -> None:
        """Show over `over`."""
        super().__init__(over)
        self._session, self._tasks, self._theme = session, tasks, theme
        self._intake, self._chat, self._over = intake, chat, over
        self._was_offered = self._was_asked = False
        self._has_models = True
        self.dialog: GuideDialog | None = None

    def on_settings(self, values: Mapping[str, Any]) -> None:
        """Show the guide if the settings say that it was not seen; once in the window's life."""
        if values.get("guide_seen") is False and not self._was_offered:
            self.open()

    def show_models(self, *, has_models: bool) -> None:
        """Take over whether there is a model, which decides on the first step that is offered."""
        self._has_models = has_models
        if self.dialog is not None:
            self.dialog.try_it.show_models(has_models=has_models)

    @Slot()
    def open(self) -> None:
        """Show the guide, or bring it to the front."""
        self._was_offered = True
        if self.dialog is None:
            self.dialog = GuideDialog(self._session.paths.root, self._theme, self._over)
            self._was_asked = False
            self.dialog.page_shown.connect(self._on_page_shown)
            self.dialog.computer.retry_requested.connect(self._ask_hardware)
            self.dialog.try_it.sample_requested.connect(self._on_sample_requested)
            self.dialog.try_it.files_requested.connect(self._on_files_requested)
            self.dialog.try_it.models_requested.connect(self._on_models_requested)
            self.dialog.try_it.show_models(has_models=self._has_models)
            self.dialog.finished.connect(self._on_finished)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    @Slot()
    def put_away(self) -> None:
        """Close the guide with the window; it was neither finished nor skipped."""
        if self.dialog is not None:
            self.dialog.finished.disconnect(self._on_finished)
            self._drop()

    def _drop(self) -> None:
        dialog, self.dialog = self.dialog, None
        assert dialog is not None  # who calls this looked
        dialog.close()
        dialog.deleteLater()

    @Slot(int)
    def _on_finished(self, _result: int) -> None:
        self._drop()
        self._chat.focus_composer()
        request = UpdateSettings(values={"guide_seen": True})
        self._tasks.spawn(self._session.call(request), "store that the guide was seen")

    @Slot()
    def _on_sample_requested(self) -> None:
        self._finish()
        self._intake.add_sample()
        self._chat.suggest(self.tr("When does the Harbour Café open on Sundays?"))

    @Slot()
    def _on_files_requested(self) -> None:
        self._finish()
        self._intake.choose_files()

    @Slot()
    def _on_models_requested(self) -> None:
        self._finish()
        self.catalogue_requested.emit()

    def _finish(self) -> None:
        assert self.dialog is not None  # one of its buttons was clicked
        self.dialog.accept()

    @Slot(int)
    def _on_page_shown(self, number: int) -> None:
        if number >= _HARDWARE_ASKED_AT and not self._was_asked:
            self._ask_hardware()

    @Slot()
    def _ask_hardware(self) -> None:
        assert self.dialog is not None  # one of its pages asks
        self._was_asked = True
        self.dialog.computer.show_waiting()
        self._tasks.spawn(self._show_hardware(self.dialog), "look at hardware")

    async def _show_hardware(self, dialog: GuideDialog) -> None:
        try:
            hardware = await self._session.call(GetHardware())
        except AppError as error:
            if dialog is self.dialog:
                dialog.computer.show_error(error)
            return
        if dialog is self.dialog:  # else it was closed meanwhile
            dialog.computer.show_hardware(hardware)
