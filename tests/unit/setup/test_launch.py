"""Starting: the window where there is a display, else the terminal chat; ARGS pass through untouched."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import run
from scripts.setup import launch
from scripts.setup.layout import Layout
from scripts.setup.progress import Progress


@pytest.mark.parametrize(
    ("environ", "system", "expected"),
    [
        ({}, "Linux", False),
        ({"DISPLAY": ""}, "Linux", False),
        ({"DISPLAY": ":0"}, "Linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "Linux", True),
        ({"QT_QPA_PLATFORM": "offscreen"}, "Linux", True),
        ({}, "Darwin", True),
        ({}, "Windows", True),
    ],
)
def test_where_a_window_can_open(environ: dict[str, str], system: str, expected: bool) -> None:
    assert launch.has_display(environ, system) is expected


def test_arguments_are_split_at_the_first_dashes() -> None:
    assert run.split_arguments(["--setup-only"]) == (["--setup-only"], None)
    assert run.split_arguments(["--", "ask", "--", "x"]) == ([], ["ask", "--", "x"])
    assert run.split_arguments(["--"]) == ([], [])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Collect what would have been started, without starting it."""
    commands: list[list[str]] = []

    def become(command: Sequence[str]) -> int:
        commands.append(list(command)[1:])
        return 7

    monkeypatch.setattr(launch, "become", become)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    return commands


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, tmp_path / ".venv", tmp_path / "cache")


def ingest_result(exit_code: int, error: str = "") -> object:
    return lambda layout: subprocess.CompletedProcess([], exit_code, "", error)


def test_arguments_go_to_the_program(started: list[list[str]], layout: Layout) -> None:
    assert run.start(layout, ["search", "word", "--json"], Progress(quiet=True)) == 7
    assert started == [["search", "word", "--json"]]


def test_a_display_opens_the_window(
    started: list[list[str]], layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":5")
    assert run.start(layout, None, Progress(quiet=True)) == 7
    assert started == [[]]


def test_no_display_starts_the_chat_over_the_sample(
    started: list[list[str]],
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(launch, "ingest_sample", ingest_result(0))
    assert run.start(layout, None, Progress()) == 7
    assert started == [["chat", "--collection", "Sample"]]
    assert "no display" in capsys.readouterr().out


def test_a_sample_that_cannot_be_added_is_told(
    started: list[list[str]],
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(launch, "ingest_sample", ingest_result(1, "The disk is full."))
    assert run.start(layout, None, Progress()) == 1
    assert started == []
    assert "The disk is full." in capsys.readouterr().out


def test_unknown_words_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--what"]) == 2
    assert "usage:" in capsys.readouterr().err
    assert run.main(["--help"]) == 0


def test_with_arguments_standard_output_stays_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], started: list[list[str]]
) -> None:
    monkeypatch.setattr(run, "set_up", lambda layout, progress: progress.say("working"))
    assert run.main(["--", "doctor", "--json"]) == 7
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "working" in captured.err
