"""The window's smaller parts: intake, toasts, dialogs, state, status, stalls, signals."""

import asyncio
import json
import logging
import os
import signal
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QDesktopServices, QTextDocument
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QMessageBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.core.paths import DataPaths
from app.protocol.library import LibraryStatus
from app.protocol.models import ModelChanged, ModelEntry, ModelList
from app.protocol.system import Notice, WorkerChanged
from app.ui.dialogs import CloseChoice, LinkDialog, NameTextDialog, QtDialogs, TableDialog
from app.ui.drop_overlay import DropOverlay
from app.ui.elements.tooltips import plain_tooltip
from app.ui.intake import Intake, intake_of, local_paths, suggested_name
from app.ui.logs import start_log
from app.ui.signals import SignalWatcher
from app.ui.stalls import StallMonitor
from app.ui.status_line import StatusLine
from app.ui.theme import Theme
from app.ui.toasts import ToastArea
from app.ui.window_state import WindowState, load_state, save_state
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession


def mime(text: str = "", urls: tuple[str, ...] = ()) -> QMimeData:
    data = QMimeData()
    if text:
        data.setText(text)
    if urls:
        data.setUrls([QUrl(url) for url in urls])
    return data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (mime(urls=("file:///a/b%20c.pdf", "file:///d")), Intake(("/a/b c.pdf", "/d"))),
        (mime(urls=("file:///a/../b.pdf",)), Intake(("/b.pdf",))),
        (mime("some text"), Intake(text="some text")),
        (mime(" \n "), Intake()),
        (mime(), Intake()),
        (mime(urls=("file:///a", "https://example.org/x")), Intake(("/a",), n_refused=1)),
        (mime("https://example.org/x", ("https://example.org/x",)), Intake(n_refused=1)),
        (mime(urls=("file://host/share/a.pdf",)), Intake(n_refused=1)),
        (mime("file:///a/b.txt\r\nfile:///c%20d\n"), Intake(("/a/b.txt", "/c d"))),
        (mime("file:///a and words"), Intake(text="file:///a and words")),
        (mime("words of a page", ("https://example.org/x",)), Intake(text="words of a page")),
    ],
)
def test_what_a_drop_or_the_clipboard_holds(data: QMimeData, expected: Intake) -> None:
    assert intake_of(data) == expected
    assert bool(expected) is bool(expected.paths or expected.text)


def test_paths_of_other_machines_are_left_out() -> None:
    assert local_paths(mime(urls=("file:////host/share/x", "file://host/x", "smb://host/x"))) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("\n  Minutes: of the meeting\nnext", "Minutes of the meeting"),
        ("", "Pasted text"),
        ("…///", "Pasted text"),
        ("x" * 200, "x" * 50),
    ],
)
def test_a_name_is_suggested_from_the_first_words(text: str, name: str) -> None:
    assert suggested_name(text) == name


@pytest.fixture
def ground(theme: Theme, qtbot: QtBot) -> QWidget:
    ground = QWidget()
    qtbot.addWidget(ground)
    ground.resize(800, 600)
    QWidget(ground).setGeometry(100, 500, 600, 80)
    ground.show()
    return ground


def test_the_overlay_says_what_dropping_does(theme: Theme, ground: QWidget) -> None:
    overlay = DropOverlay(theme, ground)
    assert overlay.isHidden()
    for intake, collection, words in (
        (Intake(("/a",)), "", "Drop to add this item to the library"),
        (Intake(("/a", "/b")), "Contracts", "Drop to add 2 items to “Contracts”"),
        (Intake(text="x"), "", "Drop to add this text to the library"),
        (Intake(n_refused=1), "", "This cannot be added"),
    ):
        overlay.show_intake(intake, collection)
        assert overlay.title == words
    overlay.grab()


def notice(severity: str, message: str) -> Notice:
    return Notice(severity=severity, code="", message=message, hint="Do this.")


def test_toasts_stack_and_go(theme: Theme, ground: QWidget, qtbot: QtBot) -> None:
    above = ground.findChildren(QWidget)[0]
    area = ToastArea(theme, ground, above)
    undone: list[int] = []
    area.undo("It was deleted.", lambda: undone.append(1))
    area.show_notice(notice("error", "Disk full."))
    area.show_notice(notice("error", "Disk full."))
    assert [toast.words.text() for toast in area.toasts] == ["It was deleted.", "Disk full.\nDo this."]
    assert area._box.geometry().bottom() < above.y()
    above.setGeometry(above.x(), above.y() - 40, above.width(), above.height() + 40)  # a notice in it
    assert area._box.geometry().bottom() < above.y()
    ground.resize(500, 400)
    toast = area.toasts[0]
    assert toast.button.text() == "Undo"
    toast.button.click()
    assert undone == [1]
    assert len(area.toasts) == 1
    for k in range(5):
        area.show_notice(notice("info", f"Number {k}"))
    assert [toast.words.text().split("\n")[0] for toast in area.toasts] == [
        "Number 2",
        "Number 3",
        "Number 4",
    ]
    area.toasts[0]._timer.setInterval(1)
    area.toasts[0]._timer.start()
    qtbot.waitUntil(lambda: len(area.toasts) == 2)
    area.toasts[0].button.setEnabled(True)


async def finish(dialog_type: type[QDialog], act: object) -> None:
    """Wait for a dialog and act on it."""
    await until(
        lambda: [w for w in QApplication.topLevelWidgets() if type(w) is dialog_type and w.isVisible()]
    )
    dialog = next(w for w in QApplication.topLevelWidgets() if type(w) is dialog_type and w.isVisible())
    act(dialog)  # type: ignore[operator]


async def test_a_link_is_shown_in_full_and_cancelling_is_the_default(ground: QWidget) -> None:
    dialogs = QtDialogs(ground)
    address = "https://example.org/" + "a" * 300 + "?<b>x</b>"
    seen: list[str] = []

    def look(dialog: LinkDialog) -> None:
        seen.append(dialog.address.text())
        box = dialog.findChild(QDialogButtonBox)
        assert box is not None
        assert box.button(QDialogButtonBox.StandardButton.Cancel).isDefault()
        box.button(QDialogButtonBox.StandardButton.Open).click()

    answers = await asyncio.gather(dialogs.confirm_link(address), finish(LinkDialog, look))
    assert answers[0] is True
    assert seen == [address]
    answers = await asyncio.gather(dialogs.confirm_link(address), finish(LinkDialog, lambda d: d.reject()))
    assert answers[0] is False


def test_a_confirmed_link_goes_to_the_desktop(ground: QWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    QtDialogs(ground).open_link("https://example.org/a?b=c")
    assert opened == ["https://example.org/a?b=c"]


async def test_pasted_text_is_named(ground: QWidget) -> None:
    dialogs = QtDialogs(ground)

    def name(dialog: NameTextDialog) -> None:
        box = dialog.findChild(QDialogButtonBox)
        assert box is not None
        dialog.field.setText(" ")
        assert not box.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
        dialog.field.setText(" Minutes ")
        box.button(QDialogButtonBox.StandardButton.Ok).click()

    answers = await asyncio.gather(
        dialogs.name_text("Suggested", "word " * 200), finish(NameTextDialog, name)
    )
    assert answers[0] == "Minutes"
    answers = await asyncio.gather(
        dialogs.name_text("Suggested", "text"), finish(NameTextDialog, lambda d: d.reject())
    )
    assert answers[0] == ""


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("Keep working in the background", CloseChoice.BACKGROUND),
        ("Stop and quit", CloseChoice.STOP),
        ("Cancel", CloseChoice.STAY),
    ],
)
async def test_closing_with_work_offers_three_ways(ground: QWidget, text: str, choice: CloseChoice) -> None:
    def click(box: QMessageBox) -> None:
        assert "3 files" in box.informativeText()
        next(b for b in box.buttons() if b.text().replace("&", "") == text).click()

    answers = await asyncio.gather(QtDialogs(ground).ask_close("3 files"), finish(QMessageBox, click))
    assert answers[0] is choice


async def test_files_and_folders_are_chosen(ground: QWidget, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    dialogs = QtDialogs(ground)
    answers = await asyncio.gather(dialogs.choose_files(), finish(QFileDialog, lambda d: d.reject()))
    assert answers[0] == []

    def choose(dialog: QFileDialog) -> None:
        assert dialog.fileMode() is QFileDialog.FileMode.Directory
        dialog.setDirectory(str(tmp_path))
        dialog.accept()

    answers = await asyncio.gather(dialogs.choose_folder(), finish(QFileDialog, choose))
    assert answers[0] == [str(tmp_path)]


async def test_a_table_is_shown_and_closed(ground: QWidget) -> None:
    def look(dialog: TableDialog) -> None:
        words = [label.text() for label in dialog.findChildren(QLabel)]
        assert words == ["Title", "Ctrl+N", "New"]
        dialog.reject()

    await asyncio.gather(QtDialogs(ground).show_text("Title", [("Ctrl+N", "New")]), finish(TableDialog, look))


def test_the_window_state_survives_and_damage_does_no_harm(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data")
    state = WindowState(
        geometry="AA==", left_width=200, right_visible=False, conversation_id="c", theme="dark"
    )
    save_state(paths, state)
    assert load_state(paths) == WindowState()
    paths.root.mkdir()
    save_state(paths, state)
    assert load_state(paths) == state
    file = paths.root / "window.json"
    assert list(paths.root.iterdir()) == [file]
    for damaged in (
        "{",
        "[]",
        '{"left_width": "wide", "unknown": 1}',
        "\ud800".encode("utf-8", "surrogatepass"),
    ):
        file.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
        assert load_state(paths) == WindowState()
    file.write_text(json.dumps({"left_width": 300, "right_width": True}))
    assert load_state(paths) == WindowState(left_width=300)


def test_a_state_that_cannot_be_written_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    save_state(DataPaths(tmp_path), WindowState())
    assert list(tmp_path.iterdir()) == []


def status(**changes: object) -> LibraryStatus:
    values: dict[str, object] = {
        "paused": False,
        "waiting": 0,
        "eta_s": None,
        "counts": {},
        "n_documents": 0,
        "n_chunks": 0,
        "n_embedded": 0,
    }
    return LibraryStatus(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("library", "words"),
    [
        (status(), "The library is empty"),
        (status(counts={"ready": 1}), "1 file in the library"),
        (status(counts={"ready": 7, "failed": 1}), "8 files in the library"),
        (status(counts={"queued": 1}, waiting=1), "Reading 1 file"),
        (status(counts={"queued": 9}, waiting=9, eta_s=20.0), "Reading 9 files · less than a minute"),
        (status(counts={"queued": 9}, waiting=9, eta_s=65.0), "Reading 9 files · about 1 minute"),
        (status(counts={"queued": 9}, waiting=9, eta_s=600.0), "Reading 9 files · about 10 minutes"),
        (status(counts={"queued": 9}, waiting=9, paused=True), "Reading is paused · 9 waiting"),
    ],
)
async def test_the_status_line_tells_how_far_reading_is(
    theme: Theme, qtbot: QtBot, session: FakeSession, library: LibraryStatus, words: str
) -> None:
    line = StatusLine(session, theme)
    qtbot.addWidget(line)
    session.deliver(library)
    assert line.work_words == words


async def test_the_status_line_tells_of_model_and_host(
    theme: Theme, qtbot: QtBot, session: FakeSession
) -> None:
    line = StatusLine(session, theme)
    qtbot.addWidget(line)

    def model(state: str, problem: str = "") -> ModelEntry:
        return ModelEntry(name="smol", path="", size_bytes=1, state=state, problem=problem)

    for change, words in (
        (ModelChanged(model=model("loading"), progress=0.5), "Loading smol… 50 %"),
        (ModelChanged(model=model("loading")), "Loading smol…"),
        (ModelChanged(model=model("loaded")), "smol is ready"),
        (ModelChanged(model=model("broken", "it is damaged")), "smol cannot be used: it is damaged"),
        (ModelChanged(model=model("available")), ""),
    ):
        session.deliver(change)
        assert line.model_words == words
    line.show_models(ModelList(models=(), default=""))
    assert line.model_words == "No model is installed"
    line.show_models(ModelList(models=(model("loaded"),), default=""))
    assert line.model_words == "smol is ready"
    line.show_models(ModelList(models=(model("available"),), default=""))
    assert line.model_words == ""
    session.deliver(WorkerChanged(kind="library", state="restarting", message="It is started again."))
    assert line.work_words == "It is started again."
    session.deliver(WorkerChanged(kind="library", state="ready"))
    session.lose()
    assert line.work_words == "Connecting…"
    session.connect_now()
    assert line.work_words == "Ready"


async def test_a_stall_is_noticed_with_its_stack(qapp: QApplication) -> None:
    monitor = StallMonitor()
    assert monitor.figures()["n_beats"] == 0
    monitor.start()
    await asyncio.sleep(0.1)

    def hold_the_loop() -> None:
        time.sleep(0.4)

    hold_the_loop()
    await until(lambda: monitor.stalls)
    monitor.stop()
    delay_ms, stack = monitor.stalls[0]
    assert delay_ms > 300
    assert "hold_the_loop" in stack
    figures = monitor.figures()
    assert figures["max_ms"] >= 300
    assert figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    monitor.reset()
    assert monitor.figures()["n_beats"] == 0
    monitor.deleteLater()


@pytest.mark.skipif(os.name == "nt", reason="signals of this kind exist on Unix only")
async def test_a_signal_ends_the_window_at_once(qapp: QApplication) -> None:
    came: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    watcher = SignalWatcher(lambda: came.append(1))
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: came)
    watcher.close()
    assert signal.getsignal(signal.SIGTERM) is before
    watcher.deleteLater()


def test_the_log_is_written_where_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = DataPaths(tmp_path / "data")
    assert start_log(paths) is None
    paths.logs_dir.mkdir(parents=True)
    level = logging.getLogger().level
    handler = start_log(paths)
    assert handler is not None
    logging.getLogger("app.ui").info("a line")
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(level)
    handler.close()
    assert "a line" in (paths.logs_dir / "window.log").read_text()
    (paths.logs_dir / "window.log").unlink()
    (paths.logs_dir / "window.log").mkdir()
    assert start_log(paths) is None


def test_names_are_never_taken_for_html() -> None:
    assert plain_tooltip("a name & more") == "a name & more"
    hostile = "<img src='file:///etc/hostname'> report.pdf"
    shown = plain_tooltip(hostile)
    assert "<img" not in shown
    document = QTextDocument()
    document.setHtml(shown)
    assert document.toPlainText() == hostile
