"""What the chat shows before the first question."""

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.ui.chat.empty_state import EmptyState
from app.ui.theme import Theme


@pytest.mark.parametrize(("width", "is_narrow"), [(320, True), (900, False)])
def test_no_button_is_cut_off(qtbot: QtBot, theme: Theme, width: int, is_narrow: bool) -> None:
    empty = EmptyState(theme)
    qtbot.addWidget(empty)
    empty.setMinimumSize(1, 1)
    empty.show()
    empty.resize(width, 500)
    buttons = [each for each in empty.findChildren(QPushButton) if each.isVisible()]

    def rows_are_right() -> None:
        assert len({each.y() for each in buttons}) == (len(buttons) if is_narrow else 1)

    qtbot.waitUntil(rows_are_right)
    assert len(buttons) == 3
    assert all(each.width() >= each.sizeHint().width() for each in buttons)
