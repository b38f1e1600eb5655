"""Stamps: a step runs once for its inputs, again when they change, again when it was killed."""

from __future__ import annotations

import errno
import io
import threading
from pathlib import Path

import pytest

from scripts.setup import steps
from scripts.setup.layout import Layout
from scripts.setup.progress import Progress, SetupError
from scripts.setup.stamps import Stamps, key_of


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "repo", tmp_path / "repo" / ".venv", tmp_path / "cache")
    made.python_path.parent.mkdir(parents=True)
    made.python_path.touch()
    return made


def test_a_stamp_holds_for_the_same_key_only(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "stamps")
    assert not stamps.is_current("packages", "one")
    stamps.record("packages", "one")
    assert stamps.is_current("packages", "one")
    assert not stamps.is_current("packages", "two")
    stamps.forget("packages")
    assert not stamps.is_current("packages", "one")


def test_a_half_written_stamp_does_not_count(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path)
    (tmp_path / "packages.part").write_text("one\n", encoding="utf-8")
    assert not stamps.is_current("packages", "one")


def test_the_key_follows_contents_and_values(tmp_path: Path) -> None:
    path = tmp_path / "runtime.txt"
    path.write_text("numpy==2.4.6", encoding="utf-8")
    before = key_of(path, ["a"])
    assert key_of(path, ["a"]) == before
    assert key_of(path, ["b"]) != before
    path.write_text("numpy==2.4.7", encoding="utf-8")
    assert key_of(path, ["a"]) != before


class _Recorder:
    """Steps that only note that they ran; ``breaks`` names one that fails."""

    def __init__(self, breaks: str = "", unfinished: str = "") -> None:
        self.ran: list[str] = []
        self.breaks = breaks
        self.unfinished = unfinished

    def step(self, name: str) -> steps.Step:
        def run(layout: Layout, progress: Progress) -> bool:
            self.ran.append(name)
            if name == self.breaks:
                raise SetupError("the disk is full", "free some space")
            return name != self.unfinished

        return steps.Step(name, lambda layout: "key", run)


def _set_up(monkeypatch: pytest.MonkeyPatch, layout: Layout, recorder: _Recorder) -> None:
    monkeypatch.setattr(steps, "RUN_STEPS", tuple(recorder.step(name) for name in ("a", "b", "c")))
    monkeypatch.setattr("scripts.setup.environment.create_venv", lambda layout, progress: None)
    steps.set_up(layout, Progress(quiet=True))


def test_a_failed_step_is_where_the_next_run_continues(
    monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    first = _Recorder(breaks="b")
    with pytest.raises(SetupError, match="the disk is full"):
        _set_up(monkeypatch, layout, first)
    assert first.ran == ["a", "b"]
    second = _Recorder()
    _set_up(monkeypatch, layout, second)
    assert second.ran == ["b", "c"]
    third = _Recorder()
    _set_up(monkeypatch, layout, third)
    assert third.ran == []


def test_what_could_not_be_completed_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    _set_up(monkeypatch, layout, _Recorder(unfinished="b"))
    again = _Recorder()
    _set_up(monkeypatch, layout, again)
    assert again.ran == ["b"]


def test_a_result_that_is_gone_is_made_again(monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    result_path = layout.root_dir / "result"
    runs: list[str] = []

    def make(layout: Layout, progress: Progress) -> bool:
        runs.append("made")
        result_path.touch()
        return True

    step = steps.Step("one", lambda layout: "key", make, lambda layout: result_path.exists())
    monkeypatch.setattr(steps, "RUN_STEPS", (step,))
    monkeypatch.setattr("scripts.setup.environment.create_venv", lambda layout, progress: None)
    steps.set_up(layout, Progress(quiet=True))
    steps.set_up(layout, Progress(quiet=True))
    assert runs == ["made"]
    result_path.unlink()
    steps.set_up(layout, Progress(quiet=True))
    assert runs == ["made", "made"]


def test_a_full_disk_is_told_in_words(monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    def fail(layout: Layout, progress: Progress) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    monkeypatch.setattr(steps, "RUN_STEPS", (steps.Step("one", lambda layout: "key", fail),))
    monkeypatch.setattr("scripts.setup.environment.create_venv", lambda layout, progress: None)
    with pytest.raises(SetupError, match=r"No space left on device \(somewhere\)") as caught:
        steps.set_up(layout, Progress(quiet=True))
    assert str(layout.cache_dir) in caught.value.hint


def test_a_second_set_up_waits_for_the_first(layout: Layout) -> None:
    stream = io.StringIO()
    entered, leave, done = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with steps.only_one(layout, Progress(quiet=True)):
            entered.set()
            leave.wait(10)

    def second() -> None:
        with steps.only_one(layout, Progress(stream)):
            done.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    assert not done.wait(0.2)
    leave.set()
    assert done.wait(10)
    for thread in threads:
        thread.join()
    assert "waiting for it" in stream.getvalue()
