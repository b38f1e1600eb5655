"""In the composer while somebody talks: that the microphone is open, what it hears, what was understood."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.protocol.speech import MicrophoneState
from app.ui.chat.busy_indicator import BusyIndicator
from app.ui.elements.elided_label import ElidedLabel
from app.ui.theme import Theme, set_role
from app.ui.toasts import announce
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS
from app.ui.voice.listener import CLOSING, HEARING, OPENING, TRANSCRIBING
from app.ui.voice.meters import QUIETEST_DB, LevelMeter, Waveform
from app.ui.voice.microphone_sign import MicrophoneSign

_PARTIAL_LINES = 3
_MINUTE_S = 60
_NARROW_PX = 400


class TalkStrip(QFrame):
    """Shows one use of the microphone, or a hands-free conversation; hidden while there is neither.

    Signals:
        finish_requested: close the microphone and understand what came.
        cancel_requested: close it and forget what came; or end the hands-free conversation.
    """

    finish_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self._is_hands_free = False
        self._told = ""
        self._partial_text = ""
        self._is_narrow = False
        self.sign = MicrophoneSign(theme)
        self.busy = BusyIndicator(theme, 18)
        self._title, self._hint = ElidedLabel(), ElidedLabel()
        set_role(self._title, "strong")
        set_role(self._hint, "faint")
        self._elapsed = QLabel()
        self._elapsed.setTextFormat(Qt.TextFormat.PlainText)
        self.meter, self.waveform = LevelMeter(theme), Waveform(theme)
        self.partial = QLabel()
        self.partial.setTextFormat(Qt.TextFormat.PlainText)
        self.partial.setWordWrap(True)
        self.partial.setMinimumWidth(1)
        set_role(self.partial, "muted")
        self.finish_button = QPushButton(self.tr("Finish"))
        set_role(self.finish_button, "primary")
        self.finish_button.clicked.connect(self.finish_requested)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancel_requested)
        for button in (self.finish_button, self.cancel_button):
            button.setAutoDefault(False)
        self._lay_out()
        self.hide()

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._title)
        words.addWidget(self._hint)
        top = QHBoxLayout()
        top.setSpacing(SPACE_S)
        top.addWidget(self.sign)
        top.addWidget(self.busy)
        top.addLayout(words, 1)
        top.addWidget(self._elapsed)
        self._buttons = QWidget()
        buttons = QHBoxLayout(self._buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(SPACE_S)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.finish_button)
        top.addWidget(self._buttons)
        self._top, self._foot = top, QHBoxLayout()
        self._sound = QWidget()
        sound = QHBoxLayout(self._sound)
        sound.setContentsMargins(0, 0, 0, 0)
        sound.setSpacing(SPACE_M)
        sound.addWidget(self.waveform, 3)
        sound.addWidget(self.meter, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_XS)
        layout.addLayout(top)
        layout.addWidget(self._sound)
        layout.addWidget(self.partial)
        layout.addLayout(self._foot)

    @property
    def title(self) -> str:
        """What it says, in full."""
        return self._title.full_text

    @property
    def hint(self) -> str:
        """What stands under the title, in full."""
        return self._hint.full_text

    @property
    def elapsed(self) -> str:
        """How long the microphone has been open, as it is shown."""
        return self._elapsed.text()

    # --- what it shows

    def begin(self, *, hands_free: bool = False) -> None:
        """Show an empty strip: of one talk, or of a hands-free conversation."""
        self._is_hands_free, self._told = hands_free, ""
        self.waveform.clear()
        self.show_partial("")
        self.meter.show_level(QUIETEST_DB)
        self._elapsed.setText("")
        self.cancel_button.setText(self.tr("End") if hands_free else self.tr("Cancel"))
        words = self.tr("End the hands-free conversation (Esc)") if hands_free else self.tr("Cancel (Esc)")
        self.cancel_button.setToolTip(words)
        self.cancel_button.setEnabled(True)
        self.finish_button.setVisible(not hands_free)
        self.show()

    def end(self) -> None:
        """Vanish: the microphone is closed."""
        self.sign.show_open(False)
        self.hide()

    def show_state(self, state: MicrophoneState, reading: tuple[str, str] | None = None) -> None:
        """Show what the microphone does and hears.

        Args:
            state: of the microphone.
            reading: title and hint while something is read aloud and nobody speaks; the clock rests then.
        """
        self._show_open(state.phase != TRANSCRIBING)
        self.finish_button.setVisible(not self._is_hands_free and state.phase != TRANSCRIBING)
        self.finish_button.setEnabled(state.phase not in (OPENING, CLOSING))
        self.cancel_button.setEnabled(state.phase != CLOSING)
        self.meter.show_level(state.level_db)
        self.sign.show_level(state.level_db)
        self.waveform.add(state.peaks)
        self._elapsed.setText("" if reading else _clock(state.elapsed_s))
        self._say(*(reading or self._words(state.phase)))

    def show_waiting(self, title: str, hint: str) -> None:
        """Say what a hands-free conversation does while the microphone is closed."""
        self._show_open(False)
        self.waveform.clear()
        self.show_partial("")
        self._elapsed.setText("")
        self._say(title, hint)

    def show_partial(self, text: str) -> None:
        """Show what was understood so far; of a long text its end."""
        self._partial_text = text
        self.partial.setVisible(bool(text))
        self._fit_partial()

    def _show_open(self, is_open: bool) -> None:
        self.sign.setVisible(is_open)
        self.busy.setVisible(not is_open)
        self._sound.setVisible(is_open)
        set_role(self, "banner-error" if is_open else "chip")
        if is_open != self.sign.is_open:
            self.sign.show_open(is_open)

    def _words(self, phase: str) -> tuple[str, str]:
        if phase == OPENING:
            return self.tr("Opening the microphone…"), self.tr("Speak when the clock runs")
        if phase == CLOSING:
            return self.tr("Closing the microphone…"), ""
        if phase == TRANSCRIBING:
            return self.tr("Understanding…"), self.tr("The microphone is closed")
        hint = self.tr("The microphone is open")
        if self._is_hands_free:
            return (self.tr("Hearing you…") if phase == HEARING else self.tr("Listening…")), hint
        return self.tr("Recording"), hint

    def _say(self, title: str, hint: str) -> None:
        self._title.set_full_text(title)
        self._hint.set_full_text(hint)
        self._hint.setVisible(bool(hint))
        self.setAccessibleName(f"{title} {hint}".strip())
        if title != self._told:
            self._told = title
            announce(self, self.accessibleName(), urgent=True)

    @Slot()
    def _fit_partial(self) -> None:
        room = max(40, self.width() - 2 * SPACE_S)
        per_line = max(8, int(0.9 * room / max(1, self.fontMetrics().averageCharWidth())))
        limit = per_line * _PARTIAL_LINES
        text = " ".join(self._partial_text.split())
        if len(text) > limit:
            text = "…" + text[-limit:].partition(" ")[2]
        self.partial.setText(text)

    # Qt overrides

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Fit the text anew; a narrow strip has its buttons in a line of their own."""
        super().resizeEvent(event)
        self._fit_partial()
        is_narrow = self.width() < _NARROW_PX
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            (self._top if is_narrow else self._foot).removeWidget(self._buttons)
            (self._foot if is_narrow else self._top).addWidget(self._buttons)

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Cancel on Esc."""
        if event.key() == Qt.Key.Key_Escape and self.cancel_button.isEnabled():
            self.cancel_requested.emit()
        else:
            super().keyPressEvent(event)


def _clock(seconds: float) -> str:
    """Give minutes and seconds."""
    whole = int(seconds)
    return f"{whole // _MINUTE_S}:{whole % _MINUTE_S:02}"
