"""The ledger survives crashes and hands, and stays small."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.host.services.network.ledger import Ledger, totals
from tests.unit.host.conftest import mode_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.jsonl"


def test_a_line_before_and_a_line_after(path: Path) -> None:
    ledger = Ledger(path)
    key, entry = ledger.open_entry("a.example", "test\nof a file")
    assert entry.why == "test of a file" and mode_of(path) == 0o600
    assert [item.outcome for item in ledger.read(frozenset({key}))] == ["open"]
    (broken_off,) = ledger.read()
    assert broken_off.outcome == "failed" and "ended before" in broken_off.detail
    ledger.end_entry(key, replace(entry, outcome="closed", n_sent_bytes=5, n_received_bytes=70, seconds=0.5))
    (closed,) = ledger.read()
    assert (closed.outcome, closed.n_received_bytes, closed.seconds) == ("closed", 70, 0.5)
    ledger.refuse("b.example", "x")
    entries = ledger.read()
    assert [item.outcome for item in entries] == ["closed", "refused"]
    sums = totals(entries)
    assert (sums.n_entries, sums.n_sent_bytes, sums.n_received_bytes) == (2, 5, 70)


def test_what_is_no_line_of_ours_is_passed_over(path: Path) -> None:
    good = {"key": "1", "when": 1.0, "host": "a", "why": "b", "outcome": "closed"}
    lines = [json.dumps(good), "", "{", "[1]", "7", "{}", json.dumps(good | {"when": "x"}), "[" * 100_000]
    lines += [json.dumps(good | {"sent": float("inf"), "key": "2"})]
    path.write_text("\n".join(lines) + '\n{"key": "3", "wh')
    assert len(Ledger(path).read()) == 1


def test_it_is_bounded(path: Path) -> None:
    ledger = Ledger(path, max_file_bytes=2000)
    for number in range(100):
        ledger.refuse(f"host-{number}", "x")
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 4500
    entries = ledger.read()
    assert entries[-1].host == "host-99" and len(entries) < 40
    ledger.clear()
    assert ledger.read() == [] and not list(path.parent.iterdir())
    ledger.clear()
