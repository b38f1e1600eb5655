"""Real host processes: started by many at once, killed, ended, refused."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.client import Cancelled, HostClient
from app.core.endpoint import read_endpoint
from app.core.errors import StorageError, WorkerError
from app.core.paths import DataPaths
from app.core.processes import worker_command, worker_environment
from app.protocol.library import GetLibraryStatus
from app.protocol.models import ListModels
from app.protocol.system import GetHostStatus, Ping, Shutdown

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Attach = Callable[..., Awaitable[HostClient]]


def is_alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def gone(pids: list[int], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"still there: {alive}"
        await asyncio.sleep(0.02)


async def processes_of(client: HostClient) -> list[int]:
    """Give the process ids of the host and its workers."""
    status = await client.call(GetHostStatus())
    return [status.pid, *(worker.pid for worker in status.workers if worker.pid is not None)]


@pytest.fixture(autouse=True)
def no_host_is_left(tmp_path: Path) -> Iterator[None]:
    """Whatever a test did, no process that knows its folder outlives it for long."""
    yield
    deadline = time.monotonic() + 10.0
    while left := [
        process.info
        for process in psutil.process_iter(["pid", "cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE
        and any(str(tmp_path) in part for part in process.info["cmdline"] or [])
        and process.pid != os.getpid()
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.fixture
async def attach(paths: DataPaths) -> AsyncIterator[Attach]:
    """Attach clients; at the end they leave, and their hosts are told to end."""
    clients: list[HostClient] = []

    async def connect(folder: DataPaths = paths) -> HostClient:
        client = await HostClient.connect(folder, "cli")
        clients.append(client)
        return client

    yield connect
    for client in clients:
        if not client.closed:
            with contextlib.suppress(WorkerError, Cancelled):  # a host that ends answers no more
                await client.call(Shutdown(force=True))
        await client.close()


async def test_twenty_clients_at_once_get_one_host(attach: Attach) -> None:
    clients = await asyncio.gather(*(attach() for _ in range(20)))
    assert len({client.hello.pid for client in clients}) == 1
    assert (await clients[0].call(GetHostStatus())).n_clients == 20


async def test_twenty_programs_at_once_get_one_host(paths: DataPaths, attach: Attach) -> None:
    code = (
        "import asyncio, sys\n"
        "from app.client import HostClient\n"
        "from app.core.paths import data_paths\n"
        "async def main():\n"
        "    client = await HostClient.connect(data_paths(sys.argv[1]), 'cli')\n"
        "    print(client.hello.pid, flush=True)\n"
        "    sys.stdin.read()\n"
        "    await client.close()\n"
        "asyncio.run(main())\n"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(paths.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=worker_environment(),
        )
        for _ in range(10)
    ]
    pids = set()
    for program in programs:
        assert program.stdout is not None
        pids.add(int(await asyncio.to_thread(program.stdout.readline)))
    client = await attach()
    assert pids == {client.hello.pid}
    for program in programs:
        program.communicate(timeout=60)
        assert program.returncode == 0


async def test_a_killed_host_is_replaced_with_its_workers(paths: DataPaths, attach: Attach) -> None:
    for _ in range(3):
        client = await attach()
        await client.call(GetLibraryStatus())
        pids = await processes_of(client)
        assert len(pids) >= 2
        os.kill(pids[0], signal.SIGKILL)
        await asyncio.wait_for(client.wait_closed(), 5.0)
        with pytest.raises(WorkerError, match=r"host\.lost"):
            await client.call(Ping())
        started = time.monotonic()
        again = await attach()
        await again.call(Ping())
        assert time.monotonic() - started < 10.0  # 3 s are promised; a loaded machine must not fail the test
        assert again.hello.pid != pids[0]
        await gone(pids)


async def test_a_new_client_while_the_old_host_ends(paths: DataPaths, attach: Attach) -> None:
    client = await attach()
    await client.call(GetLibraryStatus())
    old = client.hello.pid
    with contextlib.suppress(WorkerError):
        await client.call(Shutdown(force=True))
    new = await attach()
    assert new.hello.pid != old
    await new.call(Ping())


async def test_sigterm_ends_everything_in_time(paths: DataPaths, attach: Attach) -> None:
    client = await attach()
    await client.call(GetLibraryStatus())
    pids = await processes_of(client)
    os.kill(pids[0], signal.SIGTERM)
    await gone(pids, timeout_s=10.0)
    assert not paths.endpoint_path.exists()
    log = (paths.logs_dir / "host.log").read_text()
    assert "was asked to end" in log and "Traceback" not in log


async def test_ends_after_the_last_client_and_leaves_nothing(paths: DataPaths, attach: Attach) -> None:
    client = await attach()
    endpoint = read_endpoint(paths.endpoint_path)
    assert endpoint is not None and stat.S_ISSOCK(Path(endpoint.path).stat().st_mode)
    pids = await processes_of(client)
    await client.close()
    await gone(pids)
    assert not paths.endpoint_path.exists() and not Path(endpoint.path).exists()


async def test_a_killed_client_counts_as_left(paths: DataPaths) -> None:
    code = (
        "import asyncio, os, sys\n"
        "from app.client import HostClient\n"
        "from app.core.paths import data_paths\n"
        "async def main():\n"
        "    client = await HostClient.connect(data_paths(sys.argv[1]), 'cli')\n"
        "    print(client.hello.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(paths.root)], stdout=subprocess.PIPE, env=worker_environment()
    ) as program:
        assert program.stdout is not None
        host = int(program.stdout.readline())
        program.kill()
    await gone([host])


NAMES = ["with space", "é", "中文", "🙂", 'it\'s "quoted"', "x" * 200, "%s {} $HOME", "-leading"]


@pytest.mark.parametrize("name", NAMES)
async def test_names_of_the_data_folder(tmp_path: Path, attach: Attach, name: str) -> None:
    client = await attach(DataPaths(tmp_path / name))
    assert (await client.call(GetHostStatus())).data_dir == str(tmp_path / name)


async def test_a_name_that_is_not_unicode(tmp_path: Path, attach: Attach) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    client = await attach(DataPaths(folder))
    assert (await client.call(GetHostStatus())).data_dir == str(folder)


async def test_a_runtime_folder_that_is_too_deep(
    tmp_path: Path, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("t" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setenv("TMPDIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", None)
    client = await attach()
    await client.call(Ping())


async def test_two_data_folders_do_not_know_each_other(tmp_path: Path, attach: Attach) -> None:
    first, second = await attach(DataPaths(tmp_path / "a")), await attach(DataPaths(tmp_path / "b"))
    assert first.hello.pid != second.hello.pid
    await asyncio.gather(first.call(ListModels()), second.call(ListModels()))


async def test_a_folder_that_cannot_be_used_is_told_in_words(paths: DataPaths, attach: Attach) -> None:
    paths.root.write_text("a file")
    with pytest.raises(StorageError) as failure:
        await attach()
    assert failure.value.code == "storage.not_a_folder" and failure.value.hint
    with pytest.raises(StorageError, match=r"storage\.(read_only|permission|failed)"):
        await attach(DataPaths(Path("/proc/h2ogpt")))


@pytest.mark.linux
@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize(("options", "code"), [("ro", "read_only"), ("rw", "full")])
async def test_disks_that_are_read_only_or_full(tmp_path: Path, options: str, code: str) -> None:
    """In a mount namespace of its own, so that nothing of the machine changes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    program = worker_command("host", ["--data-dir", str(disk / "data")])
    script = (
        f"mount -t tmpfs -o size=64k,nr_inodes=3,{options} none {disk} || exit 77\n"
        f"{'touch' if options == 'rw' else 'true'} {disk}/filler {disk}/filler2\n"
        f"exec {' '.join(program)}\n"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, env=worker_environment(), timeout=60
    )
    if done.returncode in (1, 77) and not done.stdout:
        pytest.skip("this machine does not allow mounting")
    line = json.loads(done.stdout)
    assert line["state"] == "failed" and line["error"]["code"] == f"storage.{code}"
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
async def test_a_folder_of_another_user(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    program = worker_command("host", ["--data-dir", str(folder)])
    try:
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *program],
            capture_output=True,
            env=worker_environment(),
            timeout=60,
        )
    finally:
        for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            parent.chmod(0o700)
    if b"state" not in done.stdout:
        pytest.skip("the other user cannot run this interpreter")
    assert json.loads(done.stdout)["error"]["code"] == "storage.permission"


async def test_a_host_on_a_port(paths: DataPaths) -> None:
    program = worker_command("host", ["--data-dir", str(paths.root), "--port"])
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=worker_environment()) as host:
        assert host.stdout is not None
        assert json.loads(host.stdout.readline()) == {"state": "ready"}
        endpoint = read_endpoint(paths.endpoint_path)
        assert endpoint is not None and endpoint.port and endpoint.token
        client = await HostClient.connect(paths, "cli", start_host=False)
        assert client.hello.pid == host.pid
        with contextlib.suppress(WorkerError):
            await client.call(Shutdown(force=True))
        await client.close()
        assert await asyncio.to_thread(host.wait, 10) == 0


async def test_everything_in_the_folder_is_the_users_alone(paths: DataPaths, attach: Attach) -> None:
    client = await attach()
    await client.call(GetLibraryStatus())
    opened = [path for path in [paths.root, *paths.root.rglob("*")] if path.lstat().st_mode & 0o077]
    assert not opened
