"""A parser taken over by its file: nothing outside the child changes, and the next file is read."""

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.worker import sandbox
from app.worker.parser.client import ParserClient, sandbox_description
from tests.worker.parser.conftest import REPOSITORY, failure, hostile_client, parse

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox exists on Linux only"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def caged() -> Iterator[ParserClient]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        client = hostile_client(monkeypatch, fork=True)
        client.warm()
        yield client
        client.close()


def outcome(client: ParserClient, deed: str, argument: str = "-") -> str:
    return parse(client, argument.encode(), f"file.{deed}").text


def test_no_connection_leaves_the_child(caged: ParserClient, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        assert outcome(caged, "connect", str(server.getsockname()[1])).startswith("blocked")
        with pytest.raises(TimeoutError):
            server.accept()
    path = str(tmp_path / "listening")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        assert outcome(caged, "unix", path).startswith("blocked")


@pytest.mark.skipif(not sandbox.landlock_abi(), reason="this kernel has no Landlock")
def test_files_outside_stay_unread(caged: ParserClient, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("private")
    canary.chmod(0o644)
    assert outcome(caged, "read", str(canary)).startswith("blocked")
    assert outcome(caged, "list", str(tmp_path)).startswith("blocked")
    assert outcome(caged, "read", "/etc/passwd").startswith("blocked")


def test_files_outside_stay_unchanged(caged: ParserClient, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("private")
    canary.chmod(0o640)
    for deed, target in (
        ("write", tmp_path / "new"),
        ("write", canary),
        ("remove", canary),
        ("mode", canary),
    ):
        assert outcome(caged, deed, str(target)).startswith("blocked"), deed
    assert canary.read_text() == "private"
    assert canary.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["canary"]


def test_no_process_is_started_or_killed(caged: ParserClient) -> None:
    before = caged.pids()
    for deed in ("fork", "run", "kill"):
        assert outcome(caged, deed).startswith("blocked"), deed
    assert caged.pids() == before


def test_memory_is_limited(caged: ParserClient) -> None:
    error = failure(caged, b"-", "file.memory")
    assert error.code == "parser.memory"
    assert "900 MB" in error.user_message


@pytest.mark.parametrize(("deed", "code"), [("abort", "parser.crashed"), ("crash", "parser.crashed")])
def test_a_crash_is_a_reason_and_the_next_file_is_read(caged: ParserClient, deed: str, code: str) -> None:
    error = failure(caged, b"-", f"file.{deed}")
    assert error.code == code
    assert error.context["state"] == "failed"
    assert error.hint
    assert parse(caged, b"still here", "a.txt").text == "still here"


def test_endless_work_ends_at_the_processor_limit(caged: ParserClient) -> None:
    error = failure(caged, b"-", "file.spin")
    assert error.code == "parser.time"


def test_sleeping_ends_at_the_wall_limit(caged: ParserClient) -> None:
    started = time.monotonic()
    assert failure(caged, b"-", "file.sleep").code == "parser.time"
    assert time.monotonic() - started < 6


def test_boundless_recursion_ends(caged: ParserClient) -> None:
    assert failure(caged, b"-", "file.recurse").code in ("parser.crashed", "parser.memory", "parser.time")


@pytest.mark.parametrize(
    ("deed", "code"), [("lie", "parser.crashed"), ("flood", "parser.output"), ("early", "parser.crashed")]
)
def test_a_result_is_checked(caged: ParserClient, deed: str, code: str) -> None:
    assert failure(caged, b"-", f"file.{deed}").code == code


def test_the_description_names_what_is_enforced() -> None:
    words = sandbox_description()
    assert "one process a file" in words
    assert ("Landlock (version" in words) == bool(sandbox.landlock_abi())


@pytest.mark.slow
def test_another_user_than_root_is_held_as_well(tmp_path: Path) -> None:
    """Root may do what limits forbid others; an ordinary user's child must be held by the same walls."""
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    tmp_path.chmod(0o777)
    script = textwrap.dedent(
        """
        import sys, threading
        from app.worker.parser.client import ParserClient
        client = ParserClient(arguments=("--readers", "tests.worker.parser.hostile_readers"))
        canary = sys.argv[1]
        for deed, argument in (("fork", "-"), ("run", "-"), ("read", canary), ("write", canary + "2")):
            with open(canary + "." + deed, "w+b") as file:
                file.write(argument.encode())
                file.flush()
                file.seek(0)
                print(deed, client.parse(file, "file." + deed, cancelled=threading.Event()).text)
        client.close()
        """
    )
    canary = tmp_path / "canary"
    canary.write_text("private")
    canary.chmod(0o644)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    # the one capability lets it reach an interpreter that stands in root's home; the child drops it
    reach = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *reach]
    run = subprocess.run(
        [*become, sys.executable, "-c", script, canary],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    outcomes = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert set(outcomes) == {"fork", "run", "read", "write"}, run.stderr
    assert all(words.startswith("blocked") for words in outcomes.values()), outcomes
