"""Talking to the real window through a virtual sound card: what is said is asked, answers are heard."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.bench.word_errors import word_errors
from scripts.faults.make_documents import SPOKEN_QUESTION
from scripts.faults.program import TOP_DIR, Program

pytestmark = [pytest.mark.xvfb, pytest.mark.slow, pytest.mark.e2e]

_MISHEARD = 0.4  # of the words: a synthetic voice, a tiny model
_HEARD = 0.6


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program on a data folder of its own; its host has ended afterwards."""
    program = Program(tmp_path / "data")
    yield program
    program.stop_host()


def drive(program: Program, *parts: str) -> dict[str, Any]:
    """Let somebody talk to the window; give what was seen."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.drive_voice", "--data-dir", str(program.data_dir), *parts],
        capture_output=True,
        text=True,
        cwd=TOP_DIR,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_talk_hear_the_answer_and_interrupt_it(program: Program) -> None:
    """Push to talk, an answer read aloud, and a hands-free conversation that is interrupted by speaking."""
    seen = drive(program, "answer", "barge-in")
    assert word_errors(SPOKEN_QUESTION, seen["asked"]).rate <= _MISHEARD
    assert seen["answer"] and seen["answer_words_heard"] >= _HEARD
    assert "cost" in seen["barge_in_question"].lower()
    assert not list(program.data_dir.rglob("*.wav"))


def test_unplugged_and_killed_while_talking(program: Program) -> None:
    """A microphone that goes, and a worker that is killed at its work: said in words, and talking goes on."""
    seen = drive(program, "killed", "removed")
    for moment in ("recording", "understanding"):
        assert "The process that listens and speaks" in seen["killed"][moment]
    assert "The process that listens and speaks" in seen["killed"]["speaking"]
    assert word_errors(SPOKEN_QUESTION, seen["killed"]["then"]).rate <= _MISHEARD
    assert "went away" in seen["microphone_removed"] and "No microphone" in seen["no_microphone"]
    assert word_errors(SPOKEN_QUESTION, seen["after_plugging_in"]).rate <= _MISHEARD
    assert "loudspeaker" in seen["speaker_removed"]
    assert not list(program.data_dir.rglob("*.wav"))
