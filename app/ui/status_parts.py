"""What the status line is made of, and its words about the loaded model."""

from PySide6.QtCore import QCoreApplication, QLocale, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolButton

from app.protocol.models import Loaded
from app.ui.elements.tooltips import plain_tooltip
from app.ui.guide.words import gigabytes
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role

_ICON_SIZE = 14
_PADDING = 2 * 4 + 2
_GAP = 5


class StatusButton(QToolButton):
    """A flat button of one line that shortens its words to the room it has."""

    def __init__(self, theme: Theme, what: str, narrowest: int = 44, widest: int = 400) -> None:
        """Show nothing yet.

        Args:
            theme: colours the icon.
            what: is said before the words to a screen reader.
            narrowest: pixels that it keeps in a narrow window.
            widest: pixels that it takes in a wide one.
        """
        super().__init__()
        self._theme, self._what = theme, what
        self._narrowest, self._widest = narrowest, widest
        self._words = self._help = ""
        self._has_icon = False
        set_role(self, "status")
        self.setIconSize(QSize(_ICON_SIZE, _ICON_SIZE))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.hide()

    @property
    def words(self) -> str:
        """What it says, in full."""
        return self._words

    def say(self, words: str, help_words: str = "") -> None:
        """Say words, with more in the tool tip; hidden while there are none."""
        self._words, self._help = " ".join(words.split()), help_words
        self.setVisible(bool(self._words))
        self.setAccessibleName(f"{self._what}: {self._words}")
        self.setAccessibleDescription(help_words)
        self.updateGeometry()
        self._shorten()

    def show_icon(self, name: str, role: str) -> None:
        """Show an icon before the words."""
        self._has_icon = True
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bind_icon(self, name, self._theme, role)
        self._shorten()

    def _extra(self) -> int:
        return _PADDING + (_ICON_SIZE + _GAP if self._has_icon else 0)

    def _shorten(self) -> None:
        room = max(0, self.width() - self._extra())
        shown = self.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideRight, room)
        self.setText(shown.replace("&", "&&"))
        parts = (self._words if shown != self._words else "", self._help)
        self.setToolTip(plain_tooltip("\n".join(part for part in parts if part)))

    # Qt overrides

    def sizeHint(self) -> QSize:
        """Give room for all the words, up to the greatest width."""
        self.ensurePolished()
        width = self.fontMetrics().horizontalAdvance(self._words) + self._extra() + 2
        return QSize(min(width, self._widest), self.fontMetrics().height() + 8)

    def minimumSizeHint(self) -> QSize:
        """Allow as little as it was given."""
        return QSize(min(self._narrowest, self.sizeHint().width()), self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Shorten anew."""
        super().resizeEvent(event)
        self._shorten()


def loaded_words(name: str, loaded: Loaded | None, tokens_per_s: float | None) -> str:
    """Say in a line which model is ready, how fast it writes and what memory it takes."""
    speed = tokens_per_s or (loaded.measured_tokens_per_s if loaded is not None else None)
    n_bytes = (loaded.measured_bytes or loaded.predicted_bytes) if loaded is not None else 0
    if not speed and not n_bytes:
        return _tr("{0} is ready").format(name)
    parts = [name if speed else _tr("{0} is ready").format(name)]
    if speed:
        parts.append(_tr("{0} tokens/s").format(QLocale().toString(speed, "f", 0 if speed >= 10 else 1)))
    if n_bytes:
        parts.append(_tr("{0} GB").format(gigabytes(n_bytes)))
    return " · ".join(parts)


def device_words(loaded: Loaded) -> str:
    """Say what the model is computed on."""
    if 0 < loaded.n_gpu_layers < loaded.n_layers:
        return _tr("{0}, {1} of {2} layers").format(loaded.device, loaded.n_gpu_layers, loaded.n_layers)
    return loaded.device


def details_words(loaded: Loaded) -> str:
    """Give the finer figures of a loaded model, one a line."""
    locale = QLocale()
    lines = [_tr("Context: {0} tokens").format(locale.toString(loaded.context_length))]
    if loaded.predicted_bytes and loaded.measured_bytes:
        lines.append(
            _tr("Memory: {0} GB expected, {1} GB measured").format(
                gigabytes(loaded.predicted_bytes), gigabytes(loaded.measured_bytes)
            )
        )
    if loaded.predicted_tokens_per_s and loaded.measured_tokens_per_s:
        lines.append(
            _tr("Speed: {0} tokens/s expected, {1} measured").format(
                locale.toString(loaded.predicted_tokens_per_s, "f", 1),
                locale.toString(loaded.measured_tokens_per_s, "f", 1),
            )
        )
    return "\n".join(lines)


def _tr(text: str) -> str:
    return QCoreApplication.translate("StatusLine", text)
