"""The client with real children, by fork and by serving in turn."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.worker.parser import serving
from app.worker.parser.client import ParseCancelled, ParserClient, ParserLimits
from tests.worker.parser.conftest import failure, hostile_client, parse

pytestmark = pytest.mark.slow  # real processes, one after the other

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_text_comes_back_unchanged(small_client: ParserClient) -> None:
    text = "Zeile eins\r\nЖук 漢字 😀\n\n  end\t"
    parsed = parse(small_client, text.encode(), "a.txt")
    assert (parsed.text, parsed.format, parsed.title) == (text, "text", "a")
    assert (parsed.pages, parsed.headings, parsed.words) == ((), (), ())
    assert parsed.partial_code == ""


def test_an_empty_file_needs_no_child() -> None:
    client = ParserClient()
    error = failure(client, b"", "a.pdf")
    assert (error.code, error.context["state"]) == ("file.empty", "empty")
    assert client.pids() == []


@pytest.mark.slow
def test_a_crash_and_a_hang_end_with_a_reason_in_both_ways(small_client: ParserClient) -> None:
    assert failure(small_client, b"-", "a.abort").code == "parser.crashed"
    assert failure(small_client, b"-", "a.sleep").code == "parser.time"
    assert parse(small_client, b"next", "a.txt").text == "next"


@pytest.mark.slow
def test_cancelling_ends_the_child_at_once(small_client: ParserClient) -> None:
    small_client.warm()
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    started = time.monotonic()
    with Path(__file__).open("rb") as file, pytest.raises(ParseCancelled):
        small_client.parse(file, "a.sleep", cancelled=cancelled)
    assert time.monotonic() - started < 2
    assert parse(small_client, b"next", "a.txt").text == "next"


def test_a_cancelled_file_is_never_started(client: ParserClient) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with Path(__file__).open("rb") as file, pytest.raises(ParseCancelled):
        client.parse(file, "a.txt", cancelled=cancelled)


def test_many_threads_share_one_client(client: ParserClient, tmp_path: Path) -> None:
    results: dict[int, str] = {}

    def work(number: int) -> None:
        path = tmp_path / f"{number}.txt"
        path.write_text(f"text {number}")
        results[number] = parse(client, path, path.name).text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"text {number}" for number in range(12)}


def test_the_callers_offset_stays(client: ParserClient, tmp_path: Path) -> None:
    """The library worker hashes the same descriptor; a child that moved its offset would break that."""
    path = tmp_path / "a.txt"
    path.write_text("some words")
    with path.open("rb") as file:
        client.parse(file, "a.txt", cancelled=threading.Event())
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0


def test_a_long_name_and_a_strange_one(client: ParserClient) -> None:
    assert parse(client, b"x", "é中文 😀" + "n" * 500 + ".txt").format == "text"
    assert parse(client, b"x", os.fsdecode(b"caf\xe9.txt")).format == "text"


@needs_fork
def test_the_parser_outlives_the_thread_that_started_it() -> None:
    client = ParserClient()
    try:
        starter = threading.Thread(target=parse, args=(client, b"first", "a.txt"))
        starter.start()
        starter.join()
        started = client.pids()
        time.sleep(0.1)  # the signal would come now
        assert parse(client, b"second", "a.txt").text == "second"
        assert client.pids() == started
    finally:
        client.close()


@needs_fork
def test_a_killed_parent_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ParserClient()
    try:
        client.warm()
        (first,) = client.pids()
        os.kill(first, signal.SIGKILL)
        assert parse(client, b"after", "a.txt").text == "after"
        assert client.pids() != [first]
    finally:
        client.close()


@needs_fork
@pytest.mark.slow
def test_a_parent_killed_during_a_file_costs_one_more_try(monkeypatch: pytest.MonkeyPatch) -> None:
    client = hostile_client(monkeypatch, fork=True)
    try:
        client.warm()
        (first,) = client.pids()
        threading.Timer(0.5, os.kill, (first, signal.SIGKILL)).start()
        assert failure(client, b"-", "a.sleep").code == "parser.time"
        assert client.pids() != [first]
    finally:
        client.close()


@needs_fork
def test_closing_ends_parent_and_children(monkeypatch: pytest.MonkeyPatch) -> None:
    client = hostile_client(monkeypatch, fork=True)
    client.warm()
    parent = psutil.Process(client.pids()[0])
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            parse(client, b"-", "a.sleep")
        except ParseCancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    _wait_until(lambda: bool(parent.children()))
    children = parent.children()
    started = time.monotonic()
    client.close()
    thread.join()
    assert time.monotonic() - started < 1.5
    assert len(outcome) == 1
    assert not parent.is_running()
    _wait_until(lambda: not any(child.is_running() for child in children))
    with pytest.raises(ParseCancelled):
        parse(client, b"x", "a.txt")


@pytest.mark.slow
def test_a_serving_process_is_replaced_after_a_failure_and_after_many_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = hostile_client(monkeypatch, fork=False)
    try:
        assert parse(client, b"one", "a.txt").text == "one"
        first = client.pids()
        assert failure(client, bytes(range(256)) * 4, "a.bin").context["state"] == "unsupported"
        assert client.pids() == first, "a file of another kind is no failure"
        assert failure(client, b"%PDF-1.7 broken", "a.pdf").context["state"] == "failed"
        assert client.pids() == []
        monkeypatch.setattr("app.worker.parser.launch.FILES_PER_PROCESS", 3)
        for number in range(4):
            assert parse(client, f"{number}".encode(), "a.txt").text == str(number)
        assert len(client.pids()) == 1
    finally:
        client.close()
    assert serving.FILES_PER_PROCESS == 50


def test_a_serving_process_over_its_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    client = ParserClient(ParserLimits(memory_bytes=20_000_000), fork=False)
    try:
        assert failure(client, b"anything", "a.txt").code == "parser.memory"
    finally:
        client.close()


def test_progress_reaches_the_caller(client: ParserClient, tmp_path: Path) -> None:
    from app.worker.mupdf import pymupdf

    document = pymupdf.open()
    for number in range(400):
        document.new_page().insert_textbox((50, 50, 500, 800), f"page {number} " + "word " * 300)
    path = tmp_path / "long.pdf"
    document.save(path)
    seen: list[float] = []
    with path.open("rb") as file:
        parsed = client.parse(file, path.name, cancelled=threading.Event(), on_progress=seen.append)
    assert len(parsed.pages) == 400
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert 0 < seen[1] < 1


def _wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
