"""The line at the window's lower edge: what goes on in the background, and which model is there."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QWidget

from app.protocol.library import FINAL_STATES, LibraryStatus
from app.protocol.models import ModelChanged, ModelList
from app.protocol.system import WorkerChanged
from app.ui.icon_label import IconLabel
from app.ui.session import Session
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS

_MINUTE_S = 60


class StatusLine(QFrame):
    """Shows ingestion at the left, model and privacy at the right."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        """Follow the session's events."""
        super().__init__(parent)
        set_role(self, "status")
        self._library: LibraryStatus | None = None
        self._work = self._label()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(120)
        self._bar.setAccessibleName(self.tr("Progress of reading"))
        self._bar.hide()
        self._model = self._label()
        privacy = self._label()
        privacy.setText(self.tr("Offline"))
        privacy.setToolTip(self.tr("Nothing you ask or add leaves this computer."))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_XS, SPACE_M, SPACE_XS)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self._work)
        layout.addWidget(self._bar)
        layout.addStretch()
        layout.addWidget(self._model)
        layout.addSpacing(SPACE_L)
        layout.addWidget(IconLabel("offline", "ok", theme, 14))
        layout.addWidget(privacy)
        session.connected.connect(self._on_connected)
        session.disconnected.connect(self._on_disconnected)
        session.library_status_changed.connect(self.show_library)
        session.model_changed.connect(self._on_model_changed)
        session.worker_changed.connect(self._on_worker_changed)
        self._work.setText(self.tr("Starting…"))

    @property
    def work_words(self) -> str:
        """What the left side says."""
        return self._work.text()

    @property
    def model_words(self) -> str:
        """What the right side says."""
        return self._model.text()

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
        self._work.setText(self._library_words(status, n_files))

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

    def show_models(self, models: ModelList) -> None:
        """Say which model would answer."""
        loaded = next((model for model in models.models if model.state == "loaded"), None)
        if loaded is not None:
            self._model.setText(self.tr("{0} is ready").format(loaded.name))
        elif not models.models:
            self._model.setText(self.tr("No model is installed"))
        else:
            self._model.clear()

    def _label(self) -> QLabel:
        label = QLabel()
        label.setTextFormat(Qt.TextFormat.PlainText)
        set_role(label, "faint")
        return label

    @Slot()
    def _on_connected(self) -> None:
        self._work.setText(self.tr("Ready"))

    @Slot(str)
    def _on_disconnected(self, _words: str) -> None:
        self._bar.hide()
        self._model.clear()
        self._work.setText(self.tr("Connecting…"))

    @Slot(object)
    def _on_model_changed(self, change: ModelChanged) -> None:
        name, state = change.model.name, change.model.state
        if state == "loading":
            percent = f" {round(change.progress * 100)} %" if change.progress is not None else ""
            self._model.setText(self.tr("Loading {0}…").format(name) + percent)
        elif state == "loaded":
            self._model.setText(self.tr("{0} is ready").format(name))
        elif state == "broken":
            self._model.setText(self.tr("{0} cannot be used: {1}").format(name, change.model.problem))
        else:
            self._model.clear()

    @Slot(object)
    def _on_worker_changed(self, change: WorkerChanged) -> None:
        if change.kind == "inference" and change.state != "ready":
            self._model.clear()
        if change.state == "ready":
            if self._library is not None:
                self.show_library(self._library)
        elif change.message:
            self._work.setText(change.message)
