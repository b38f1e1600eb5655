"""Where Tab goes among widgets that come and go: by their place on the screen, not by when they were made."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget


def focus_stops(widget: QWidget) -> list[QWidget]:
    """Give the descendants that take the focus by Tab, from top to bottom and left to right."""
    stops = [
        child
        for child in widget.findChildren(QWidget)
        if child.focusPolicy() & Qt.FocusPolicy.TabFocus
        and child.isEnabled()
        and child.isVisibleTo(widget)
        and child.focusProxy() is None
    ]

    def place(child: QWidget) -> tuple[int, int]:
        top_left = child.mapTo(widget, QPoint(0, 0))
        return top_left.y(), top_left.x()

    return sorted(stops, key=place)


def next_outside(widget: QWidget) -> QWidget | None:
    """Give the widget that follows `widget` and all within it in the window's focus order, if any.

    What was made late stands at the end of Qt's order, wherever it is on the screen: the search begins here.
    """
    candidate = widget.nextInFocusChain()
    while candidate is not None and candidate is not widget:
        outside = not widget.isAncestorOf(candidate)
        can_take = candidate.focusPolicy() & Qt.FocusPolicy.TabFocus and candidate.isEnabled()
        if outside and can_take and candidate.isVisible():
            return candidate
        candidate = candidate.nextInFocusChain()
    return None
