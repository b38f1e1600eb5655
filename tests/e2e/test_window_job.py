"""The main job on the real window: drop a document, ask, click the citation; also beside the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.faults.make_documents import QUESTION, make_notes, make_pdf
from scripts.faults.program import TOP_DIR, Program

pytestmark = [pytest.mark.xvfb, pytest.mark.slow, pytest.mark.e2e]

N_PAGES = 48
PAGE = 37


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program on a data folder of its own; its host has ended afterwards."""
    program = Program(tmp_path / "data é 中文")
    yield program
    program.stop_host()


@pytest.fixture
def manual_path(tmp_path: Path) -> Path:
    """A text PDF with the known fact on PAGE."""
    path = tmp_path / "manual.pdf"
    make_pdf(path, n_pages=N_PAGES, words_per_page=200, fact_page=PAGE)
    return path


def start_window(program: Program, *arguments: str) -> "subprocess.Popen[str]":
    """Start the driven window on the test's display."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.drive_window", "--data-dir", str(program.data_dir), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=TOP_DIR,
    )


def finish(window: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for the driven window's end and give what it saw."""
    out, err = window.communicate(timeout=300)
    assert window.returncode == 0, out + err
    seen: dict[str, Any] = json.loads(out.splitlines()[-1])
    return seen


def test_drop_ask_and_click_the_citation(program: Program, manual_path: Path, tmp_path: Path) -> None:
    """The fact deep inside is answered, and its citation opens its page with marked words."""
    shots_dir = tmp_path / "shots"
    shots_dir.mkdir()
    window = start_window(
        program, "--add", str(manual_path), "--ask", QUESTION, "--page", str(PAGE), "--shots", str(shots_dir)
    )
    seen = finish(window)
    assert seen["kind"] == "documents"
    assert seen["viewer_page"] == PAGE
    assert {path.name for path in shots_dir.iterdir()} == {"start.png", "answer.png", "viewer.png"}
    assert program.doctor_errors() == []


def test_the_guide_leads_to_a_first_answer(program: Program) -> None:
    """At the first start the guide shows; its sample is added and its question answered from it."""
    seen = finish(start_window(program, "--guide"))
    assert "GB free" in seen["computer"] and "cores" in seen["computer"].replace("1 core", "cores")
    assert seen["suggested"].endswith("?")
    assert seen["kind"] == "documents" and "nine" in seen["answer"]
    settings = json.loads((program.data_dir / "settings.json").read_text(encoding="utf-8"))
    assert settings["guide_seen"] is True
    assert program.doctor_errors() == []


def test_window_ask_and_ingest_on_one_data_folder(
    program: Program, manual_path: Path, tmp_path: Path
) -> None:
    """Window, `ask` and `ingest` work at the same moment, on one host."""
    paths = make_notes(tmp_path / "notes", 30)
    window = start_window(program, "--add", str(manual_path), "--ask", QUESTION, "--ask-early")
    program.wait_for("host")
    ingesting = program.start("ingest", str(tmp_path / "notes"), "--json")
    asking = program.start("ask", "--no-documents", "Say hello.", "--max-tokens", "12", "--json")
    answer, asked_err = asking.communicate(timeout=200)
    ingested, ingest_err = ingesting.communicate(timeout=200)
    assert len(program.processes("host")) == 1
    finish(window)
    assert asking.returncode == 0, asked_err
    assert json.loads(answer)["completion_tokens"] > 0
    assert ingesting.returncode == 0, ingest_err
    states = {value["path"]: value["state"] for value in map(json.loads, ingested.splitlines())}
    assert states == {os.fspath(path): "ready" for path in paths}
    assert program.doctor_errors() == []
