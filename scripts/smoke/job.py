"""The main job on an installed program: first start, drop, ask, click the citation, start again, quit."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.ui.tokens import LIGHT
from scripts.faults.make_documents import QUESTION, make_pdf
from scripts.smoke import traces
from scripts.smoke.clean_root import UID, Root
from scripts.smoke.report import Report
from scripts.smoke.screen import Screen, wait_for

N_PAGES, FACT_PAGE = 60, 47
PDF_NAME = "Prüfbericht Aldermoor.pdf"
NOTE_NAME = "Second note 中文 🙂.txt"
OLDER_NOTE_NAME = "Lighthouse é.txt"
TITLE, GUIDE_TITLE, ABOUT_TITLE = "^h2oGPT$", "Welcome to h2oGPT", "About h2oGPT"
TRACED_KINDS = {"host", "library", "inference", "template", "parser", "render", "probe"}
# Of a window of 1280 x 800 at the screen's corner.
MIDDLE = (560, 400)
COMPOSER = (520, 703)
CHAT_AREA = (242, 110, 650, 560)
VIEWER_AREA = (560, 90, 715, 680)
MENU_BUTTON = (830, 24)
# What must never be loaded, laid out where a careless program would find it.
PLANTED = (
    "sitecustomize.py",
    "json.py",
    "encodings.py",
    "libssl.so.3",
    "libggml-cpu-planted.so",
    "libQt6Core.so.6",
)


@dataclass
class Installed:
    """An installed program inside a clean system.

    Attributes:
        root: The system.
        console: The command `h2ogpt`, as called inside.
        window: The command `h2ogpt-desktop`.
        program_dir: Where its libraries are, inside.
        data_dir: The data folder, inside; empty for the usual one.
    """

    root: Root
    console: str
    window: str
    program_dir: str
    data_dir: str = ""

    @property
    def data_arguments(self) -> list[str]:
        """What names the data folder on a command line."""
        return ["--data-dir", self.data_dir] if self.data_dir else []

    def call(
        self, *arguments: str, variables: dict[str, str] | None = None, timeout_s: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the console program."""
        return self.root.run([self.console, *self.data_arguments, *arguments], variables, timeout_s=timeout_s)

    def json(self, *arguments: str, variables: dict[str, str] | None = None) -> list[Any]:
        """Run one command and return the objects that it printed."""
        text = self.call(*arguments, "--json", variables=variables).stdout
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def states(self) -> dict[str, str]:
        """Return the state of each file of the library by its name."""
        return {entry["name"]: entry["state"] for entry in self.json("library", "list")}

    def doctor_errors(self) -> list[str]:
        """Return what the doctor complains about."""
        found = self.json("doctor")
        if not found:
            return ["the doctor said nothing"]
        return [
            f"{check['name']}: {check['detail']}"
            for check in found[0]["checks"]
            if check["status"] == "error"
        ]


def plant(root: Root) -> str:
    """Lay out a folder of files that must not be loaded; return its name inside."""
    folder = root.home / "Down loads"
    folder.mkdir(exist_ok=True)
    for name in PLANTED:
        (folder / name).write_text(
            "raise SystemExit('planted')\n" if name.endswith(".py") else "not a library"
        )
    (folder / "PySide6").mkdir(exist_ok=True)
    (folder / "PySide6" / "__init__.py").write_text("raise SystemExit('planted')\n")
    own(root, folder)
    return root.inside(folder)


def own(root: Root, path: Path) -> None:
    """Give a path inside, and what is below it, to the user."""
    subprocess.run(["chown", "-R", f"{UID}:{UID}", str(path)], check=True)


@contextmanager
def started(
    program: Installed, *arguments: str, trace_path: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the window; it is ended, if it still runs, afterwards."""
    folder = plant(program.root)
    variables = {"TMPDIR": folder, "QT_QPA_PLATFORM": "xcb", "PYTHONPATH": folder, "LANG": "C.UTF-8"}
    command = program.root.command([program.window, *program.data_arguments, *arguments], variables, folder)
    if trace_path is not None:
        command = [*traces.COMMAND, "-o", str(trace_path), *command]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def processes_of(root: Root) -> list[int]:
    """Return the processes that run inside as the user."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == UID and (entry / "root").samefile(root.path):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def main_job(program: Installed, view: Screen, report: Report, pictures: Path, work_dir: Path) -> None:
    """Do the whole job once, under strace, with a picture of each step."""
    root = program.root
    pdf_path = root.home / PDF_NAME
    make_pdf(pdf_path, n_pages=N_PAGES, fact_page=FACT_PAGE)
    note_path = root.home / NOTE_NAME
    note_path.write_text("The spare key of the boat house hangs behind the blue door.\n", encoding="utf-8")
    own(root, pdf_path)
    own(root, note_path)
    trace_path = work_dir / "trace.txt"
    wait_for(lambda: not processes_of(root), 30)  # a host that still runs would not be traced
    with started(program, trace_path=trace_path) as window:
        _first_run(view, pictures)
        _about(view, pictures)
        _drop(program, view, report)
        _ask_and_cite(view, report, pictures)
        _second_start(program, view, report, note_path)
        view.press("ctrl+q")
        ended = wait_for(lambda: window.poll() is not None, 30)
        report.check("the window closes", ended and window.returncode == 0, f"exit code {window.poll()}")
    report.check(
        "nothing of it runs any more", wait_for(lambda: not processes_of(root), 30), str(processes_of(root))
    )
    _check_trace(program, report, trace_path)
    errors = program.doctor_errors()
    report.check("doctor after the job", not errors, "; ".join(errors))


def _first_run(view: Screen, pictures: Path) -> None:
    view.window(TITLE)
    view.activate(GUIDE_TITLE)
    view.rest()
    time.sleep(6)  # under strace; the guide has found the hardware by then
    view.shoot(pictures / "installed_first_run.png")
    view.activate(GUIDE_TITLE)
    view.press("Return", "Return")
    time.sleep(5)  # the computer is looked at meanwhile
    view.shoot(pictures / "installed_computer.png")
    view.press("Escape")
    time.sleep(1)


def _about(view: Screen, pictures: Path) -> None:
    view.click(*MENU_BUTTON)
    time.sleep(0.5)
    view.press("Up", "Up", "Return")  # About stands before Quit
    view.activate(ABOUT_TITLE)
    time.sleep(3)
    view.shoot(pictures / "installed_about.png")
    view.press("Escape")
    time.sleep(0.5)


def _drop(program: Installed, view: Screen, report: Report) -> None:
    view.window(TITLE)
    view.drag(f"{program.root.inside(program.root.home)}/{PDF_NAME}", *MIDDLE)
    states: dict[str, str] = {}

    def is_ready() -> bool:
        states.update(program.states())
        return states.get(PDF_NAME) in {"ready", "failed", "missing"}

    report.check("a PDF dropped on the window is read", wait_for(is_ready, 120), str(states))


def _ask_and_cite(view: Screen, report: Report, pictures: Path) -> None:
    view.window(TITLE)
    view.click(*COMPOSER)
    view.type(QUESTION)
    view.press("Return")
    found = view.until("a citation", lambda: _settled_citation(view), 120)
    view.rest()
    view.shoot(pictures / "installed_answer.png")
    view.click(*found)
    marked = wait_for(lambda: _highlight(view) is not None, 60)
    view.rest()
    time.sleep(3)
    view.shoot(pictures / "installed_citation.png")
    report.check("a click on the citation opens the page with the words marked", marked)


def _settled_citation(view: Screen) -> tuple[int, int] | None:
    """Return where a citation can be clicked, once the answer has stopped changing."""
    first = view.find(LIGHT.accent, CHAT_AREA)
    if first is None:
        return None
    time.sleep(3)
    return first if view.find(LIGHT.accent, CHAT_AREA) == first else None


def _highlight(view: Screen) -> tuple[int, int] | None:
    return view.find(LIGHT.highlight_active, VIEWER_AREA, 20) or view.find(LIGHT.highlight, VIEWER_AREA, 20)


def _second_start(program: Installed, view: Screen, report: Report, note_path: Path) -> None:
    note = program.root.inside(note_path)
    began = time.monotonic()
    second = program.root.run([program.window, *program.data_arguments, note], timeout_s=60)
    took_s = time.monotonic() - began
    detail = f"exit code {second.returncode} after {took_s:.2f} s {second.stderr.strip()}"
    report.check("a second start hands over and ends", second.returncode == 0, detail)
    name = note_path.name
    report.check("its file is in the library", wait_for(lambda: program.states().get(name) == "ready", 60))
    report.check("there is one window", len(view.windows(TITLE)) == 1, str(view.windows(TITLE)))


def _check_trace(program: Installed, report: Report, trace_path: Path) -> None:
    lines = traces.read(trace_path)
    missing = TRACED_KINDS - traces.background_kinds(lines)
    report.check("every background process was traced", not missing, ", ".join(sorted(missing)))
    tried = traces.connections(lines)
    report.check("no connection was tried", lines and not tried, "; ".join(tried[:3]))
    allowed = (
        program.program_dir,
        "/usr/",
        "/lib/",
        "/lib64/",
        "/etc/",
        "/bin/",
        "/sbin/",
        program.console,
        program.window,
    )
    names = traces.loaded(lines[_program_begins(lines, program) :])
    strange = traces.foreign(names, allowed)
    report.check(
        "nothing was loaded from elsewhere", names and not strange, f"{len(names)} loaded; {strange[:5]}"
    )


def _program_begins(lines: list[str], program: Installed) -> int:
    """Return the line at which the program itself starts; those before show how it was reached."""
    for number, line in enumerate(lines):
        if "execve(" in line and f'"{program.window}"' in line and "= 0" in line:
            return number
    return 0


def measure_starts(program: Installed, report: Report, view: Screen) -> None:
    """Measure from start to a window that answers, with cold and with warm disk caches."""
    view.rest()
    figures = {"cold": [_start_ms(program, cold=True) for _ in range(2)]}
    figures["warm"] = [_start_ms(program, cold=False) for _ in range(5)]
    for kind, limit_ms in (("cold", 4000), ("warm", 1500)):
        worst = sorted(figures[kind])[len(figures[kind]) // 2]
        report.check(
            f"window ready, {kind} caches, at most {limit_ms} ms", worst <= limit_ms, f"{figures[kind]} ms"
        )


def _start_ms(program: Installed, *, cold: bool) -> int:
    timings = program.root.home / "timings.json"
    timings.unlink(missing_ok=True)
    if cold:
        subprocess.run(["sync"], check=True)
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    inside = program.root.inside(timings)
    with started(program, "--timings", inside, "--began", f"{time.time():.3f}"):
        if not wait_for(lambda: timings.exists() and "ready_ms" in timings.read_text(), 60):
            return 99_999
        ready_ms = int(json.loads(timings.read_text())["ready_ms"])
    wait_for(lambda: not processes_of(program.root), 20)
    timings.unlink()
    return ready_ms


def left_in_home(root: Root, data_dir: str) -> list[str]:
    """Return the files in the user's home that the program left outside of its data folder."""
    shutil.rmtree(root.home / "Down loads", ignore_errors=True)
    kept = (
        root.path / data_dir.lstrip("/"),
        root.home / ".cache" / "fontconfig",
        root.home / ".cache" / "mesa_shader_cache",
    )
    found = [path for path in root.home.rglob("*") if not path.is_dir()]
    known = {".bashrc", ".profile", ".bash_logout", PDF_NAME, NOTE_NAME, OLDER_NOTE_NAME}
    return [
        root.inside(path)
        for path in found
        if path.name not in known and not any(path.is_relative_to(place) for place in kept)
    ]
