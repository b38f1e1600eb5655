"""The line at the window's lower edge: what goes on in the background, the model, and the network."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QToolButton, QWidget

from app.protocol.library import FINAL_STATES, LibraryStatus
from app.protocol.models import ModelChanged, ModelEntry, ModelList
from app.protocol.network import LedgerEntry, NetworkStatus, NetworkUsed
from app.protocol.system import SettingsChanged, WorkerChanged
from app.ui.elements.buttons import tool_button
from app.ui.elements.elided_label import ElidedLabel
from app.ui.session import Session
from app.ui.status_parts import StatusButton, details_words, device_words, loaded_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS

_MINUTE_S = 60


class StatusLine(QFrame):
    """Shows ingestion at the left, model and network at the right; each leads to its page.

    Signals:
        models_requested: show the installed models.
        catalogue_requested: show the models that can be fetched; there is none here.
        diagnostics_requested: show what the computer has.
        network_requested: show the page about the network.
        cancel_requested: end the loading that is shown.
    """

    models_requested = Signal()
    catalogue_requested = Signal()
    diagnostics_requested = Signal()
    network_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        """Follow the session's events."""
        super().__init__(parent)
        set_role(self, "status")
        self._theme = theme
        self._library: LibraryStatus | None = None
        self._entry: ModelEntry | None = None
        self._speed: float | None = None
        self._is_cancellable = self._is_closed = False
        self._has_models = True
        self._open_entries: dict[tuple[float, str, str], str] = {}
        self._work = ElidedLabel()
        set_role(self._work, "faint")
        self._bar = self._new_bar(self.tr("Progress of reading"), 120)
        self._build_model_parts()
        self.network = StatusButton(theme, self.tr("Network"), narrowest=110, widest=260)
        self.network.clicked.connect(self.network_requested)
        self._lay_out()
        self._connect(session)
        self._work.set_full_text(self.tr("Starting…"))
        self._show_network()

    def _build_model_parts(self) -> None:
        self.model = StatusButton(self._theme, self.tr("Model"), narrowest=130)
        self.model.clicked.connect(self._on_model_clicked)
        self.device = StatusButton(self._theme, self.tr("Computed on"))
        self.device.clicked.connect(self.diagnostics_requested)
        self.note = StatusButton(self._theme, self.tr("Note"), widest=320)
        self.note.show_icon("warning", "warning")
        self.note.clicked.connect(self.models_requested)
        self.loading = self._new_bar(self.tr("Progress of loading"), 80)
        self.loading.setRange(0, 1000)
        self.cancel: QToolButton = tool_button("close", self.tr("Cancel loading"), self._theme)
        self.cancel.setFixedSize(20, 20)
        self.cancel.clicked.connect(self.cancel_requested)
        self.cancel.hide()

    def _new_bar(self, name: str, width: int) -> QProgressBar:
        bar = QProgressBar()
        bar.setTextVisible(False)
        bar.setFixedWidth(width)
        bar.setAccessibleName(name)
        bar.hide()
        return bar

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, 0, SPACE_S, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self._work)
        layout.addWidget(self._bar)
        layout.addStretch(1)
        self._signs = QHBoxLayout()
        self._signs.setSpacing(SPACE_XS)
        layout.addLayout(self._signs)
        for part in (self.loading, self.model, self.cancel, self.device, self.note):
            layout.addWidget(part)
        layout.addSpacing(SPACE_XS)
        layout.addWidget(self.network)

    def _connect(self, session: Session) -> None:
        session.connected.connect(self._on_connected)
        session.disconnected.connect(self._on_disconnected)
        session.library_status_changed.connect(self.show_library)
        session.model_changed.connect(self._on_model_changed)
        session.worker_changed.connect(self._on_worker_changed)
        session.network_used.connect(self._on_network_used)
        session.settings_changed.connect(self._on_settings_changed)

    def add_sign(self, sign: QWidget) -> None:
        """Put a sign of another part of the program before the model."""
        self._signs.addWidget(sign)

    @property
    def work_words(self) -> str:
        """What the left side says."""
        return self._work.full_text

    @property
    def model_words(self) -> str:
        """What is said of the model."""
        return self.model.words

    # --- library

    @Slot(object)
    def show_library(self, status: LibraryStatus) -> None:
        """Say how far reading is."""
        self._library = status
        n_files = sum(status.counts.values())
        n_final = sum(status.counts.get(state, 0) for state in FINAL_STATES)
        busy = status.waiting > 0 and not status.paused
        self._bar.setVisible(busy)
        self._bar.setRange(0, max(1, n_files))
        self._bar.setValue(n_final)
        self._work.set_full_text(self._library_words(status, n_files))

    def _library_words(self, status: LibraryStatus, n_files: int) -> str:
        count = self.locale().toString
        if status.waiting and status.paused:
            return self.tr("Reading is paused · {0} waiting").format(count(status.waiting))
        if status.waiting:
            words = (
                self.tr("Reading 1 file")
                if status.waiting == 1
                else self.tr("Reading {0} files").format(count(status.waiting))
            )
            return f"{words} · {self._rest_words(status.eta_s)}" if status.eta_s is not None else words
        if not n_files:
            return self.tr("The library is empty")
        if n_files == 1:
            return self.tr("1 file in the library")
        return self.tr("{0} files in the library").format(count(n_files))

    def _rest_words(self, eta_s: float) -> str:
        if eta_s < _MINUTE_S:
            return self.tr("less than a minute")
        minutes = round(eta_s / _MINUTE_S)
        return self.tr("about 1 minute") if minutes == 1 else self.tr("about {0} minutes").format(minutes)

    # --- model

    @Slot(object)
    def show_models(self, models: ModelList) -> None:
        """Say which model would answer."""
        chat = [model for model in models.models if model.kind == "chat"]
        self._has_models = bool(chat)
        if self._entry is not None and self._entry.state == "loading":
            return  # its own events tell more
        shown = self._entry.name if self._entry is not None else ""
        ready = sorted(
            (model for model in chat if model.state == "loaded"), key=lambda model: model.name != shown
        )
        loaded = next(iter(ready), None)
        if loaded is not None:
            self._show_loaded(loaded)
        else:
            self._show_nothing_loaded()

    @Slot(float, bool)
    def show_speed(self, tokens_per_s: float, is_running: bool) -> None:
        """Show how fast the running, or the last, answer came."""
        self._speed = tokens_per_s
        if self._entry is not None and self._entry.state == "loaded":
            self._show_loaded(self._entry)

    def set_cancellable(self, cancellable: bool) -> None:
        """Offer to cancel the loading that is shown."""
        self._is_cancellable = cancellable
        self.cancel.setVisible(cancellable and not self.loading.isHidden())

    @Slot(object)
    def _on_model_changed(self, change: ModelChanged) -> None:
        model = change.model
        if model.kind != "chat":
            return
        self._has_models = True
        if model.state == "loading":
            self._show_loading(change)
        elif model.state == "loaded":
            self._show_loaded(model)
        elif model.state in ("broken", "missing"):
            self._show_nothing_loaded()
            words = self.tr("{0} cannot be used: {1}").format(model.name, model.problem)
            self.model.say(words, model.hint)
        elif self._entry is None or self._entry.name == model.name:
            self._show_nothing_loaded()

    def _show_loading(self, change: ModelChanged) -> None:
        self._entry, self._speed = change.model, None
        words = self.tr("Loading {0}…").format(change.model.name)
        if change.progress is not None:
            words += f" {round(change.progress * 100)} %"
        self.loading.setVisible(change.progress is not None)
        self.loading.setValue(round((change.progress or 0) * 1000))
        self.cancel.setVisible(self._is_cancellable)
        self.model.say(words, change.note)
        self.device.say("")
        self.note.say(change.note, change.note)

    def _show_loaded(self, model: ModelEntry) -> None:
        if self._entry is not None and self._entry.name != model.name:
            self._speed = None
        self._entry = model
        self._hide_loading()
        loaded = model.loaded
        details = details_words(loaded) if loaded is not None else ""
        self.model.say(loaded_words(model.name, loaded, self._speed), details)
        self.device.say(device_words(loaded) if loaded is not None else "")
        notes = loaded.notes if loaded is not None else ()
        self.note.say(notes[-1] if notes else "", "\n".join(notes))

    def _show_nothing_loaded(self) -> None:
        self._entry = self._speed = None
        self._hide_loading()
        self.device.say("")
        self.note.say("")
        self.model.say("" if self._has_models else self.tr("No model is installed"))

    def _hide_loading(self) -> None:
        self.loading.hide()
        self.cancel.hide()

    @Slot()
    def _on_model_clicked(self) -> None:
        (self.models_requested if self._has_models else self.catalogue_requested).emit()

    # --- network

    @Slot(object)
    def show_network(self, status: NetworkStatus) -> None:
        """Show whether a connection is open, and whether the switch is on."""
        self._is_closed = status.offline
        self._open_entries.clear()
        for entry in reversed(status.entries):
            self._note_entry(entry)
        self._show_network()

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Show whether the switch is on."""
        self._is_closed = bool(values.get("offline", False))
        self._show_network()

    @Slot(object)
    def _on_settings_changed(self, change: SettingsChanged) -> None:
        self.show_settings(change.values)

    @Slot(object)
    def _on_network_used(self, used: NetworkUsed) -> None:
        self._note_entry(used.entry)
        if not used.n_open:
            self._open_entries.clear()
        self._show_network()

    def _note_entry(self, entry: LedgerEntry) -> None:
        """Remember what is open: one connection may end while another stays."""
        key = (entry.when, entry.host, entry.why)
        self._open_entries.pop(key, None)
        if entry.outcome == "open":
            words = entry.why or entry.host
            self._open_entries[key] = words[:1].upper() + words[1:] if entry.why else words

    def _show_network(self) -> None:
        open_for = next(reversed(self._open_entries.values()), "")
        if open_for:
            self.network.show_icon("globe", "busy")
            told = self.tr("A connection is open for: {0}\nNothing you ask or add is sent.")
            self.network.say(self.tr("{0}…").format(open_for), told.format(open_for))
        elif self._is_closed:
            self.network.show_icon("offline", "ok")
            self.network.say(
                self.tr("Network off"), self.tr("No connection is opened, whatever is asked for.")
            )
        else:
            self.network.show_icon("offline", "ok")
            self.network.say(self.tr("Offline"), self.tr("Nothing you ask or add leaves this computer."))

    # --- host

    @Slot()
    def _on_connected(self) -> None:
        self._work.set_full_text(self.tr("Ready"))

    @Slot(str)
    def _on_disconnected(self, _words: str) -> None:
        self._bar.hide()
        self._has_models = True  # not known any more
        self._show_nothing_loaded()
        self._open_entries.clear()
        self._show_network()
        self._work.set_full_text(self.tr("Connecting…"))

    @Slot(object)
    def _on_worker_changed(self, change: WorkerChanged) -> None:
        if change.kind == "inference" and change.state != "ready":
            self._show_nothing_loaded()
        if change.state == "ready":
            if self._library is not None:
                self.show_library(self._library)
        elif change.message:
            self._work.set_full_text(change.message)
