"""The page of downloads: each state in words, what can be done in it, and changes that disturb nothing."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QPushButton

from app.core.errors import AppError
from app.protocol.downloads import (
    CancelDownload,
    Download,
    DownloadList,
    ListDownloads,
    PauseDownload,
    ResumeDownload,
)
from app.ui.models.download_card import DownloadCard
from app.ui.models.downloads_controller import fraction
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.models import samples
from tests.ui.models.conftest import Make, Shown, words
from tests.ui.models.samples import (
    DONE,
    FAILED,
    GB,
    PAUSED,
    QUEUED,
    RETRYING,
    RUNNING,
    SMOL_OFFER,
    VERIFYING,
)

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


def card(shown: Shown, download: Download) -> DownloadCard:
    found: DownloadCard = next(each for each in shown.downloads.cards if each.download.id == download.id)
    return found


def buttons(card: DownloadCard) -> list[str]:
    return [button.text() for button in card.findChildren(QPushButton) if button.isVisibleTo(card)]


@pytest.mark.parametrize(
    ("download", "told", "offered"),
    [
        (QUEUED, "Waiting for its turn", ["Pause", "Cancel"]),
        (RUNNING, "1.9 GB of 4.4 GB · 11.4 MB/s · about 4 minutes left", ["Pause", "Cancel"]),
        (replace(RUNNING, state="starting", total_bytes=None), "Connecting", ["Pause", "Cancel"]),
        (RETRYING, "The hub asks for a pause: too many requests.", ["Pause", "Cancel"]),
        (PAUSED, "1.4 GB of 4.1 GB", ["Resume", "Cancel"]),
        (VERIFYING, "Checking the file", ["Cancel"]),
        (FAILED, "its fingerprint differs. It was deleted. Try again", ["Try again", "Remove from list"]),
        (DONE, "Done and checked", ["Show the model", "Remove from list"]),
        (replace(DONE, model=""), "Done and checked", ["Remove from list"]),
        (replace(RUNNING, state="cancelled"), "Cancelled", ["Remove from list"]),
    ],
)
async def test_a_state_is_told_with_what_can_be_done(
    download: Download, told: str, offered: list[str], theme: Theme
) -> None:
    shown = DownloadCard(download, theme)
    shown.resize(700, 140)
    assert told in words(shown)
    assert buttons(shown) == offered
    assert shown.accessibleName().startswith(download.title)
    theme.set_setting("dark")
    assert theme.colour("text").name() not in shown.state.styleSheet()
    shown.deleteLater()


async def test_the_next_try_is_counted_down(theme: Theme) -> None:
    shown = DownloadCard(replace(RETRYING, retry_in_s=1.6), theme)
    assert shown.state.text() == "Trying again in 2 s"
    await until(lambda: shown.state.text() == "Trying again in 1 s")
    shown.show_download(RUNNING)
    assert shown.state.text() == "Downloading"
    shown.deleteLater()


def test_how_far_a_download_is() -> None:
    assert fraction(DONE) == 1.0
    assert fraction(replace(RUNNING, total_bytes=None)) is None
    assert fraction(replace(RUNNING, done_bytes=9 * GB)) == 1.0


async def test_the_newest_stands_first_and_the_running_are_counted(shown: Shown) -> None:
    QAbstractItemModelTester(shown.controller.downloads.downloads, FATAL)
    shown.controller.open("downloads")
    assert [each.download.id for each in shown.downloads.cards] == ["d7", "d6", "d5", "d4", "d3", "d2", "d1"]
    navigation = shown.controller.window.navigation
    item = navigation.item(navigation.keys.index("downloads"))
    assert item.data(Qt.ItemDataRole.AccessibleTextRole) == "Downloads, 4 are running"
    counted: list[int] = []
    shown.controller.running_changed.connect(counted.append)
    shown.host.change(replace(RUNNING, state="paused"))
    assert counted == [3]
    shown.host.change(replace(QUEUED, id="d8", title="Another"))
    assert shown.downloads.cards[0].title.full_text == "Another" and counted[-1] == 4


async def test_progress_changes_one_card_in_place_and_keeps_the_focus(shown: Shown) -> None:
    shown.controller.open("downloads")
    running = card(shown, RUNNING)
    running.pause_button.setFocus()
    before = list(shown.downloads.cards)
    for step in range(1, 5):
        shown.host.change(replace(RUNNING, done_bytes=RUNNING.done_bytes + step * 100_000_000))
    assert shown.downloads.cards == before and running.pause_button.hasFocus()
    assert running.bar.value() > 4200 and "2.3 GB of 4.4 GB" in running.figures.text()


async def test_wishes_reach_the_host(shown: Shown, session: FakeSession) -> None:
    shown.controller.open("downloads")
    card(shown, RUNNING).pause_button.click()
    card(shown, PAUSED).resume_button.click()
    card(shown, FAILED).retry_button.click()
    shown.downloads.pause_button.click()
    shown.downloads.resume_button.click()
    await until(lambda: len(session.sent(ResumeDownload)) == 3 and len(session.sent(PauseDownload)) == 2)
    assert [request.id for request in session.sent(PauseDownload)] == ["d6", ""]
    assert [request.id for request in session.sent(ResumeDownload)] == ["d4", "d2", ""]


async def test_cancelling_asks_before_much_is_lost(shown: Shown, session: FakeSession) -> None:
    shown.controller.open("downloads")
    shown.answers.agrees = False
    card(shown, RUNNING).cancel_button.click()
    await until(lambda: shown.answers.asked)
    assert "1.9 GB of Qwen 2.5 7B Instruct · Q4_K_M have come and will be deleted" in shown.answers.asked[0]
    assert session.sent(CancelDownload) == []
    shown.answers.agrees = True
    card(shown, RUNNING).cancel_button.setFocus()
    QTest.keyClick(card(shown, RUNNING).cancel_button, Qt.Key.Key_Delete)
    await until(lambda: session.sent(CancelDownload) == [CancelDownload(id="d6")])
    await until(lambda: len(shown.downloads.cards) == 6)
    card(shown, QUEUED).cancel_button.click()
    await until(lambda: len(shown.downloads.cards) == 5)
    assert len(shown.answers.asked) == 2  # nothing had come of it yet


async def test_when_a_card_goes_the_focus_stays_on_the_page(shown: Shown) -> None:
    shown.controller.open("downloads")
    await until(lambda: shown.controller.window.isActiveWindow())
    card(shown, RUNNING).cancel_button.setFocus()
    shown.host.change(RUNNING, removed=True)
    assert shown.downloads.isAncestorOf(shown.controller.window.focusWidget())


async def test_finished_ones_leave_together(shown: Shown, session: FakeSession) -> None:
    shown.controller.open("downloads")
    shown.downloads.clear_button.click()
    await until(lambda: session.sent(CancelDownload) == [CancelDownload(id="d1")])
    await until(lambda: len(shown.downloads.cards) == 6 and not shown.downloads.clear_button.isEnabled())


async def test_a_finished_download_becomes_a_model(shown: Shown) -> None:
    shown.controller.open("downloads")
    shown.host.put(replace(samples.QWEN, name="fresh"))
    shown.host.change(replace(RUNNING, state="done", model="fresh"))
    await until(lambda: shown.controller.installed.models.by_key("fresh") is not None)
    card(shown, RUNNING).show_button.click()
    assert shown.controller.window.current_key == "installed"
    assert shown.installed.list.current.name == "fresh"
    shown.host.change(replace(PAUSED, state="failed", error_message="The disk is full."))
    assert "The disk is full." in words(card(shown, PAUSED))


async def test_the_list_is_asked_for_again_after_the_host_was_lost(
    shown: Shown, session: FakeSession
) -> None:
    shown.host.downloads = [RUNNING, PAUSED]
    session.connect_now()
    await until(lambda: [each.download.id for each in shown.downloads.cards] == ["d4", "d6"])
    shown.host.downloads = [PAUSED, RUNNING]
    session.connect_now()
    await until(lambda: [each.download.id for each in shown.downloads.cards] == ["d6", "d4"])


async def test_without_downloads_it_says_what_to_do(make: Make, session: FakeSession) -> None:
    shown = make()
    session.reply(ListDownloads, AppError("host.lost", "The connection was lost.", "Try again."))
    shown.controller.open("downloads")
    await until(lambda: shown.downloads.empty.title == "The downloads cannot be shown")
    shown.host.downloads = []
    session.reply(ListDownloads, DownloadList(downloads=()))
    shown.downloads.empty.buttons[0].click()
    await until(lambda: shown.downloads.empty.title == "No downloads")
    shown.downloads.focus_first()
    shown.downloads.empty.buttons[0].click()
    assert shown.controller.window.current_key == "catalogue"
    shown.host.change(RUNNING)
    session.reply(ListDownloads, AppError("host.lost", "Lost."))
    shown.controller.downloads.load()
    await until(lambda: shown.downloads.banner.text == "Lost.")


async def test_downloads_are_followed_before_the_window_is_built(make: Make) -> None:
    shown = make()
    counted: list[int] = []
    shown.controller.running_changed.connect(counted.append)
    shown.host.change(RUNNING)
    shown.host.change(replace(RUNNING, repository=SMOL_OFFER.repository, state="done"))
    assert counted == [1, 0] and shown.controller._pages is None
