"""What the chat shows before the first question."""

from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.ui.chat.empty_state import EmptyState
from app.ui.theme import Theme


def test_no_button_is_cut_off_in_a_narrow_window(qtbot: QtBot, theme: Theme) -> None:
    empty = EmptyState(theme)
    qtbot.addWidget(empty)
    empty.setMinimumSize(1, 1)
    empty.show()
    for width, is_narrow in ((320, True), (900, False), (320, True)):
        empty.resize(width, 500)
        buttons = [each for each in empty.findChildren(QPushButton) if each.isVisible()]
        qtbot.waitUntil(
            lambda each=buttons, narrow=is_narrow: (len({one.y() for one in each}) == len(each)) == narrow
        )
        assert len(buttons) == 3
        assert all(each.width() >= each.sizeHint().width() for each in buttons)
