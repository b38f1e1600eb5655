"""Small widgets and the way to the system's programs."""

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from app.core.errors import WorkerError
from app.ui.elements.banner import Banner
from app.ui.elements.buttons import tool_button
from app.ui.elements.elided_label import ElidedLabel
from app.ui.elements.message_card import MessageCard
from app.ui.elements.system_opener import SystemOpener
from app.ui.theme import Theme

ERROR = WorkerError("x.y", "It broke.", "Try again.")


def test_a_label_shortens_and_keeps_the_whole(qtbot: QtBot, theme: Theme) -> None:
    label = ElidedLabel("A very long\nname of a document.pdf", Qt.TextElideMode.ElideMiddle)
    qtbot.addWidget(label)
    label.resize(90, 20)
    label.show()
    assert "…" in label.text()
    assert (
        label.full_text == label.accessibleName() == label.toolTip() == "A very long name of a document.pdf"
    )
    label.resize(label.sizeHint())
    assert label.text() == label.full_text
    assert label.toolTip() == ""
    assert label.minimumSizeHint().width() < 60


def test_no_step_of_a_banner_is_cut_off(qtbot: QtBot, theme: Theme) -> None:
    banner = Banner(theme)
    qtbot.addWidget(banner)
    banner.setMinimumSize(1, 1)
    banner.say("info", "Look.", [(words, banner.hide) for words in ("Models…", "Settings…", "All the same")])
    for width, n_rows in ((260, 3), (700, 1), (260, 3)):
        banner.resize(width, 200)
        qtbot.waitUntil(lambda n=n_rows: len({each.y() for each in banner.buttons}) == n)  # type: ignore[misc]
        assert all(each.width() >= each.sizeHint().width() for each in banner.buttons)


def test_a_banner_says_and_offers(qtbot: QtBot, theme: Theme) -> None:
    banner, pressed = Banner(theme), []
    qtbot.addWidget(banner)
    assert banner.isHidden()
    banner.say(
        "warning", "Look.", (("First", lambda: pressed.append(1)), ("Second", lambda: pressed.append(2)))
    )
    assert (banner.text, banner.accessibleName()) == ("Look.", "Look.")
    banner.buttons[1].click()
    assert pressed == [2]
    banner.say_error(ERROR)
    assert banner.text == "It broke. Try again."
    assert banner.buttons == []
    theme.set_setting("dark")
    assert not banner.isHidden()


def test_a_card_says_and_offers(qtbot: QtBot, theme: Theme) -> None:
    card, pressed = MessageCard(theme), []
    qtbot.addWidget(card)
    card.show()
    card.say("info", "Title", "Text", (("Go", lambda: pressed.append(1)),), note="Small print")
    assert (card.title, card.text) == ("Title", "Text")
    card.buttons[0].click()
    assert pressed == [1]
    card.say_error("Failed", ERROR)
    assert (card.title, card.text, card.buttons) == ("Failed", "It broke. Try again.", [])
    theme.set_setting("dark")


def test_a_button_names_itself_and_its_keys(qtbot: QtBot, theme: Theme) -> None:
    button = tool_button("search", "Find", theme, keys="Ctrl+F")
    qtbot.addWidget(button)
    assert (button.accessibleName(), button.toolTip()) == ("Find", "Find (Ctrl+F)")
    plain = tool_button("close", "Close", theme)
    qtbot.addWidget(plain)
    assert plain.toolTip() == "Close"


def test_files_and_folders_go_to_the_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[QUrl] = []

    def open_url(url: QUrl) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    monkeypatch.setattr(sys, "platform", "linux")
    path = tmp_path / "a 文.txt"
    path.write_text("x")
    opener = SystemOpener()
    assert opener.open_file(str(path))
    assert opener.show_in_folder(str(path))
    assert [url.toLocalFile() for url in opened] == [str(path), str(tmp_path)]
    assert not opener.open_file(str(tmp_path / "gone.txt"))
    assert not opener.show_in_folder(str(tmp_path / "gone" / "x.txt"))


@pytest.mark.parametrize(("platform", "command"), [("darwin", ["open", "-R"]), ("win32", ["explorer"])])
def test_other_systems_choose_the_file_in_its_folder(
    platform: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def start(program: str, arguments: list[str]) -> tuple[bool, int]:
        started.append([program, *arguments])
        return True, 1

    monkeypatch.setattr(QProcess, "startDetached", start)
    monkeypatch.setattr(sys, "platform", platform)
    assert SystemOpener().show_in_folder("/x/a.txt")
    assert started[0][: len(command)] == command
    assert "a.txt" in started[0][-1]
