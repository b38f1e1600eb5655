"""The page about the network."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, Slot
from PySide6.QtGui import QGuiApplication, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from app.core.errors import AppError
from app.protocol.network import NetworkStatus
from app.ui.dialogs import run
from app.ui.elements.section import Section, words_label
from app.ui.elements.tick_box import TickBox
from app.ui.icons import bind_icon
from app.ui.models.parts import Page
from app.ui.network.connection_form import ConnectionForm
from app.ui.network.controller import NetworkController
from app.ui.network.ledger_model import OUTCOME, WHY, LedgerModel
from app.ui.network.words import totals_words
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme, set_role
from app.ui.toasts import announce
from app.ui.tokens import SPACE_L, SPACE_S

ChoosePath = Callable[[], Awaitable[str]]
_TABLE_HEIGHT = 240
_EMPTY_HEIGHT = 72
_LEAST_CHARACTERS = (20, 16, 22, 10, 10, 18)  # of each column


class NetworkPane(Page):
    """Shows the switch, the ledger and how to connect; loads them when it is first shown."""

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        theme: Theme,
        choose_path: ChoosePath | None = None,
    ) -> None:
        """Build the page; `choose_path` stands in for the dialog that asks where the ledger is saved."""
        super().__init__(
            _tr("Network"), _tr("What this program sends and fetches, and when: only what you start."), theme
        )
        self._tasks = tasks
        self._choose_path = choose_path or self._ask_path
        self._was_shown = False
        self.controller = NetworkController(session, tasks, theme, self)
        self.switch = TickBox(self.tr("Stay offline"), theme)
        self.form = ConnectionForm(theme)
        self._build_ledger()
        self._lay_out()
        self._connect()
        self._show_switch(is_offline=False)
        self._show_totals()

    def _build_ledger(self) -> None:
        self.totals = QLabel()
        set_role(self.totals, "faint")
        self.copy_button = self._button("copy", self.tr("Copy"))
        self.save_button = self._button("document", self.tr("Save as…"))
        self.clear_button = self._button("trash", self.tr("Clear…"))
        self.view = _ledger_view(self.controller.ledger)
        self.view.setAccessibleName(self.tr("Connections that were opened"))
        self.nothing = words_label(self.tr("Not known yet."), "muted")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.nothing)
        self.stack.addWidget(self.view)

    def _button(self, icon_name: str, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setAutoDefault(False)
        bind_icon(button, icon_name, self._theme)
        return button

    def _lay_out(self) -> None:
        column = QWidget()
        inner = QVBoxLayout(column)
        inner.setContentsMargins(0, 0, SPACE_S, 0)
        inner.setSpacing(SPACE_L)
        for part in (self._switch_section(), self._ledger_section(), self._form_section()):
            inner.addWidget(part)
        inner.addStretch(1)
        area = QScrollArea()
        area.setAccessibleName(self.tr("About the network"))
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        area.setWidget(column)
        area.viewport().setAutoFillBackground(False)
        column.setAutoFillBackground(False)
        self.body.addWidget(area, 1)

    def focus_first(self) -> None:
        """Put the keyboard where work on this page begins."""
        self.switch.setFocus()

    def _switch_section(self) -> Section:
        section = Section(self.tr("Connections"))
        self.switch_words = words_label("", "muted")
        self.where_words = words_label("", "muted")
        self.switch.setAccessibleDescription(
            self.tr("No connection is opened while this is on, whatever is asked for.")
        )
        section.body.addWidget(self.switch, 0, Qt.AlignmentFlag.AlignLeft)
        section.body.addWidget(self.switch_words)
        section.body.addWidget(self.where_words)
        return section

    def _ledger_section(self) -> Section:
        section = Section(self.tr("Every connection so far"))
        foot = QHBoxLayout()
        foot.setSpacing(SPACE_S)
        foot.addWidget(self.totals)
        foot.addStretch(1)
        for button in (self.copy_button, self.save_button, self.clear_button):
            foot.addWidget(button)
        section.body.addWidget(self.stack)
        section.body.addLayout(foot)
        return section

    def _form_section(self) -> Section:
        section = Section(self.tr("How to connect"))
        section.body.addWidget(self.form)
        return section

    def _connect(self) -> None:
        controller = self.controller
        controller.loaded.connect(self._on_loaded)
        controller.load_failed.connect(self._on_load_failed)
        controller.ledger_changed.connect(self._show_totals)
        controller.settings_loaded.connect(self._on_settings_loaded)
        controller.setting_refused.connect(self._on_setting_refused)
        controller.token_kept.connect(self.form.show_token_kept)
        controller.token_refused.connect(self.form.show_token_refused)
        controller.exported.connect(self._on_exported)
        controller.saved.connect(self._on_saved)
        controller.failed.connect(self.banner.say_error)
        self.switch.clicked.connect(self._on_switch_clicked)
        self.form.setting_wanted.connect(controller.change_setting)
        self.form.token_wanted.connect(controller.keep_token)
        self.copy_button.clicked.connect(controller.copy)
        self.save_button.clicked.connect(self._on_save_clicked)
        self.clear_button.clicked.connect(self._on_clear_clicked)

    # --- what is known

    @Slot(object)
    def _on_loaded(self, status: NetworkStatus) -> None:
        self.banner.hide()
        self.nothing.setText(self.tr("No connection has been opened."))
        self.switch.setEnabled(True)
        self.form.show_status(status)
        self.form.setEnabled(True)
        words = self.tr(
            "Connections are opened only when you search the model hub or start a download: to {0}{1}. "
            "The other side learns which models you look at and this computer's address on the network, "
            "never your questions, answers or documents. There is no telemetry."
        )
        through = self.tr(", through the proxy {0}").format(status.proxy) if status.proxy else ""
        self.where_words.setText(words.format(status.endpoint or self.tr("the model hub"), through))
        self._show_totals()

    @Slot(object)
    def _on_load_failed(self, error: AppError) -> None:
        self.form.setEnabled(False)
        self.banner.say_error(error, [(self.tr("Try again"), self.controller.load)])

    @Slot(object)
    def _on_settings_loaded(self, values: Mapping[str, Any]) -> None:
        self._show_switch(is_offline=bool(values.get("offline", False)))
        self.form.show_settings(values)

    def _show_switch(self, *, is_offline: bool) -> None:
        self.switch.setChecked(is_offline)
        words = self.tr("The network may be used for what you start yourself. Tick this to close it.")
        if is_offline:
            words = self.tr(
                "The network is closed: no connection is opened, whatever is asked for. "
                "Running downloads stop and keep what has come; resume them afterwards."
            )
        self.switch_words.setText(words)

    @Slot()
    def _show_totals(self) -> None:
        totals = self.controller.ledger.totals
        n_shown = self.controller.ledger.rowCount()
        words = totals_words(totals.n_entries, totals.n_sent_bytes, totals.n_received_bytes)
        if n_shown < totals.n_entries:
            count = self.locale().toString(n_shown)
            words = self.tr("{0} · the newest {1} are shown").format(words, count)
        self.totals.setText(words if totals.n_entries else "")
        self.stack.setCurrentWidget(self.view if n_shown else self.nothing)
        self.stack.setFixedHeight(_TABLE_HEIGHT if n_shown else _EMPTY_HEIGHT)
        for button in (self.copy_button, self.save_button, self.clear_button):
            button.setEnabled(n_shown > 0)

    # --- wishes

    @Slot(bool)
    def _on_switch_clicked(self, is_offline: bool) -> None:
        self.controller.change_setting("offline", is_offline)

    @Slot(str, object)
    def _on_setting_refused(self, name: str, error: AppError) -> None:
        if name == "offline":
            self.switch.setChecked(not self.switch.isChecked())
            self.banner.say_error(error)
        else:
            self.form.show_refusal(name, error)

    @Slot()
    def _on_clear_clicked(self) -> None:
        words = self.tr("Forget all entries? What went over the network cannot be looked up afterwards.")
        steps = [(self.tr("Forget them"), self._on_clear_confirmed), (self.tr("Keep them"), self.banner.hide)]
        self.banner.say("warning", words, steps)
        self.banner.buttons[0].setFocus()

    @Slot()
    def _on_clear_confirmed(self) -> None:
        self.banner.hide()
        self.controller.clear()

    @Slot(str)
    def _on_exported(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._say_done(self.tr("{0} entries were copied as a table.").format(text.count("\n") - 1))

    @Slot()
    def _on_save_clicked(self) -> None:
        self._tasks.spawn(self._save(), "network.choose file")

    async def _save(self) -> None:
        if path := await self._choose_path():
            self.controller.save(path)

    async def _ask_path(self) -> str:
        dialog = QFileDialog(self, self.tr("Save the ledger"), str(Path.home() / "network.csv"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        return dialog.selectedFiles()[0] if await run(dialog) else ""

    @Slot(str)
    def _on_saved(self, path: str) -> None:
        self._say_done(self.tr("Saved as {0}.").format(path))

    def _say_done(self, words: str) -> None:
        self.banner.say("info", words)
        announce(self, words)

    # Qt overrides

    def showEvent(self, event: QShowEvent, /) -> None:
        """Load the first time."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            self.switch.setEnabled(False)
            self.form.setEnabled(False)
            self.controller.load()


def _tr(text: str) -> str:
    return QCoreApplication.translate("NetworkPane", text)


class _LedgerView(QTreeView):
    """A table whose reasons get the room that is left, and never less than can be read: then it scrolls."""

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Share the room out."""
        super().resizeEvent(event)
        character = self.fontMetrics().averageCharWidth()
        widths = [(number + 1) * character for number in _LEAST_CHARACTERS]
        widths[WHY] += max(0, self.viewport().width() - sum(widths))
        for column, width in enumerate(widths):
            self.setColumnWidth(column, width)


def _ledger_view(model: LedgerModel) -> QTreeView:
    view = _LedgerView()
    view.setModel(model)
    view.setRootIsDecorated(False)
    view.setUniformRowHeights(True)
    view.setAllColumnsShowFocus(True)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setTabKeyNavigation(False)
    header = view.header()
    header.setStretchLastSection(False)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.moveSection(OUTCOME, WHY + 1)  # the numbers stand at the edge
    return view
