"""Measure the window: time until it is ready, memory, and how long its event loop is held while it works.

    .venv/bin/python scripts/bench/window.py [--starts 5] [--pdf FILE]

Ready means: shown, and its event loop has turned. Warm starts are measured from the start of the interpreter,
on the Qt platform of the environment. The loop is measured while a PDF of 220 pages is read
and an answer streams. The reference printed beside it is a bare PySide6 window, started side by side.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOP_DIR = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP_DIR))

import psutil

from scripts.faults.make_documents import QUESTION, make_pdf
from scripts.first_start import skip_guide

BARE = (
    "import time, sys\n"
    "from PySide6.QtCore import QTimer\n"
    "from PySide6.QtWidgets import QApplication, QMainWindow\n"
    "app = QApplication([]); window = QMainWindow(); window.show()\n"
    "QTimer.singleShot(0, app.quit); app.exec()\n"
    "print(round((time.time() - float(sys.argv[1])) * 1000))\n"
)


def start_once(data_dir: Path) -> dict[str, Any]:
    """Start the window, wait until it is connected, end it; give its times (ms) and memory (MB)."""
    timings_path = data_dir / "timings.json"
    timings_path.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "app.ui", "--data-dir", str(data_dir / "data")]
    window = subprocess.Popen(
        [*command, "--timings", str(timings_path), "--began", str(time.time())], cwd=TOP_DIR
    )
    try:
        while not timings_path.exists():
            time.sleep(0.05)
        time.sleep(1.0)
        rss_mb = psutil.Process(window.pid).memory_info().rss / 1e6
        timings: dict[str, Any] = json.loads(timings_path.read_text(encoding="utf-8"))
    finally:
        window.terminate()
        window.wait(20)
    return timings | {"rss_mb": round(rss_mb)}


def bare_ms() -> int:
    """Start a bare PySide6 window; give the milliseconds until its loop turned."""
    out = subprocess.run(
        [sys.executable, "-c", BARE, str(time.time())], capture_output=True, text=True, check=True
    )
    return int(out.stdout)


def measure_starts(n_starts: int, work_dir: Path) -> None:
    """Print the median start, beside a bare window's."""
    skip_guide(work_dir / "data")
    start_once(work_dir)  # the first one warms the caches and makes the data folder
    runs = [(start_once(work_dir), bare_ms()) for _ in range(n_starts)]
    ready = statistics.median(run["ready_ms"] for run, _ in runs)
    bare = statistics.median(bare for _, bare in runs)
    connected = statistics.median(run["connected_ms"] for run, _ in runs)
    rss = max(run["rss_mb"] for run, _ in runs)
    print(f"start: ready after {ready:.0f} ms, {ready / bare:.2f} of a bare PySide6 window ({bare:.0f} ms)")
    print(f"       connected after {connected:.0f} ms; {rss} MB resident (targets: 1500 ms, 250 MB)")


def measure_loop(work_dir: Path, pdf_path: Path) -> None:
    """Print the delays of the event loop while a PDF is read and an answer streams."""
    command = [sys.executable, "-m", "scripts.drive_window", "--data-dir", str(work_dir / "loop")]
    out = subprocess.run(
        [*command, "--add", str(pdf_path), "--ask", QUESTION, "--ask-early"],
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP_DIR,
    )
    seen = json.loads(out.stdout.splitlines()[-1])
    loop = seen["loop"]
    print(f"loop:  p50 {loop['p50_ms']} ms, p99 {loop['p99_ms']} ms, max {loop['max_ms']} ms")
    print(f"       (targets: p99 100 ms, max 250 ms); {seen['rss_mb']} MB; drop took {seen['drop_ms']} ms")
    print(f"       words answer after {seen['answerable_s']} s, the answer took {seen['answer_s']} s")


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=5, help="warm starts (default 5)")
    parser.add_argument("--pdf", type=Path, help="PDF to read (default: 220 pages, made here)")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "" if os.environ.get("DISPLAY") else "offscreen")
    if not os.environ["QT_QPA_PLATFORM"]:
        del os.environ["QT_QPA_PLATFORM"]
    with tempfile.TemporaryDirectory(prefix="h2ogpt-window-") as name:
        work_dir = Path(name)
        pdf_path = options.pdf or work_dir / "manual.pdf"
        if options.pdf is None:
            make_pdf(pdf_path, n_pages=220)
        measure_starts(options.starts, work_dir)
        measure_loop(work_dir, pdf_path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
