"""The check of voice on an installed program says what it saw."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.smoke.report import Report
from scripts.smoke.sound import SENTENCE, text_of, there_and_back


class FakeProgram:
    """Writes a file of some size and understands what a test says."""

    def __init__(self, path: Path, n_bytes: int, heard: str) -> None:
        self.path, self.n_bytes, self.heard = path, n_bytes, heard
        self.asked: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.asked.append(list(words))
        if words[0] == "speak":
            self.path.write_bytes(b"\0" * self.n_bytes)
            return subprocess.CompletedProcess(words, 0, "", "")
        return subprocess.CompletedProcess(words, 0, f"{self.heard}\n", "out of luck")


@pytest.mark.parametrize(
    ("n_bytes", "heard", "n_failed"),
    [
        (80_000, json.dumps({"text": f" {SENTENCE}"}), 0),
        (80_000, json.dumps({"text": "The spare hangs."}), 1),
        (44, "no JSON", 2),
    ],
)
def test_both_ways_are_checked(tmp_path: Path, n_bytes: int, heard: str, n_failed: int) -> None:
    report, path = Report(), tmp_path / "a.wav"
    program = FakeProgram(path, n_bytes, heard)
    there_and_back(program, path, "/inside/a.wav", report)
    assert program.asked == [
        ["speak", SENTENCE, "--out", "/inside/a.wav"],
        ["transcribe", "/inside/a.wav", "--json"],
    ]
    assert len(report.failed) == n_failed
    assert not path.exists(), "nothing is left"


def test_the_text_is_read_out_of_the_output() -> None:
    assert text_of('a line\n{"text": "words"}\n') == "words"
    assert text_of("{}") == text_of("") == ""
