"""The command line with real processes and the real starter models, over one shared host."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.core.paths import starter_models_dir

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not list(starter_models_dir().glob("chat/*.gguf")), reason="the starter models are not here"
    ),
]

MANUAL = """# Aurora X200

## Warranty

The Aurora X200 pump has a warranty of 24 months from the date of purchase.

## Limits

The maximum pressure of the pump is 3.5 bar. It must not be used in salt water.
"""
COMPANY = "Helga Brandt founded the company in Lübeck in 1987. It has 312 employees in four countries."
KEYS = [
    "answer",
    "found",
    "citations",
    "model",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "first_token_s",
    "tokens_per_s",
]
TIMEOUT_S = 240


@dataclass
class Program:
    """The program over one data folder."""

    data_dir: Path
    files_dir: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "app.cli", *arguments, "--data-dir", str(self.data_dir)]

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, timeout=TIMEOUT_S, env=environment()
        )
        text = subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )
        assert "Traceback" not in text.stderr, text.stderr
        return text

    def values(self, *arguments: str, code: int = 0, stdin: bytes = b"") -> list[Any]:
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.returncode == code, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A library of small files; a terminal chat that waits keeps the host alive."""
    root = tmp_path_factory.mktemp("cli")
    program = Program(root / "data", root / "files ü 中文")
    program.files_dir.mkdir()
    (program.files_dir / "manual.md").write_text(MANUAL, encoding="utf-8")
    (program.files_dir / "company é 😀.txt").write_text(COMPANY, encoding="utf-8")
    holder = subprocess.Popen(
        program.command("chat"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    try:
        ingested = program.values("ingest", str(program.files_dir))
        assert {value["state"] for value in ingested} == {"ready"}
        yield program
    finally:
        holder.communicate()
        wait_for_end(program.data_dir)


def wait_for_end(data_dir: Path) -> None:
    """Wait until the host of the folder has ended."""
    deadline = time.monotonic() + 20
    while (data_dir / "host.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_every_file_ends_in_a_state(program: Program, tmp_path: Path) -> None:
    empty, broken = tmp_path / "empty.txt", tmp_path / "broken.pdf"
    empty.write_bytes(b"")
    broken.write_bytes(b"%PDF-1.7\nnothing")
    missing = tmp_path / "gone.txt"
    again = program.files_dir / "manual.md"
    values = program.values(
        "ingest", str(empty), str(broken), str(missing), str(again), "--collection", "Odd", code=1
    )
    assert all(list(value) == ["path", "state", "reason", "pages", "chunks", "seconds"] for value in values)
    states = {Path(value["path"]).name: value["state"] for value in values}
    assert states["empty.txt"] == "empty"
    assert states["broken.pdf"] == "failed"
    assert states["gone.txt"] == "missing"
    assert all(value["reason"] for value in values if value["state"] in ("empty", "failed", "missing"))
    program.values("library", "collections", "--delete", "Odd")


def test_search_answers_line_by_line(program: Program) -> None:
    queries = b"How long is the warranty of the pump?\nWho founded the company?\n"
    first, second = program.values("search", "-", stdin=queries)
    assert first["found"]
    assert first["query"] == "How long is the warranty of the pump?"
    hit = first["hits"][0]
    assert "24 months" in hit["text"]
    assert MANUAL[hit["char_start"] : hit["char_end"]] == hit["text"]
    assert "Helga Brandt" in second["hits"][0]["text"]


def test_an_answer_quotes_its_document(program: Program) -> None:
    (value,) = program.values(
        "ask", "How long is the warranty of the Aurora X200 pump?", "--max-tokens", "60"
    )
    assert list(value) == KEYS
    assert value["found"]
    assert "24 months" in value["answer"]
    verified = [citation for citation in value["citations"] if citation["verified"]]
    assert verified
    for citation in value["citations"]:
        assert MANUAL[citation["char_start"] : citation["char_end"]] == citation["quote"]
        assert f"[{citation['n']}]" in value["answer"]
    assert "24 months" in verified[0]["quote"]
    assert value["completion_tokens"] > 1
    assert value["tokens_per_s"] > 0
    assert value["first_token_s"] > 0


def test_what_no_document_says_is_not_found(program: Program) -> None:
    (value,) = program.values("ask", "What is the boiling point of mercury?")
    assert (value["found"], value["citations"]) == (False, [])
    assert "not in your documents" in value["answer"]
    assert value["completion_tokens"] == 0


def test_general_knowledge_is_marked(program: Program) -> None:
    done = program.run("ask", "What is the capital of France?", "--no-documents", "--max-tokens", "20")
    assert done.returncode == 0
    assert "Paris" in done.stdout
    assert "not from your documents" in done.stdout


def test_many_questions_over_one_connection(program: Program) -> None:
    questions = b"\nWhat is the maximum pressure of the pump?\n"
    bad, good = program.values("ask", "-", "--max-tokens", "30", code=1, stdin=questions)
    assert bad["error"]["code"] == "question.empty"
    assert "3.5" in good["answer"]


def test_errors_are_words(program: Program) -> None:
    for arguments in (["ask", "Why?", "--collection", "Nope"], ["search", "x", "--collection", "Nope"]):
        done = program.run(*arguments)
        assert done.returncode == 1
        assert "Nope" in done.stderr
    done = program.run("ask", "What is love?", "--no-documents", "--model", "nope")
    assert done.returncode == 1
    assert "nope" in done.stderr


def test_the_doctor_finds_nothing_wrong(program: Program) -> None:
    (value,) = program.values("doctor")
    assert value["ok"]
    names = {check["name"] for check in value["checks"]}
    assert {"chats.integrity", "engine.generation"} <= names


def test_a_removed_file_leaves_nothing_behind(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("The password of the vault in Quito is flamingo seventeen.")
    program.values("ingest", str(path))
    assert program.values("search", "password of the vault in Quito")[0]["hits"]
    assert program.values("library", "remove", str(path)) == [{"removed": 1}]
    (after,) = program.values("search", "password of the vault in Quito")
    assert all("flamingo" not in hit["text"] for hit in after["hits"])
    assert str(path) not in [value["path"] for value in program.values("library", "list")]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_an_answer_in_peace(program: Program) -> None:
    process = subprocess.Popen(
        program.command("ask", "Tell me a very long story about pumps.", "--no-documents"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "Traceback" not in error
    # The host is free for the next question.
    assert program.values("ask", "What is the maximum pressure of the pump?", "--max-tokens", "5")


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_that_leaves_is_no_trouble(program: Program) -> None:
    process = subprocess.Popen(
        program.command("search", "-", "--json"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"pump\n")
    process.stdin.flush()
    assert process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b"pump\n" * 50)
    process.stdin.close()
    process.wait(TIMEOUT_S)
    assert process.stderr.read() == b""
    process.stderr.close()


def test_the_terminal_chat_streams_and_cites(program: Program) -> None:
    done = program.run(
        "chat", "--max-tokens", "40", stdin=b"How long is the warranty of the Aurora X200 pump?\n/quit\n"
    )
    assert done.returncode == 0
    assert "24 months" in done.stdout
    assert "manual.md: “" in done.stdout
