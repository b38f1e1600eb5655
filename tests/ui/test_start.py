"""What a start of the program makes of its arguments, and how it ends where it is not the window."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from app.client.window import Claim
from app.core.errors import WorkerError
from app.core.locks import FileLock
from app.core.paths import DataPaths
from app.protocol.window import OpenInWindow
from app.ui import application, start, start_failure
from app.ui.start import is_seen, main, opening_of, path_of

ERROR = WorkerError("window.no_answer", "It is open but does not answer.", "Close it.")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("/a b/\udcff\n🙂 é.txt", "/a b/\udcff\n🙂 é.txt"),
        ("/a/../b", "/b"),
        ("file:///a%20b/%C3%A9%FF%0A%F0%9F%99%82.txt", "/a b/é\udcff\n🙂.txt"),
        ("file:///a%23b%3Fc%25d", "/a#b?c%d"),
        ("file:///a#b", "/a#b"),
        ("file:/a", "/a"),
        ("FILE://localhost/a", "/a"),
        ("file://", ""),
        ("file://host/share/a", ""),
        ("file:////host/share/a", ""),
        ("http://example.org/a", ""),
        ("smb://host/a", ""),
        ("file://[/a", ""),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="paths of other systems")
def test_paths_and_addresses(argument: str, expected: str) -> None:
    assert path_of(argument) == expected


def test_relative_names_are_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "file:a", "x:y", "-dash", "~"):
        assert path_of(name) == str(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    assert path_of("link") == str(tmp_path / "link")


def test_everything_that_the_command_line_asks_for() -> None:
    environment = {"DESKTOP_STARTUP_ID": "x11", "XDG_ACTIVATION_TOKEN": "wayland"}
    assert opening_of(["/a", "", "https://x/y", "file:///b"], environment) == OpenInWindow(
        paths=("/a", "/b"), n_refused=1, activation_token="wayland"
    )
    assert opening_of([], {"DESKTOP_STARTUP_ID": "x11"}).activation_token == "x11"
    assert opening_of([], {}) == OpenInWindow()


@pytest.mark.parametrize(
    ("environment", "system", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, "linux", False),
        ({"QT_QPA_PLATFORM": "vnc:size=1x1"}, "linux", False),
        ({"QT_QPA_PLATFORM": "xcb", "DISPLAY": ":0"}, "linux", True),
        ({}, "win32", True),
        ({}, "darwin", True),
    ],
)
def test_where_somebody_sees_a_window(environment: dict[str, str], system: str, expected: bool) -> None:
    assert is_seen(environment, system) is expected


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], list[OpenInWindow]]:
    """Let claims end so; gives what was to be opened."""

    def use(outcome: object) -> list[OpenInWindow]:
        seen: list[OpenInWindow] = []

        def claim(paths: DataPaths, opening: OpenInWindow) -> object:
            seen.append(opening)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(start, "claim_window", claim)
        return seen

    return use


Claims = Callable[[object], list[OpenInWindow]]


def test_a_second_start_ends_well(
    claims: Claims, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "run", None)
    seen = claims(Claim(is_window=False))
    assert main(["--data-dir", "/nowhere", "/a", "ftp://x/y"]) == 0
    assert (seen[0].paths, seen[0].n_refused) == (("/a",), 1)
    assert capsys.readouterr().err == (
        "Addresses on the network cannot be added.\nSave them on this computer first.\n"
    )


@pytest.mark.parametrize("is_locked", [True, False])
def test_the_window_runs_and_frees_the_lock(
    claims: Claims, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    lock = FileLock.acquire(tmp_path / "a.lock") if is_locked else None
    claims(Claim(is_window=True, lock=lock))
    ran: list[argparse.Namespace] = []

    def run(paths: DataPaths, arguments: argparse.Namespace) -> int:
        assert paths.root == tmp_path
        assert not is_locked or FileLock.acquire(tmp_path / "a.lock") is None
        ran.append(arguments)
        return 5

    monkeypatch.setattr(application, "run", run)
    assert main(["--data-dir", str(tmp_path), "/a", "ftp://x"]) == 5
    assert (tuple(ran[0].paths), ran[0].n_refused) == (("/a",), 1)
    again = FileLock.acquire(tmp_path / "a.lock")
    assert again is not None
    again.release()


@pytest.mark.parametrize("seen", [True, False])
def test_a_window_that_does_not_answer_is_told(
    claims: Claims, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seen: bool
) -> None:
    shown: list[object] = []
    monkeypatch.setattr(start, "is_seen", lambda environment: seen)
    monkeypatch.setattr(start_failure, "show_failure", shown.append)
    claims(ERROR)
    assert main(["--data-dir", "/nowhere"]) == 1
    assert capsys.readouterr().err == "It is open but does not answer.\nClose it.\n"
    assert shown == ([ERROR] if seen else [])
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["--data-dir", "/nowhere"]) == 1


def test_a_start_that_is_interrupted(claims: Claims) -> None:
    claims(KeyboardInterrupt())
    assert main(["--data-dir", "/nowhere"]) == 130


def test_the_message_box_says_reason_and_next_step(qapp: QApplication) -> None:
    words: list[str] = []

    def read() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        words.extend((box.text(), box.informativeText()))
        box.accept()

    QTimer.singleShot(50, read)
    start_failure.show_failure(ERROR)
    assert words == [ERROR.user_message, ERROR.hint]


def test_a_second_start_needs_no_qt() -> None:
    code = "import sys, app.ui.start; sys.exit(any(n.startswith(('PySide6', 'qasync')) for n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
