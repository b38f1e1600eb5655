"""What a second start was to open reaches the window, also one that attaches later, and nobody else."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.client import Cancelled, HostClient
from app.core.errors import AppError
from app.core.paths import DataPaths
from app.host.front_end import Broadcast
from app.host.server import Server
from app.host.services.window import WindowService
from app.protocol.body import Body
from app.protocol.system import Empty, Notice
from app.protocol.window import OpenInWindow, TakeOpening, WindowOpened
from tests.unit.host.conftest import until

ODD = ("/a/\udcff\n🙂 é.txt", "/b c")
NOTICE = Notice(severity="info", code="a.b", message="Hi.")


class Host:
    """A door with the window service alone behind it."""

    def __init__(self, paths: DataPaths, patience_s: float) -> None:
        self.paths = paths
        self.broadcast = Broadcast()
        self.service = WindowService(self.broadcast, patience_s)
        self.server = Server(paths, self.service.handlers(), self.broadcast)
        self.seen: dict[str, list[Body]] = {"window": [], "cli": [], "launcher": []}
        self.clients: list[HostClient] = []

    async def attach(self, kind: str) -> HostClient:
        client = await HostClient.connect(self.paths, kind, self.seen[kind].append, start_host=False)
        self.clients.append(client)
        return client

    def opened(self) -> list[WindowOpened]:
        return [body for body in self.seen["window"] if isinstance(body, WindowOpened)]


@pytest.fixture
async def host(paths: DataPaths) -> AsyncIterator[Host]:
    paths.root.mkdir()
    host = Host(paths, patience_s=20.0)
    await host.server.open(on_port=False)
    yield host
    for client in host.clients:
        await client.close()
    await host.server.close()


async def test_the_window_gets_it_and_takes_it(host: Host) -> None:
    window, _, launcher = [await host.attach(kind) for kind in ("window", "cli", "launcher")]
    asked = asyncio.ensure_future(
        launcher.call(OpenInWindow(paths=ODD, n_refused=1, activation_token="token"))
    )
    await until(lambda: bool(host.opened()))
    (opening,) = host.opened()
    assert (opening.paths, opening.n_refused, opening.activation_token) == (ODD, 1, "token")
    assert not asked.done()
    await window.call(TakeOpening(opening_id=opening.opening_id))
    assert await asked == Empty()
    assert host.seen["cli"] == [] and host.seen["launcher"] == []
    assert await window.call(TakeOpening(opening_id=opening.opening_id)) == Empty()


async def test_a_window_that_attaches_later_gets_it(host: Host) -> None:
    launcher = await host.attach("launcher")
    asked = [asyncio.ensure_future(launcher.call(OpenInWindow(paths=(path,)))) for path in ODD]
    await launcher.call(TakeOpening(opening_id="nobody's"))
    window = await host.attach("window")
    await until(lambda: len(host.opened()) == 2)
    assert {opening.paths for opening in host.opened()} == {(path,) for path in ODD}
    for opening in host.opened():
        await window.call(TakeOpening(opening_id=opening.opening_id))
    await asyncio.gather(*asked)
    await host.attach("window")
    await window.call(TakeOpening(opening_id="a turn of the loop"))
    assert len(host.opened()) == 2


async def test_where_no_window_takes_it_it_ends_in_words(host: Host) -> None:
    host.service._patience_s = 0.05
    launcher = await host.attach("launcher")
    with pytest.raises(AppError) as failure:
        await launcher.call(OpenInWindow())
    assert failure.value.code == "window.no_answer"
    assert "already open but does not answer" in failure.value.user_message and failure.value.hint
    await host.attach("window")
    assert host.opened() == []


async def test_a_start_that_leaves_takes_its_wish_along(host: Host) -> None:
    launcher = await host.attach("launcher")
    stream = launcher.stream(OpenInWindow())
    asked = asyncio.ensure_future(anext(aiter(stream)))
    await until(lambda: bool(host.service._waiting))
    stream.cancel()
    with pytest.raises(Cancelled):
        await asked
    assert not host.service._waiting
    await host.attach("window")
    assert host.opened() == []


async def test_a_launcher_swallows_no_notice(host: Host) -> None:
    launcher = await host.attach("launcher")
    host.broadcast.publish(NOTICE)
    await launcher.call(TakeOpening(opening_id="a turn of the loop"))
    assert host.seen["launcher"] == []
    await host.attach("window")
    await until(lambda: host.seen["window"] == [NOTICE])
