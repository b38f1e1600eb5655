"""Short messages over the window's lower edge: what happened, and Undo where that is possible."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.protocol.system import Notice
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S

_MAX_SHOWN = 3
_DURATIONS_MS = {"info": 6_000, "warning": 12_000, "error": 20_000}
_ICONS = {"info": ("info", "accent"), "warning": ("warning", "warning"), "error": ("error", "error")}
_WIDTH = 440


class Toast(QFrame):
    """One message; it goes after a while, but never while the pointer or the focus is on it."""

    def __init__(
        self,
        notice: Notice,
        theme: Theme,
        parent: QWidget,
        action: str = "",
        on_action: Callable[[], object] | None = None,
    ) -> None:
        """Show a notice, with a button `action` where `on_action` can follow."""
        super().__init__(parent)
        self.notice = notice
        set_role(self, "toast")
        self._on_action = on_action
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addWidget(IconLabel(*_ICONS[notice.severity], theme))
        self.words = QLabel("\n".join(part for part in (notice.message, notice.hint) if part))
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        layout.addWidget(self.words, 1)
        self.button = QPushButton(action)
        self.button.setVisible(on_action is not None)
        self.button.clicked.connect(self._on_button_clicked)
        layout.addWidget(self.button)
        close = QToolButton()
        close.setAccessibleName(self.tr("Dismiss"))
        close.setToolTip(self.tr("Dismiss"))
        bind_icon(close, "close", theme)
        close.clicked.connect(self.close)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DURATIONS_MS[notice.severity])
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()

    @Slot()
    def _on_timeout(self) -> None:
        if self.underMouse() or self.button.hasFocus():
            self._timer.start()
        else:
            self.close()

    @Slot()
    def _on_button_clicked(self) -> None:
        if self._on_action is not None:
            self._on_action()
        self.close()


class ToastArea(QObject):
    """Stacks toasts over a widget."""

    def __init__(self, theme: Theme, over: QWidget, above: QWidget) -> None:
        """Show toasts over `over`, centred above its descendant `above`, which they must not hide."""
        super().__init__(over)
        self._theme, self._over, self._above = theme, over, above
        self._toasts: list[Toast] = []
        self._box = QWidget(over)
        self._box.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        self._layout = QVBoxLayout(self._box)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE_S)
        self._box.hide()
        over.installEventFilter(self)
        above.installEventFilter(self)  # a notice in it makes it higher

    @property
    def toasts(self) -> tuple[Toast, ...]:
        """What is shown now, oldest first."""
        return tuple(self._toasts)

    def show_notice(
        self, notice: Notice, action: str = "", on_action: Callable[[], object] | None = None
    ) -> None:
        """Show a notice; the same words are not shown twice at a time."""
        if any(toast.notice.message == notice.message for toast in self._toasts):
            return
        while len(self._toasts) >= _MAX_SHOWN:
            self._toasts[0].close()
        toast = Toast(notice, self._theme, self._box, action, on_action)
        toast.installEventFilter(self)
        self._toasts.append(toast)
        self._layout.addWidget(toast)
        toast.show()
        self._place()
        announce(self._over, toast.words.text(), urgent=notice.severity == "error")

    def dismiss(self, code: str, hint: str) -> None:
        """Take away what has this code and hint, because it is told in a better place now."""
        for toast in self.toasts:
            if (toast.notice.code, toast.notice.hint) == (code, hint):
                toast.close()

    def undo(self, words: str, on_undo: Callable[[], object]) -> None:
        """Say what was done and offer to undo it."""
        notice = Notice(severity="info", code="", message=words)
        self.show_notice(notice, self.tr("Undo"), on_undo)

    def _place(self) -> None:
        self._box.setVisible(bool(self._toasts))
        width = min(_WIDTH, self._over.width() - 2 * SPACE_L)
        self._box.setFixedWidth(width)
        self._layout.activate()
        height = max(self._layout.totalHeightForWidth(width), self._layout.totalMinimumSize().height())
        place = self._above.mapTo(self._over, QPoint(0, 0))
        x = place.x() + (self._above.width() - width) // 2
        x = max(SPACE_L, min(x, self._over.width() - width - SPACE_L))
        self._box.setGeometry(x, place.y() - height - SPACE_M, width, height)
        self._box.raise_()

    # Qt overrides

    def eventFilter(self, watched: QObject, event: QEvent, /) -> bool:
        """Follow the window's size and let go of closed toasts."""
        if event.type() == QEvent.Type.Close and isinstance(watched, Toast) and watched in self._toasts:
            self._toasts.remove(watched)
            self._layout.removeWidget(watched)
            self._place()
        elif (
            event.type() in (QEvent.Type.Resize, QEvent.Type.Move)
            and watched in (self._over, self._above)
            and self._toasts
        ):
            self._place()
        return False


def announce(widget: QWidget, words: str, *, urgent: bool = False) -> None:
    """Let a screen reader speak words."""
    event = QAccessibleAnnouncementEvent(widget, words)
    if urgent:
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
    QAccessible.updateAccessibility(event)
