"""Flat buttons with an icon of the theme."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QToolButton, QWidget

from app.ui.icons import bind_icon
from app.ui.theme import Theme
from app.ui.tokens import ICON_SIZE


def tool_button(
    icon_name: str, text: str, theme: Theme, parent: QWidget | None = None, keys: str = ""
) -> QToolButton:
    """Make a flat button that shows an icon only.

    Args:
        icon_name: as in `app.ui.icons`.
        text: what it does: its tool tip, and its name for screen readers.
        theme: colours the icon.
        parent: owner.
        keys: the shortcut to name in the tool tip; the button does not create it.
    """
    button = QToolButton(parent)
    button.setIconSize(QSize(ICON_SIZE, ICON_SIZE))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setAccessibleName(text)
    shortcut = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) if keys else ""
    button.setToolTip(f"{text} ({shortcut})" if shortcut else text)
    bind_icon(button, icon_name, theme)
    return button
