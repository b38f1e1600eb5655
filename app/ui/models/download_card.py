"""One download: how far it is, why it is not, and what can be done."""

import time

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from app.protocol.downloads import Download
from app.ui.elements.elided_label import ElidedLabel
from app.ui.icon_label import IconLabel
from app.ui.models.downloads_controller import ENDED, PAUSABLE, fraction
from app.ui.models.flow import FlowBox
from app.ui.models.parts import plain_label, push_button, restyle
from app.ui.models.words import Mark, amount_words, download_mark, duration_words, transfer_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS

_STEPS = 10_000
_TICK_MS = 500
_BAR_ROLES = {
    "failed": "error",
    "paused": "text_faint",
    "stalled": "warning",
    "retrying": "warning",
    "done": "ok",
}


class DownloadCard(QFrame):
    """Shows a Download and changes in place; Delete cancels it or takes it from the list.

    Signals:
        pause_requested, resume_requested, remove_requested: of the download shown (object).
        model_requested: name of the model that it became.
    """

    pause_requested = Signal(object)
    resume_requested = Signal(object)
    remove_requested = Signal(object)
    model_requested = Signal(str)

    def __init__(self, download: Download, theme: Theme, parent: QWidget | None = None) -> None:
        """Show a download."""
        super().__init__(parent)
        self._theme = theme
        self.download = download
        set_role(self, "card")
        self.title, self.file = ElidedLabel(), ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        set_role(self.file, "faint")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self._icon = IconLabel("download", "busy", theme, 16)
        self.state, self.figures = QLabel(), plain_label("", "muted")
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.reason = plain_label("", "")
        self.reason.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._add_buttons()
        self._lay_out()
        theme.changed.connect(self._dress)
        self._retry_at: float | None = None
        self._ticks = QTimer(self, interval=_TICK_MS)
        self._ticks.timeout.connect(self._show_state)
        self.show_download(download)

    def show_download(self, download: Download) -> None:
        """Show a download as it is now."""
        self.download = download
        self.title.set_full_text(download.title)
        self.file.set_full_text(f"{download.name} · {download.repository}")
        self._follow_retry(download)
        mark = self._show_state()
        self.figures.setText(self._figures(download))
        words = f"{download.error_message} {download.error_hint}".strip()
        self.reason.setText(words)
        self.reason.setVisible(bool(words))
        self._show_bar(download)
        self._show_buttons(download)
        self.setAccessibleName(f"{download.title}: {mark.words}")
        self.setAccessibleDescription(", ".join(part for part in (self.figures.text(), words) if part))
        self._dress()

    def _follow_retry(self, download: Download) -> None:
        wait_s = download.retry_in_s if download.state == "retrying" else None
        self._retry_at = None if wait_s is None else time.monotonic() + wait_s
        if wait_s is None:
            self._ticks.stop()
        else:
            self._ticks.start()

    @Slot()
    def _show_state(self) -> Mark:
        wait_s = None if self._retry_at is None else self._retry_at - time.monotonic()
        mark = download_mark(self.download, wait_s)
        self._icon.set_icon(mark.icon, mark.role)
        self.state.setText(mark.words)
        return mark

    def _figures(self, download: Download) -> str:
        parts = [amount_words(download)]
        if download.state == "running" and download.bytes_per_s is not None:
            parts.append(transfer_words(download.bytes_per_s))
            if download.eta_s is not None:
                parts.append(self.tr("{0} left").format(duration_words(download.eta_s)))
        return " · ".join(part for part in parts if part)

    def _show_bar(self, download: Download) -> None:
        done = fraction(download)
        is_unknown = done is None and download.state in ("starting", "running")
        self.bar.setRange(0, 0 if is_unknown else _STEPS)
        if not is_unknown:
            self.bar.setValue(round(_STEPS * (done or 0)))
        self.bar.setVisible(download.state not in ("done", "cancelled"))

    def _show_buttons(self, download: Download) -> None:
        state = download.state
        self.pause_button.setVisible(state in PAUSABLE)
        self.resume_button.setVisible(state == "paused")
        self.retry_button.setVisible(state == "failed")
        self.show_button.setVisible(state == "done" and bool(download.model))
        is_ended = state in ENDED
        self.cancel_button.setVisible(not is_ended)
        self.remove_button.setVisible(is_ended)
        for button in self._buttons:
            words = button.text().replace("&", "")
            button.setAccessibleName(f"{words}: {download.title}")

    def focus_button(self) -> None:
        """Put the keyboard on the first button that can be used now."""
        next(button for button in self._buttons if not button.isHidden()).setFocus()

    @Slot()
    def _dress(self) -> None:
        mark = download_mark(self.download)
        restyle(self.state, f"color: {self._theme.colour(mark.role).name()};")
        colour = self._theme.colour(_BAR_ROLES.get(self.download.state, "busy")).name()
        restyle(self.bar, f"QProgressBar::chunk {{ background: {colour}; }}")

    def _add_buttons(self) -> None:
        theme = self._theme
        self.pause_button = push_button(self.tr("Pause"), theme, "pause")
        self.resume_button = push_button(self.tr("Resume"), theme, "play", "primary")
        self.retry_button = push_button(self.tr("Try again"), theme, "retry", "primary")
        self.show_button = push_button(self.tr("Show the model"), theme, "model", "primary")
        self.cancel_button = push_button(self.tr("Cancel"), theme, "close")
        self.remove_button = push_button(self.tr("Remove from list"), theme, "close")
        self._buttons = (
            self.pause_button,
            self.resume_button,
            self.retry_button,
            self.show_button,
            self.cancel_button,
            self.remove_button,
        )
        self.pause_button.clicked.connect(self._on_pause_clicked)
        self.resume_button.clicked.connect(self._on_resume_clicked)
        self.retry_button.clicked.connect(self._on_resume_clicked)
        self.show_button.clicked.connect(self._on_show_clicked)
        self.cancel_button.clicked.connect(self._on_remove_clicked)
        self.remove_button.clicked.connect(self._on_remove_clicked)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(SPACE_XS)
        words.addWidget(self.title)
        words.addWidget(self.file)
        top = QHBoxLayout()
        top.setSpacing(SPACE_S)
        top.addLayout(words, 1)
        top.addWidget(FlowBox(*self._buttons), 0, Qt.AlignmentFlag.AlignTop)
        line = QHBoxLayout()
        line.setSpacing(SPACE_S)
        line.addWidget(self._icon)
        line.addWidget(self.state)
        line.addWidget(self.figures, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        layout.setSpacing(SPACE_S)
        layout.addLayout(top)
        layout.addWidget(self.bar)
        layout.addLayout(line)
        layout.addWidget(self.reason)

    @Slot()
    def _on_pause_clicked(self) -> None:
        self.pause_requested.emit(self.download)

    @Slot()
    def _on_resume_clicked(self) -> None:
        self.resume_requested.emit(self.download)

    @Slot()
    def _on_remove_clicked(self) -> None:
        self.remove_requested.emit(self.download)

    @Slot()
    def _on_show_clicked(self) -> None:
        self.model_requested.emit(self.download.model)

    # Qt overrides

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Delete on any of its buttons cancels or removes it."""
        if event.key() == Qt.Key.Key_Delete:
            self.remove_requested.emit(self.download)
        else:
            super().keyPressEvent(event)
