"""A stand-in for the inference worker: the same messages over stdio, and every way to misbehave.

Run from the repository's root: `python -m tests.fake_engine [OPTIONS]`. Options may also stand in the
environment variable `FAKE_ENGINE` (split like a shell would).

An answer is the words of the last user message, one token each (`--text` replaces them). A fault strikes once
the process is in the phase `--at` (`start`, `idle`, `load`, `prompt`, `stream`) and, while streaming, after
`--after` tokens; with `--once FILE` only where FILE does not exist yet (it is made then), so that a restarted
engine is healthy.

Faults: `segv`, `abort`, `kill` (signals), `exit0`, `exit1`, `hang` (the request is never ended, pings are
answered), `freeze` (nothing is answered any more), `garbage` (a line that is not JSON), `half-line` (and the
end), `huge-line` (`--huge-bytes` without a newline), `stderr-flood` (`--flood-bytes`, then it goes on),
`bad-message` (JSON of a wrong shape), `bad-reply` (an end with a wrong body), `two-ends`.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def fake_engine_command(*options: str) -> list[str]:
    """Give the argv of a fake engine; it needs no particular working directory."""
    start = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})"
    code = f"{start}; from tests.fake_engine.process import main; main()"
    return [sys.executable, "-c", code, *options]


def options_from(text: str, argv: Sequence[str]) -> list[str]:
    """Join the options of the environment variable and of the command line."""
    return [*shlex.split(text), *argv]
