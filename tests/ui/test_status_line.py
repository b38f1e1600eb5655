"""The line at the window's lower edge: model, device, loading, network."""

from dataclasses import replace
from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.protocol.models import Loaded, ModelChanged, ModelEntry, ModelList
from app.protocol.network import LedgerEntry, NetworkStatus, NetworkUsed
from app.protocol.system import SettingsChanged, WorkerChanged
from app.ui.status_line import StatusLine
from app.ui.theme import Theme
from tests.ui.fakes import FakeSession

GIB = 1024**3
LOADED = Loaded(
    context_length=4096,
    kv_type="f16",
    n_gpu_layers=0,
    n_layers=30,
    device="CPU",
    n_threads=2,
    predicted_bytes=round(0.29 * GIB),
    measured_bytes=round(0.31 * GIB),
    predicted_tokens_per_s=70.0,
    measured_tokens_per_s=92.4,
)
PARTIAL = replace(
    LOADED,
    n_gpu_layers=20,
    n_layers=32,
    device="Card 7",
    notes=("Loaded with 20 of 32 layers on the GPU: its memory holds no more.",),
)
SMOL = ModelEntry(name="smol", path="", size_bytes=1, state="loaded", loaded=LOADED)
OPEN = LedgerEntry(when=1.0, host="cdn.example", why="Download of Qwen", outcome="open")


@pytest.fixture
def line(theme: Theme, qtbot: QtBot, session: FakeSession) -> StatusLine:
    line = StatusLine(session, theme)
    qtbot.addWidget(line)
    line.resize(1200, 24)
    line.show()
    return line


async def test_speed_memory_and_device_of_the_loaded_model(line: StatusLine, session: FakeSession) -> None:
    session.deliver(ModelChanged(model=SMOL))
    assert line.model_words == "smol · 92 tokens/s · 0.3 GB"
    assert line.device.words == "CPU"
    assert "0.3 GB expected, 0.3 GB measured" in line.model.toolTip()
    assert "70.0 tokens/s expected, 92.4 measured" in line.model.toolTip()
    assert not line.note.isVisible()
    line.show_speed(8.2, True)
    assert line.model_words == "smol · 8.2 tokens/s · 0.3 GB"
    session.deliver(ModelChanged(model=replace(SMOL, name="other", loaded=None)))
    assert line.model_words == "other is ready"
    assert line.device.words == ""
    fresh = replace(LOADED, measured_tokens_per_s=None, measured_bytes=0, predicted_tokens_per_s=None)
    session.deliver(ModelChanged(model=replace(SMOL, loaded=fresh)))
    assert line.model_words == "smol is ready · 0.3 GB"


async def test_what_the_engine_gave_up_is_said(line: StatusLine, session: FakeSession) -> None:
    session.deliver(ModelChanged(model=replace(SMOL, loaded=PARTIAL)))
    assert line.device.words == "Card 7, 20 of 32 layers"
    assert line.note.isVisible()
    assert line.note.words == PARTIAL.notes[0]
    session.deliver(WorkerChanged(kind="inference", state="restarting", message="It is started again."))
    assert line.model_words == ""
    assert not line.note.isVisible()


async def test_loading_shows_progress_and_can_be_cancelled(
    line: StatusLine, session: FakeSession, qtbot: QtBot
) -> None:
    loading = replace(SMOL, state="loading", loaded=None)
    session.deliver(ModelChanged(model=loading, progress=0.42))
    assert line.model_words == "Loading smol… 42 %"
    assert line.loading.value() == 420
    assert not line.cancel.isVisible()
    line.set_cancellable(True)
    assert line.cancel.isVisible()
    with qtbot.waitSignal(line.cancel_requested):
        line.cancel.click()
    session.deliver(ModelChanged(model=loading, progress=0.1, note="Trying again with fewer layers."))
    assert line.note.words == "Trying again with fewer layers."
    line.show_models(ModelList(models=(replace(SMOL, name="other"),), default=""))
    assert line.model_words == "Loading smol… 10 %"  # its own events tell more
    session.deliver(ModelChanged(model=SMOL))
    assert not line.loading.isVisible()
    assert not line.cancel.isVisible()
    line.set_cancellable(True)
    assert not line.cancel.isVisible()


async def test_another_models_end_does_not_hide_the_one_that_answers(
    line: StatusLine, session: FakeSession
) -> None:
    session.deliver(ModelChanged(model=SMOL))
    session.deliver(ModelChanged(model=replace(SMOL, name="old", state="available", loaded=None)))
    session.deliver(ModelChanged(model=replace(SMOL, name="vectors", kind="embedding")))
    assert line.model_words.startswith("smol · ")
    other = replace(SMOL, name="aaa")
    line.show_models(ModelList(models=(other, SMOL), default=""))
    assert line.model_words.startswith("smol · ")
    session.deliver(ModelChanged(model=replace(SMOL, state="missing", problem="The disk is gone.")))
    assert line.model_words == "smol cannot be used: The disk is gone."


async def test_it_leads_to_the_pages(line: StatusLine, session: FakeSession, qtbot: QtBot) -> None:
    session.deliver(ModelChanged(model=replace(SMOL, loaded=PARTIAL)))
    with qtbot.waitSignal(line.models_requested):
        line.model.click()
    with qtbot.waitSignal(line.diagnostics_requested):
        QTest.keyClick(line.device, Qt.Key.Key_Space)
    with qtbot.waitSignal(line.models_requested):
        line.note.click()
    with qtbot.waitSignal(line.network_requested):
        line.network.click()
    line.show_models(ModelList(models=(replace(SMOL, kind="embedding"),), default=""))
    assert line.model_words == "No model is installed"
    with qtbot.waitSignal(line.catalogue_requested):
        line.model.click()


async def test_an_open_connection_is_named_while_it_lasts(line: StatusLine, session: FakeSession) -> None:
    assert line.network.words == "Offline"
    session.deliver(NetworkUsed(entry=OPEN, n_open=1))
    assert line.network.words == "Download of Qwen…"
    search = replace(OPEN, why="Search for “qwen”", outcome="closed")
    session.deliver(NetworkUsed(entry=search, n_open=1))
    assert line.network.words == "Download of Qwen…"
    head = replace(OPEN, when=OPEN.when + 1, why="head of smol.gguf")
    session.deliver(NetworkUsed(entry=head, n_open=2))
    assert line.network.words == "Head of smol.gguf…"
    session.deliver(NetworkUsed(entry=replace(head, outcome="closed", seconds=0.1), n_open=1))
    assert line.network.words == "Download of Qwen…"
    session.deliver(NetworkUsed(entry=replace(OPEN, outcome="closed"), n_open=0))
    assert line.network.words == "Offline"
    session.deliver(NetworkUsed(entry=replace(OPEN, why=""), n_open=1))
    assert line.network.words == "cdn.example…"
    session.lose()
    assert line.network.words == "Offline"


async def test_the_switch_is_seen(line: StatusLine, session: FakeSession) -> None:
    session.deliver(SettingsChanged(values={"offline": True}))
    assert line.network.words == "Network off"
    assert line.network.accessibleName() == "Network: Network off"
    session.deliver(SettingsChanged(values={}))
    assert line.network.words == "Offline"
    status = NetworkStatus(
        offline=True,
        entries=(replace(OPEN, outcome="closed"),),
        n_entries=1,
        n_sent_bytes=0,
        n_received_bytes=0,
        has_token=False,
        token_place="",
        proxy="",
        endpoint="",
    )
    line.show_network(status)
    assert line.network.words == "Network off"
    line.show_network(replace(status, entries=(OPEN,)))
    assert line.network.words == "Download of Qwen…"


@pytest.mark.parametrize("width", [760, 900, 1200, 2000])
async def test_in_a_narrow_window_words_are_shortened_and_never_cut(
    line: StatusLine, session: FakeSession, width: int
) -> None:
    named = replace(SMOL, name="A-model-with-quite-a-long-name-Instruct.Q4_K_M", loaded=PARTIAL)
    session.deliver(ModelChanged(model=named))
    line.resize(width, 24)
    QTest.qWait(0)
    parts = (line.model, line.device, line.note, line.network)
    assert line.network.text() == "Offline"
    for part in parts:
        assert line.rect().contains(part.geometry())
        assert part.fontMetrics().horizontalAdvance(part.text()) <= part.width()
        if part.text() != part.words:
            assert part.words in part.toolTip()
    edges = sorted((part.x(), part.x() + part.width()) for part in parts)
    assert all(end <= start for (_, end), (start, _) in pairwise(edges))
