"""The page about the network: the switch, the ledger, and how to connect."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QFont, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QTreeView, QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import UsageError, WorkerError
from app.protocol.network import (
    ClearLedger,
    GetNetwork,
    LedgerEntry,
    NetworkStatus,
    NetworkUsed,
    SetHubToken,
)
from app.protocol.system import Empty, GetSettings, SettingsBody, SettingsChanged, UpdateSettings
from app.ui.network.ledger_model import HOST, OUTCOME, RECEIVED, SENT, TIME, WHY, LedgerModel
from app.ui.network.pane import NetworkPane
from app.ui.network.words import ledger_text, outcome_words, size_words, token_words, totals_words
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession

OPEN = LedgerEntry(when=1_700_000_100, host="cdn.example", why="Download of Qwen", outcome="open")
DONE = LedgerEntry(
    when=1_700_000_000,
    host="hub.example",
    why="Search for “qwen”",
    outcome="closed",
    n_sent_bytes=500,
    n_received_bytes=48_000,
    seconds=0.8,
)
STATUS = NetworkStatus(
    offline=False,
    entries=(OPEN, DONE),
    n_entries=2,
    n_sent_bytes=500,
    n_received_bytes=48_000,
    has_token=False,
    token_place="",
    proxy="",
    endpoint="https://hub.example",
)
NOTHING = replace(STATUS, entries=(), n_entries=0, n_sent_bytes=0, n_received_bytes=0)
SETTINGS: dict[str, Any] = {
    "offline": False,
    "hub_endpoint": "https://hub.example",
    "proxy": "",
    "bandwidth_limit_kb_s": 0,
    "simultaneous_downloads": 1,
}


def said(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def cell(model: LedgerModel, row: int, column: int, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
    return model.data(model.index(row, column), role)


def test_the_model_obeys_qt(qtmodeltester: Any, theme: Theme) -> None:
    model = LedgerModel(theme)
    qtmodeltester.check(model)
    model.reset(STATUS)
    model.apply(replace(OPEN, when=5.0))
    model.apply(replace(OPEN, outcome="closed"))
    assert model.rowCount() == 3
    assert model.data(QModelIndex()) is None
    assert model.headerData(0, Qt.Orientation.Vertical) is None
    titles = [model.headerData(column, Qt.Orientation.Horizontal) for column in range(6)]
    assert titles == ["Time", "Connected to", "Why", "Sent", "Received", "Outcome"]
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    aligned = Qt.ItemDataRole.TextAlignmentRole
    assert model.headerData(SENT, Qt.Orientation.Horizontal, aligned) == right
    assert cell(model, 0, RECEIVED, aligned) == right
    assert cell(model, 0, HOST, aligned) is None


def test_the_ledger_follows_events_and_sums_up(theme: Theme) -> None:
    model = LedgerModel(theme)
    model.reset(STATUS)
    assert cell(model, 0, HOST) == "cdn.example"
    assert cell(model, 1, WHY) == "Search for “qwen”"
    assert cell(model, 1, RECEIVED) == "48.0 kB"
    assert cell(model, 0, SENT) == "–"
    assert cell(model, 1, TIME)
    assert cell(model, 0, OUTCOME, Qt.ItemDataRole.ForegroundRole) == theme.colour("busy")
    assert cell(model, 1, OUTCOME, Qt.ItemDataRole.ForegroundRole) is None
    assert cell(model, 0, WHY, Qt.ItemDataRole.ToolTipRole) == "Download of Qwen"
    model.apply(replace(OPEN, outcome="closed", n_received_bytes=2_000, seconds=61))
    assert cell(model, 0, OUTCOME) == "ended after 61 s"
    assert model.totals.n_entries == 2
    assert model.totals.n_received_bytes == 50_000
    model.apply(replace(OPEN, when=1_700_000_200, outcome="refused", detail="the network is off"))
    assert model.totals.n_entries == 3
    assert cell(model, 0, OUTCOME) == "refused: the network is off"
    assert model.entries[2] == DONE


def test_words_of_the_ledger() -> None:
    assert outcome_words(replace(DONE, seconds=None)) == "ended"
    assert outcome_words(replace(DONE, outcome="newer")) == "newer"
    assert outcome_words(replace(DONE, outcome="failed", detail="no route")) == "failed: no route"
    assert size_words(0) == "–"
    assert totals_words(1, 0, 10) == "1 entry · – sent · 10 bytes received"
    assert token_words(STATUS).startswith("No token is kept")
    assert "keyring. " in token_words(replace(STATUS, has_token=True, token_place="keyring"))
    assert "until the program ends" in token_words(replace(STATUS, has_token=True, token_place="memory"))


def test_the_ledger_as_text_cannot_become_a_formula() -> None:
    text = ledger_text((replace(DONE, why='=HYPERLINK("x")', outcome="failed", detail="a, b"), OPEN), ",")
    lines = text.splitlines()
    assert lines[0] == "time,host,why,sent_bytes,received_bytes,seconds,outcome,detail"
    assert "'=HYPERLINK" in lines[1]
    assert lines[1].endswith('500,48000,0.8,failed,"a, b"')
    assert len(lines) == 3
    assert ledger_text((OPEN,)).count("\t") == 14


@pytest.fixture
def pane(session: FakeSession, tasks: TaskSpawner, theme: Theme, qtbot: QtBot, tmp_path: Path) -> NetworkPane:
    stored = dict(SETTINGS)

    def store(request: UpdateSettings) -> SettingsBody:
        stored.update(request.values)
        return SettingsBody(values=dict(stored))

    session.reply(GetNetwork, STATUS)
    session.reply(GetSettings, SettingsBody(values=SETTINGS))
    session.reply(UpdateSettings, store)
    session.reply(ClearLedger, Empty())

    async def choose() -> str:
        return str(tmp_path / "ledger.csv")

    pane = NetworkPane(session, tasks, theme, choose_path=choose)
    qtbot.addWidget(pane)
    pane.resize(860, 1000)
    return pane


async def loaded(pane: NetworkPane) -> None:
    pane.show()
    await until(pane.form.isEnabled)


async def stored_of(session: FakeSession, n: int) -> dict[str, Any]:
    await until(lambda: len(session.sent(UpdateSettings)) == n)
    return session.sent(UpdateSettings)[-1].values


async def test_without_connections_it_says_so(pane: NetworkPane, session: FakeSession) -> None:
    session.reply(GetNetwork, NOTHING)
    await loaded(pane)
    assert "No connection has been opened." in said(pane)
    assert "only when you search the model hub or start a download: to https://hub.example." in said(pane)
    assert not pane.clear_button.isEnabled()
    session.deliver(NetworkUsed(entry=OPEN, n_open=1))
    assert "No connection has been opened." not in said(pane)
    assert pane.totals.text() == "1 entry · – sent · – received"


async def test_events_before_it_was_shown_are_not_mixed_in(pane: NetworkPane, session: FakeSession) -> None:
    session.deliver(NetworkUsed(entry=OPEN, n_open=1))
    session.deliver(SettingsChanged(values=SETTINGS | {"offline": True}))
    session.connect_now()
    assert pane.controller.ledger.rowCount() == 0
    assert not pane.switch.isChecked()
    assert not session.sent(GetNetwork)
    await loaded(pane)
    assert pane.controller.ledger.rowCount() == 2
    session.connect_now()
    await until(lambda: len(session.sent(GetNetwork)) == 2)


async def test_only_the_newest_are_shown_and_it_says_so(pane: NetworkPane, session: FakeSession) -> None:
    session.reply(GetNetwork, replace(STATUS, n_entries=900, proxy="http://p.example:8080"))
    await loaded(pane)
    assert "900 entries" in pane.totals.text()
    assert "the newest 2 are shown" in pane.totals.text()
    assert "through the proxy http://p.example:8080" in said(pane)


@pytest.mark.parametrize(("width", "factor"), [(640, 1.0), (1200, 1.0), (640, 2.0)])
async def test_why_can_be_read_in_a_small_window_and_with_large_letters(
    pane: NetworkPane, qapp: QApplication, width: int, factor: float
) -> None:
    font = qapp.font()
    large = QFont(font)
    large.setPointSizeF(font.pointSizeF() * factor)
    qapp.setFont(large)
    try:
        pane.resize(width, 600)
        await loaded(pane)
        view = pane.findChild(QTreeView)
        assert view is not None
        metrics = view.fontMetrics()
        assert view.columnWidth(WHY) >= metrics.horizontalAdvance("download of a model")
        index = pane.controller.ledger.index(0, WHY)
        assert view.visualRect(index).height() >= metrics.height()
    finally:
        qapp.setFont(font)


async def test_the_switch_closes_and_opens_the_network(pane: NetworkPane, session: FakeSession) -> None:
    await loaded(pane)
    pane.switch.click()
    assert await stored_of(session, 1) == {"offline": True}
    await until(lambda: "The network is closed" in said(pane))
    session.deliver(SettingsChanged(values=SETTINGS))
    assert not pane.switch.isChecked()
    session.reply(UpdateSettings, WorkerError("host.unreachable", "The service is gone.", "Wait."))
    pane.switch.click()
    await until(lambda: pane.banner.isVisible())
    assert pane.banner.text == "The service is gone. Wait."
    assert not pane.switch.isChecked()


async def test_clearing_asks_first(pane: NetworkPane, session: FakeSession) -> None:
    await loaded(pane)
    pane.clear_button.click()
    keep = pane.banner.buttons[1]
    keep.click()
    assert not pane.banner.isVisible()
    assert not session.sent(ClearLedger)
    session.reply(GetNetwork, NOTHING)
    pane.clear_button.click()
    pane.banner.buttons[0].click()
    await until(lambda: "No connection has been opened." in said(pane))
    assert len(session.sent(ClearLedger)) == 1
    session.reply(ClearLedger, WorkerError("host.lost", "The service is gone."))
    pane.controller.clear()
    await until(lambda: pane.banner.text == "The service is gone.")


async def test_the_whole_ledger_is_copied_and_saved(
    pane: NetworkPane, session: FakeSession, tmp_path: Path
) -> None:
    session.reply(GetNetwork, replace(STATUS, n_entries=900))
    await loaded(pane)
    pane.copy_button.click()
    await until(lambda: "2 entries were copied" in pane.banner.text)
    assert session.sent(GetNetwork)[-1].limit == 900
    assert QGuiApplication.clipboard().text() == ledger_text(STATUS.entries)
    pane.save_button.click()
    await until(lambda: pane.banner.text.startswith("Saved as"))
    assert (tmp_path / "ledger.csv").read_text(encoding="utf-8") == ledger_text(STATUS.entries, ",")
    pane.controller.save(str(tmp_path / "missing" / "ledger.csv"))
    await until(lambda: "could not be written" in pane.banner.text)
    session.reply(GetNetwork, WorkerError("host.lost", "The service is gone."))
    pane.controller.save(str(tmp_path / "x.csv"))
    await until(lambda: pane.banner.text == "The service is gone.")
    pane.banner.hide()
    pane.copy_button.click()
    await until(pane.banner.isVisible)


async def test_a_page_that_cannot_be_loaded_says_why(pane: NetworkPane, session: FakeSession) -> None:
    session.reply(GetNetwork, WorkerError("host.lost", "The service is gone.", "Wait a moment."))
    pane.show()
    await until(pane.banner.isVisible)
    assert "Wait a moment." in pane.banner.text
    assert not pane.form.isEnabled()
    assert not pane.switch.isEnabled()
    assert "No connection has been opened." not in said(pane)
    session.reply(GetNetwork, STATUS)
    pane.banner.buttons[0].click()
    await until(pane.form.isEnabled)
    assert not pane.banner.isVisible()


async def test_the_token_is_typed_blind_and_never_comes_back(pane: NetworkPane, session: FakeSession) -> None:
    await loaded(pane)
    form = pane.form
    assert form.token.echoMode() == QLineEdit.EchoMode.Password
    assert not form.keep_button.isEnabled()
    assert not form.forget_button.isEnabled()
    session.reply(SetHubToken, UsageError("network.bad_token", "This is no token.", "Copy it anew."))
    QTest.keyClicks(form.token, " hf_secret ")
    form.keep_button.click()
    await until(lambda: form.token_field.problem.text() == "This is no token. Copy it anew.")
    assert form.token.text() == " hf_secret "
    session.reply(SetHubToken, replace(STATUS, has_token=True, token_place="keyring"))
    QTest.keyClick(form.token, Qt.Key.Key_Return)
    await until(lambda: form.forget_button.isEnabled())
    assert [request.token for request in session.sent(SetHubToken)] == ["hf_secret", "hf_secret"]
    assert form.token.text() == ""
    assert "keyring" in form.token_field.words.text()
    assert "hf_secret" not in said(pane)
    session.reply(SetHubToken, STATUS)
    form.forget_button.click()
    await until(lambda: not form.forget_button.isEnabled())
    assert session.sent(SetHubToken)[-1].token == ""
    QTest.keyClick(form.token, Qt.Key.Key_Return)
    assert len(session.sent(SetHubToken)) == 3


def type_over(field: QLineEdit, text: str) -> None:
    field.setFocus()
    field.selectAll()
    field.insert(text)
    QTest.keyClick(field, Qt.Key.Key_Return)


async def test_settings_are_stored_when_a_field_is_left(pane: NetworkPane, session: FakeSession) -> None:
    await loaded(pane)
    form = pane.form
    type_over(form.endpoint, "https://mirror.example")
    assert await stored_of(session, 1) == {"hub_endpoint": "https://mirror.example"}
    type_over(form.endpoint, "https://mirror.example")  # nothing new, nothing stored
    form.simultaneous.activated.emit(2)
    assert await stored_of(session, 2) == {"simultaneous_downloads": 3}
    type_over(form.limit, "500")
    assert await stored_of(session, 3) == {"bandwidth_limit_kb_s": 500}
    await until(lambda: form.limit.text() == "500")
    type_over(form.limit, "")
    assert await stored_of(session, 4) == {"bandwidth_limit_kb_s": 0}
    form.proxy_kind.activated.emit(1)
    assert await stored_of(session, 5) == {"proxy": "none"}
    await until(lambda: form.proxy_kind.currentIndex() == 1)
    form.proxy_kind.activated.emit(2)
    assert form.proxy.isVisible()
    type_over(form.proxy, "socks5://127.0.0.1:9050")
    assert await stored_of(session, 6) == {"proxy": "socks5://127.0.0.1:9050"}
    await until(lambda: form.proxy_kind.currentIndex() == 2)
    form.proxy_kind.activated.emit(0)
    assert await stored_of(session, 7) == {"proxy": ""}
    await until(lambda: not form.proxy.isVisible())


async def test_what_cannot_be_meant_is_said_under_its_field(pane: NetworkPane, session: FakeSession) -> None:
    await loaded(pane)
    form = pane.form
    type_over(form.endpoint, "mirror")
    assert form.fields["hub_endpoint"].problem.isVisible()
    assert form.endpoint.property("role") == "wrong"
    type_over(form.limit, "fast")
    assert "A whole number" in form.fields["bandwidth_limit_kb_s"].problem.text()
    type_over(form.proxy, "ftp://p")
    assert form.fields["proxy"].problem.text().endswith("http://proxy.example:8080")
    assert not session.sent(UpdateSettings)
    session.reply(UpdateSettings, UsageError("settings.invalid", "That mirror is not allowed."))
    type_over(form.endpoint, "https://mirror.example")
    await until(lambda: form.fields["hub_endpoint"].problem.text() == "That mirror is not allowed.")
    assert form.endpoint.text() == "https://mirror.example"
    pane._on_setting_refused("unheard_of", UsageError("x", "y"))
    session.deliver(SettingsChanged(values=SETTINGS | {"simultaneous_downloads": 2}))
    assert form.simultaneous.currentIndex() == 1
    assert form.endpoint.text() == "https://mirror.example"  # it has the focus: the user is just there
    assert not form.fields["hub_endpoint"].problem.isVisible()


async def test_every_input_has_a_name(pane: NetworkPane) -> None:
    await loaded(pane)
    form = pane.form
    inputs = (form.token, form.endpoint, form.proxy_kind, form.proxy, form.limit, form.simultaneous)
    assert all(field.accessibleName() for field in inputs)
    assert pane.view.accessibleName() == "Connections that were opened"
