"""Events about models, downloads and the network reach their signals."""

import pytest
from pytestqt.qtbot import QtBot

from app.protocol.body import Body
from app.protocol.downloads import Download, DownloadChanged
from app.protocol.models import ModelsChanged
from app.protocol.network import LedgerEntry, NetworkUsed
from tests.ui.fakes import FakeSession

DOWNLOAD = Download(id="d1", title="Tiny", repository="a/b", revision="1", name="t.gguf", state="running")
ENTRY = LedgerEntry(when=1.0, host="huggingface.co", why="search", outcome="open")


@pytest.mark.parametrize(
    ("signal", "event"),
    [
        ("download_changed", DownloadChanged(download=DOWNLOAD)),
        ("models_changed", ModelsChanged()),
        ("network_used", NetworkUsed(entry=ENTRY, n_open=1)),
    ],
)
async def test_an_event_is_emitted_as_its_signal(
    session: FakeSession, qtbot: QtBot, signal: str, event: Body
) -> None:
    with qtbot.waitSignal(getattr(session, signal), timeout=10_000) as emitted:
        session.deliver(event)
    assert emitted.args == [event]
