"""Install, use and remove the package on this machine, for the user who runs it (Windows and macOS)."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.setup.progress import SetupError
from scripts.smoke.report import Report
from scripts.smoke.sound import there_and_back

NOTE = "The spare key of the boat house hangs behind the blue door.\n"
QUESTION = "What hangs behind the blue door of the boat house?"
_APPLICATION = "h2oGPT Desktop.app"


def smoke_here(package: Path, report: Report) -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory(prefix="h2ogpt é ") as temporary:
        work_dir = Path(temporary)
        if platform.system() == "Windows":
            program_dir = install_on_windows(package, report)
            use(program_dir / "h2ogpt.exe", program_dir / "h2ogpt-desktop.exe", work_dir, report)
            remove_from_windows(program_dir, report)
        else:
            application = install_on_macos(package, work_dir)
            programs = application / "Contents" / "MacOS"
            use(programs / "h2ogpt", programs / "h2ogpt-desktop", work_dir, report)


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=600,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def install_on_windows(package: Path, report: Report) -> Path:
    """Install silently; return the program's folder.

    Raises:
        SetupError: the installer failed.
    """
    said = _run([package, "/S"])
    program_dir = Path(os.environ["LOCALAPPDATA"]) / "Programs" / "h2oGPT Desktop"
    if said.returncode != 0 or not (program_dir / "h2ogpt.exe").exists():
        raise SetupError(
            f"The installer ended with {said.returncode} and installed nothing in {program_dir}."
        )
    report.check("the installer runs silently", True)
    return program_dir


def remove_from_windows(program_dir: Path, report: Report) -> None:
    """Uninstall silently; the uninstaller goes on in a copy of itself after the call has returned."""
    _run([next(program_dir.glob("*ninstall*.exe")), "/S"])
    deadline = time.monotonic() + 120
    while program_dir.exists() and time.monotonic() < deadline:
        time.sleep(1)
    left = [path.name for path in program_dir.rglob("*")]
    report.check("the uninstaller takes everything away", not left, ", ".join(left[:5]))


def install_on_macos(package: Path, work_dir: Path) -> Path:
    """Copy the application out of the disk image; return where it is.

    Raises:
        SetupError: the image cannot be opened.
    """
    mount_dir = work_dir / "image"
    said = _run(["hdiutil", "attach", "-nobrowse", "-readonly", "-mountpoint", mount_dir, package])
    if said.returncode != 0:
        raise SetupError(f"The disk image cannot be opened: {said.stderr.strip()}")
    try:
        shutil.copytree(mount_dir / _APPLICATION, work_dir / _APPLICATION, symlinks=True)
    finally:
        _run(["hdiutil", "detach", mount_dir])
    return work_dir / _APPLICATION


def use(console: Path, window: Path, work_dir: Path, report: Report) -> None:
    """Read a file, ask, see a citation, open the window, run the doctor."""
    note = work_dir / "boat house 中文.txt"
    note.write_text(NOTE, encoding="utf-8")
    data = ["--data-dir", str(work_dir / "data é")]
    said = _run([console, "ingest", *data, note])
    report.check("a file is read", said.returncode == 0, (said.stdout + said.stderr).strip()[-300:])
    said = _run([console, "ask", *data, QUESTION, "--max-tokens", "40", "--json"])
    lines = [line for line in said.stdout.splitlines() if line.startswith("{")]
    cited = bool(lines) and bool(json.loads(lines[-1])["citations"])
    report.check("an answer cites it", cited, (said.stdout + said.stderr).strip()[-300:])
    wav_path = work_dir / "spoken é.wav"
    there_and_back(lambda words: _run([console, *words, *data]), wav_path, str(wav_path), report)
    report.check("the window opens", opens(window, work_dir))
    said = _run([console, "doctor", *data])
    report.check("doctor", said.returncode == 0, said.stdout.strip()[-300:])


def opens(window: Path, work_dir: Path) -> bool:
    """Whether the window gets ready and connects."""
    timings = work_dir / "timings.json"
    command = [str(window), "--data-dir", str(work_dir / "data é"), "--timings", str(timings)]
    process = subprocess.Popen(command, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait(30)
    return timings.exists() and "connected_ms" in timings.read_text(encoding="utf-8")
