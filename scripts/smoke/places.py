"""Odd places, odd surroundings and old processors for an installed program."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

from scripts.smoke.job import Installed, own
from scripts.smoke.report import Report

NAMES = ("with space", "é", "中文", "🙂 emoji", "田中　1 'quoted' $HOME %20")
QUESTION = "What hangs behind the blue door of the boat house?"
NOTE = "The spare key of the boat house hangs behind the blue door.\n"
FULL_MIB = 512
OLD_CPU = "Nehalem"
EMULATOR = "/usr/local/bin/emulator"


def check_places(program: Installed, report: Report, work_dir: Path) -> None:
    """Run the program in each of them: read a file, ask, see a citation."""
    for number, name in enumerate(NAMES):
        _named_place(program, report, name, number)
    _read_only_home(program, report)
    _little_space(program, report)
    _older_processor(program, report, work_dir)


def answers(program: Installed, note: str, variables: dict[str, str] | None = None) -> str:
    """Read a file and ask about it; return an empty text, or what went wrong."""
    read = program.call("ingest", note, variables=variables, timeout_s=600)
    if read.returncode != 0:
        return f"ingest: {(read.stdout + read.stderr).strip()[-400:]}"
    said = program.call("ask", QUESTION, "--max-tokens", "40", "--json", variables=variables, timeout_s=900)
    if '"citations": [{' not in said.stdout:
        return f"ask: {(said.stdout + said.stderr).strip()[-400:]}"
    return ""


def _note(program: Installed, folder: Path) -> str:
    path = folder / "boat house.txt"
    path.write_text(NOTE, encoding="utf-8")
    own(program.root, folder)
    return program.root.inside(path)


def _named_place(program: Installed, report: Report, name: str, number: int) -> None:
    """Home, data folder and program folder in a place with such a name; LANG=C."""
    root = program.root
    place = root.path / "srv" / name
    home = place / "home"
    home.mkdir(parents=True)
    copied = place / "program"
    source = root.path / program.program_dir.strip("/")
    shutil.copytree(source, copied, symlinks=True, copy_function=_hard_link)
    own(root, home)
    variables = {"HOME": root.inside(home), "LANG": "C", "LC_ALL": "C", "TMPDIR": root.inside(home)}
    moved = Installed(root, f"{root.inside(copied)}/h2ogpt", "", "", f"{root.inside(home)}/data {name}")
    trouble = answers(moved, _note(program, home), variables)
    report.check(f"home, data and program in “{name}”, LANG=C", not trouble, trouble)
    window = Installed(root, "", f"{root.inside(copied)}/h2ogpt-desktop", "", moved.data_dir)
    if number == 0:
        report.check("the window from there, offscreen", _opens(window, variables, home))
    shutil.rmtree(place)


def _hard_link(source: str, target: str) -> str:
    Path(target).hardlink_to(source)
    return target


def _opens(program: Installed, variables: dict[str, str], home: Path) -> bool:
    """Whether the window gets ready and connected within half a minute."""
    timings = home / "timings.json"
    command = [program.window, *program.data_arguments, "--timings", program.root.inside(timings)]
    process = subprocess.Popen(
        program.root.command(command, {**variables, "QT_QPA_PLATFORM": "offscreen"}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        for _ in range(150):
            if timings.exists() and "connected_ms" in timings.read_text():
                return True
            time.sleep(0.2)
        return False
    finally:
        process.terminate()
        process.wait(30)


def _read_only_home(program: Installed, report: Report) -> None:
    """A home that cannot be written: the reason and a next step, no traceback."""
    root = program.root
    home = root.path / "srv" / "read only home"
    home.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,mode=755", "tmpfs", str(home)], check=True)
    try:
        variables = {"HOME": root.inside(home), "XDG_DATA_HOME": root.inside(home)}
        said = root.run([program.console, "ask", "Anything?"], variables)
        words = said.stderr + said.stdout
        clear = said.returncode == 1 and "Traceback" not in words and "--data-dir" in words
        report.check("a read-only home is said in words", clear, words.strip().replace("\n", " ")[-300:])
    finally:
        subprocess.run(["umount", str(home)], check=True)


def _little_space(program: Installed, report: Report) -> None:
    """A disk with 512 MB for the data."""
    root = program.root
    disk = root.path / "srv" / "small disk"
    disk.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={FULL_MIB}m,mode=777", "tmpfs", str(disk)], check=True
    )
    try:
        place = disk / "home"
        place.mkdir()
        note = _note(program, place)
        small = Installed(root, program.console, "", "", f"{root.inside(place)}/data")
        trouble = answers(small, note, {"HOME": root.inside(place), "TMPDIR": root.inside(place)})
        report.check(f"with {FULL_MIB} MB of free disk", not trouble, trouble)
        _wait_for_host()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _wait_for_host() -> None:
    time.sleep(6)  # the host lingers a moment after the last front end left


def _older_processor(program: Installed, report: Report, work_dir: Path) -> None:
    """Every background process on an emulated processor of 2008, without AVX; and plug-ins by name."""
    root = program.root
    place = root.path / "srv" / "old processor"
    copied = place / "program"
    shutil.copytree(
        root.path / program.program_dir.strip("/"), copied, symlinks=True, copy_function=_hard_link
    )
    home = place / "home"
    home.mkdir()
    note = _note(program, home)
    for variant in ("x64", "sse42", "haswell"):
        data = f"{root.inside(home)}/data {variant}"
        forced = Installed(root, f"{root.inside(copied)}/h2ogpt", "", "", data)
        trouble = answers(forced, note, {"H2OGPT_CPU_VARIANT": variant})
        report.check(f"the engine's plug-in {variant} answers", not trouble, trouble)
    emulator = shutil.which("qemu-x86_64-static")
    if emulator is None:
        report.figure("emulated older processor", "left out: qemu-user is not installed")
        return
    _emulate(root.path, copied, Path(emulator))
    engine = _engine_of(program, copied)
    report.check(f"on an emulated {OLD_CPU} (no AVX) the engine takes sse42", engine == "sse42", engine)
    old = Installed(root, f"{root.inside(copied)}/h2ogpt", "", "", f"{root.inside(home)}/data old")
    began = time.monotonic()
    trouble = answers(old, note)
    detail = trouble or f"{time.monotonic() - began:.0f} s for reading and answering, emulated"
    report.check("and it answers", not trouble, detail)
    shutil.rmtree(place)
    (root.path / EMULATOR.lstrip("/")).unlink()


def _engine_of(program: Installed, program_dir: Path) -> str:
    """Return the name of the processor's plug-in that the engine chose."""
    said = program.root.run([f"{program.root.inside(program_dir)}/h2ogpt-worker", "probe"], timeout_s=300)
    found = json.loads(said.stdout.splitlines()[-1])
    return str(found["engine"]["cpu_variant"])


def _emulate(root_path: Path, program_dir: Path, emulator: Path) -> None:
    """Make each background process run under the emulator, which does not follow into children.

    A frozen program starts itself once more to find its libraries; with these variables it has done so.
    """
    worker = program_dir / "h2ogpt-worker"
    worker.rename(program_dir / "h2ogpt-worker.real")
    variables = {
        "_PYI_ARCHIVE_FILE": "$dir/h2ogpt-worker.real",
        "_PYI_PARENT_PROCESS_LEVEL": "-1",
        "_PYI_LINUX_PROCESS_NAME": "h2ogpt-worker",
        "LD_LIBRARY_PATH": "$dir/_internal",
    }
    options = " ".join(f'-E "{name}={value}"' for name, value in variables.items())
    worker.write_text(
        f'#!/bin/sh\ndir=${{0%/*}}\nexec {EMULATOR} -cpu {OLD_CPU} {options} "$dir/h2ogpt-worker.real" "$@"\n'
    )
    worker.chmod(0o755)
    inside = root_path / EMULATOR.lstrip("/")
    shutil.copyfile(emulator, inside)
    inside.chmod(0o755)
