"""Speak a sentence and understand it again with an installed program, by its commands alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.smoke.report import Report

SENTENCE = "The spare key of the boat house hangs behind the blue door."
EXPECTED = ("key", "behind the blue door")

Call = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def there_and_back(call: Call, wav_path: Path, inside: str, report: Report) -> None:
    """Let the program speak into a file and transcribe it; the file is gone afterwards.

    Args:
        call: Runs a command of the program, given its arguments.
        wav_path: Where the file is, seen from here.
        inside: Its name where the program runs.
        report: Receives what was seen.
    """
    said = call(["speak", SENTENCE, "--out", inside])
    made = wav_path.is_file() and wav_path.stat().st_size > 50_000
    report.check("a sentence is spoken into a file", said.returncode == 0 and made, _end_of(said))
    said = call(["transcribe", inside, "--json"])
    text = text_of(said.stdout)
    report.check(
        "it is understood again", all(words in text.lower() for words in EXPECTED), text or _end_of(said)
    )
    wav_path.unlink(missing_ok=True)


def text_of(output: str) -> str:
    """Return the transcript's text out of what the command printed; empty where there is none."""
    for line in output.splitlines():
        if line.startswith("{"):
            value = json.loads(line)
            return str(value.get("text", ""))
    return ""


def _end_of(said: subprocess.CompletedProcess[str]) -> str:
    return (said.stdout + said.stderr).strip()[-300:]
