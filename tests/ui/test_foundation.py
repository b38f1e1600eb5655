"""Tokens, theme, icons, tasks, notifier and session."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest
import shiboken6
from PySide6.QtWidgets import QApplication, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import AppError, WorkerError
from app.core.paths import DataPaths, resources_dir
from app.protocol.body import Body
from app.protocol.envelope import Message
from app.protocol.library import FilesRemoved
from app.protocol.system import Notice
from app.ui.icons import bind_icon, icon
from app.ui.notifier import Notifier, NotifierBridge
from app.ui.session import Cancelled, Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme, set_role
from app.ui.tokens import DARK, HIGH_CONTRAST_DARK, HIGH_CONTRAST_LIGHT, LIGHT, Palette, contrast_ratio
from tests.ui.conftest import until


@pytest.mark.parametrize("palette", [LIGHT, DARK, HIGH_CONTRAST_LIGHT, HIGH_CONTRAST_DARK])
def test_every_text_colour_is_readable_on_every_background(palette: Palette) -> None:
    for text in ("text", "text_muted", "text_faint"):
        for ground in ("window", "surface", "sidebar", "raised", "code", "bubble", "hover"):
            ratio = contrast_ratio(getattr(palette, text), getattr(palette, ground))
            assert ratio >= 4.5, (text, ground, ratio)
    for name in ("ok", "warning", "error", "busy", "accent"):
        for ground in (f"{name}_soft", "surface", "sidebar"):
            ratio = contrast_ratio(getattr(palette, name), getattr(palette, ground))
            assert ratio >= 4.5, (name, ground, ratio)
    assert contrast_ratio(palette.on_accent, palette.accent) >= 4.5
    assert contrast_ratio(palette.on_highlight, palette.highlight_active) >= 4.5
    assert contrast_ratio(palette.focus, palette.surface) >= 3


def test_contrast_ratio_has_the_known_extremes() -> None:
    assert contrast_ratio("#000000", "#ffffff") == pytest.approx(21)
    assert contrast_ratio("#777777", "#777777") == pytest.approx(1)


def test_choosing_a_theme_changes_colours_at_once(theme: Theme, qtbot: QtBot) -> None:
    seen: list[Palette] = []
    window, gone = QWidget(), QWidget()
    qtbot.addWidget(window)
    for each in (window, gone):
        theme.dress(each)
    assert DARK.surface not in window.styleSheet()
    shiboken6.delete(gone)
    theme.changed.connect(seen.append)
    theme.set_setting("dark")
    assert seen == [DARK]
    assert theme.palette is DARK
    assert DARK.surface in window.styleSheet()
    theme.set_setting("dark")
    assert len(seen) == 1
    with pytest.raises(ValueError, match="purple"):
        theme.set_setting("purple")
    assert theme.setting == "dark"


def test_an_unknown_stored_setting_follows_the_system(qapp: QApplication) -> None:
    assert Theme("purple").setting == "system"


def test_a_role_restyles_a_widget(theme: Theme, qtbot: QtBot) -> None:
    button = QToolButton()
    qtbot.addWidget(button)
    set_role(button, "primary")
    assert button.property("role") == "primary"
    set_role(button, "primary")


def test_icons_are_tinted_and_follow_the_theme(theme: Theme, qtbot: QtBot) -> None:
    button = QToolButton()
    qtbot.addWidget(button)
    bind_icon(button, "stop", theme, "text")
    light = button.icon().pixmap(18, 18).toImage().pixelColor(9, 9)
    theme.set_setting("dark")
    dark = button.icon().pixmap(18, 18).toImage().pixelColor(9, 9)
    assert (light.name(), dark.name()) == (LIGHT.text, DARK.text)
    bind_icon(button, "stop", theme, "error")
    assert button.icon().pixmap(18, 18).toImage().pixelColor(9, 9).name() == DARK.error
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon", theme)


def test_every_icon_draws_something(theme: Theme) -> None:
    names = sorted(path.stem for path in (resources_dir() / "icons").glob("*.svg"))
    assert {
        "add",
        "folder",
        "file",
        "search",
        "close",
        "more",
        "send",
        "stop",
        "trash",
        "undo",
        "edit",
    } <= set(names)
    for name in names:
        image = icon(name, theme, "text").pixmap(24, 24).toImage()
        alphas = [image.pixelColor(x, y).alpha() for x in range(image.width()) for y in range(image.height())]
        assert max(alphas) > 128, name


def test_every_palette_field_is_a_colour() -> None:
    for field in fields(LIGHT):
        value = getattr(LIGHT, field.name)
        assert isinstance(value, bool) or (value.startswith("#") and len(value) == 7)


async def test_tasks_report_what_they_raise_and_end_with_the_window(notifier: Notifier) -> None:
    notices: list[Notice] = []
    notifier.subscribe(notices.append)
    tasks = TaskSpawner(notifier)

    async def fail() -> None:
        raise AppError("file.gone", "The file is gone.", "Add it again.")

    async def wait() -> None:
        await asyncio.Event().wait()

    tasks.spawn(fail(), "fails")
    await until(lambda: notices)
    assert (notices[0].severity, notices[0].message, notices[0].hint) == (
        "error",
        "The file is gone.",
        "Add it again.",
    )
    waiting = tasks.spawn(wait(), "waits")
    assert waiting is not None
    assert tasks.names == ("waits",)
    await tasks.close()
    assert waiting.cancelled()
    assert len(notices) == 1
    assert tasks.spawn(wait(), "late") is None


async def test_an_unexpected_error_is_told_in_words_and_logged(
    notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    notices: list[Notice] = []
    notifier.subscribe(notices.append)
    tasks = TaskSpawner(notifier)

    async def fail() -> None:
        raise ZeroDivisionError("secret detail")

    tasks.spawn(fail(), "divides")
    await until(lambda: notices)
    assert "secret" not in notices[0].message + notices[0].hint
    assert notices[0].code == "window.unexpected"
    assert "divides" in caplog.text
    caplog.clear()
    notifier.report(asyncio.CancelledError())
    notifier.on_loop_error(asyncio.get_running_loop(), {"exception": AppError("a.b", "words")})
    assert [n.code for n in notices] == ["window.unexpected", "a.b"]
    notifier.on_loop_error(asyncio.get_running_loop(), {"message": "only words"})
    assert "only words" in caplog.text
    caplog.clear()


def test_the_notifier_takes_exceptions_of_threads(qtbot: QtBot) -> None:
    notifier = Notifier()
    bridge = NotifierBridge(notifier)
    undo = notifier.install()

    def fail() -> None:
        raise AppError("thread.failed", "A thread failed.")

    try:
        with qtbot.waitSignal(bridge.notified) as blocker:
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()
    finally:
        undo()
    assert blocker.args == [Notice(severity="error", code="thread.failed", message="A thread failed.")]


class PeerReplies:
    """Yields bodies until it is cancelled or closed."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.cancelled = self.closed = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        while not self.cancelled:
            yield self.request
            await asyncio.sleep(0)
        raise Cancelled(Message("cancelled"))

    def cancel(self) -> None:
        self.cancelled = True

    async def aclose(self) -> None:
        self.closed = True


class Peer:
    """A connection that tests end."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def call(self, request: Any, payload: bytes = b"") -> Any:
        return ("called", request)

    async def call_with_payload(self, request: Any, payload: bytes = b"") -> Any:
        return ("called", request), payload

    def stream(self, request: Any, payload: bytes = b"") -> Any:
        self.replies = PeerReplies(request)
        return self.replies

    async def wait_closed(self) -> None:
        await self.ended.wait()

    async def close(self) -> None:
        self.ended.set()


async def test_a_session_connects_again_when_the_host_is_lost(tasks: TaskSpawner) -> None:
    peers: list[Peer] = []
    refusals = [WorkerError("host.start_failed", "It does not start.", "Look at the log.")]
    deliver: list[Any] = []

    async def connect(_paths: DataPaths, on_event: Any) -> Any:
        if len(peers) == 1 and refusals:
            raise refusals.pop()
        deliver.append(on_event)
        peers.append(Peer())
        return peers[-1]

    session = Session(DataPaths(Path("/nowhere")), connect)
    said: list[str] = []
    session.disconnected.connect(said.append)
    early: Any = asyncio.ensure_future(session.call(cast(Any, "early")))
    tasks.spawn(session.run(), "session")
    assert await early == ("called", "early")
    assert session.is_connected
    peers[0].ended.set()
    await until(lambda: len(peers) == 2 and session.is_connected)
    assert len(said) == 2
    assert "started again" in said[0]
    assert said[1] == "It does not start. Look at the log."
    assert await session.call_with_payload("x", b"y") == (("called", "x"), b"y")  # type: ignore[arg-type]
    removed: list[Body] = []
    session.files_removed.connect(removed.append)
    event = FilesRemoved(location_ids=(1, 2))
    deliver[-1](event)
    deliver[-1](Body())
    assert removed == [event]
    await session.close()
    await until(lambda: not session.is_connected)
    assert len(said) == 2


async def connected_session(tasks: TaskSpawner) -> tuple[Session, Peer]:
    peer = Peer()

    async def connect(_paths: DataPaths, _on_event: Any) -> Any:
        return peer

    session = Session(DataPaths(Path("/nowhere")), connect)
    tasks.spawn(session.run(), "session")
    return session, peer


async def test_a_stream_can_be_cancelled_and_listened_to_until_its_end(tasks: TaskSpawner) -> None:
    session, peer = await connected_session(tasks)
    stream = session.stream(cast(Any, "request"))
    seen: list[Any] = []
    with pytest.raises(Cancelled):
        async for body in stream:
            seen.append(body)
            stream.cancel()
    assert seen == ["request"]
    assert peer.replies.cancelled
    await session.close()


async def test_a_stream_cancelled_before_it_was_sent_ends_cancelled(tasks: TaskSpawner) -> None:
    session, _peer = await connected_session(tasks)
    stream = session.stream(cast(Any, "request"))
    stream.cancel()
    with pytest.raises(Cancelled):
        async for _body in stream:
            raise AssertionError
    await session.close()


async def test_a_stream_left_early_is_closed(tasks: TaskSpawner) -> None:
    session, peer = await connected_session(tasks)
    async with contextlib.aclosing(session.stream(cast(Any, "request"))) as stream:
        async for _body in stream:
            break
    assert peer.replies.closed
    await session.close()


async def test_without_a_host_requests_end_in_words(
    tasks: TaskSpawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ui.session._WAIT_FOR_HOST_S", 0.01)
    session = Session(DataPaths(Path("/nowhere")))
    with pytest.raises(WorkerError) as caught:
        await session.call(cast(Any, "request"))
    assert caught.value.code == "host.unreachable"
    assert caught.value.hint
