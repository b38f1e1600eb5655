"""The diagnostics as plain text, to be pasted into a report about a fault."""

from collections.abc import Sequence
from pathlib import Path

from app import __version__
from app.protocol.hardware import Hardware, Requirement
from app.protocol.system import Check
from app.ui.diagnostics.words import cards, engine_rows, gpu_answer, processor_rows, state_words

_MARKS = {"ok": "ok", "warning": "!!", "error": "XX"}


def without_home(text: str, home: str | None = None) -> str:
    """Give a text in which the user's own folder, which holds their name, stands as `~`.

    Args:
        text: of the host, a driver or the system.
        home: None for the folder of the user who runs the program.
    """
    folder = home if home is not None else str(Path.home())
    return text.replace(folder, "~") if len(folder) > 1 else text


def report_text(hardware: Hardware, checks: Sequence[Check] = ()) -> str:
    """Write everything that the page shows as lines of text, without names of the user's own folders."""
    answer = gpu_answer(hardware)
    lines = [f"h2oGPT Desktop {__version__}", "", *_rows(processor_rows(hardware))]
    lines += ["", answer.title, *(f"  {reason}" for reason in answer.reasons)]
    for card in cards(hardware):
        lines += ["", f"{card.name} ({state_words(card.state)})", *_rows(card.facts)]
        lines += [f"  {card.reason}"] if card.reason else []
    lines += ["", *_rows(engine_rows(hardware.engine))]
    lines += ["", *map(_requirement, hardware.requirements)] if hardware.requirements else []
    lines += ["", *map(_check, checks)] if checks else []
    return without_home("\n".join(lines) + "\n")


def _rows(rows: Sequence[tuple[str, str]]) -> list[str]:
    return [f"  {what}: {words}" for what, words in rows]


def _requirement(requirement: Requirement) -> str:
    mark = "ok" if requirement.found else "--"
    purpose = f" ({requirement.needed_for})" if requirement.needed_for else ""
    detail = f": {requirement.detail}" if requirement.detail else ""
    return f"  [{mark}] {requirement.name}{purpose}{detail}"


def _check(check: Check) -> str:
    hint = f" {check.hint}" if check.hint else ""
    return f"  [{_MARKS.get(check.status, check.status)}] {check.name}: {check.detail}{hint}"
