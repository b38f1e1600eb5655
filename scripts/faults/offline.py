"""Run the main job inside a network namespace without routes, under strace; print every connection attempt.

Needs Linux with `unshare` and `strace`. Exit 1 where a step fails or a connection is tried.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.faults.make_documents import FACT_PAGE, QUESTION, make_pdf
from scripts.faults.program import TOP_DIR, Program, report

CONNECT = re.compile(r"(connect|sendto|sendmsg)\(.*(AF_INET6?)")
LOOPBACK = re.compile(r'inet_addr\("127\.|"::1"')


def attempts(trace_dir: Path) -> list[str]:
    """Give the traced calls that aim at an internet address outside this machine."""
    lines = []
    for path in trace_dir.glob("net*"):
        for line in path.read_text(errors="replace").splitlines():
            if CONNECT.search(line) and not LOOPBACK.search(line):
                lines.append(line.strip())
    return lines


def main_job(work_dir: Path) -> bool:
    """Ingest, search and ask; print what came of each."""
    program = Program(work_dir / "data")
    pdf_path = work_dir / "manual.pdf"
    make_pdf(pdf_path)
    ingested = program.json("ingest", str(pdf_path), timeout=900)
    ok = report("ingest", bool(ingested) and ingested[0]["state"] == "ready", str(ingested))
    found = program.json("search", QUESTION)
    page = found[0]["hits"][0]["page"] if found and found[0]["hits"] else None
    ok &= report("search", page == FACT_PAGE, f"best hit on page {page}")
    answer = program.json("ask", QUESTION, "--max-tokens", "60")
    pages = [citation["page"] for citation in answer[0]["citations"]] if answer else []
    ok &= report("ask", FACT_PAGE in pages, f"cited pages {pages}")
    window = subprocess.run(
        [
            sys.executable,
            "-m",
            "scripts.drive_window",
            "--data-dir",
            str(work_dir / "data"),
            "--ask",
            QUESTION,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    ok &= report("window", window.returncode == 0, (window.stdout + window.stderr).strip()[-300:])
    errors = program.doctor_errors()
    program.stop_host()
    return ok & report("doctor", not errors, "; ".join(errors) or "no violated invariant")


def main() -> int:
    """Run the drill; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    inside_dir: Path | None = parser.parse_args().inside
    if inside_dir is not None:
        return 0 if main_job(inside_dir) else 1
    if not (shutil.which("unshare") and shutil.which("strace")):
        print("This drill needs unshare and strace.")
        return 2
    work_dir = Path(tempfile.mkdtemp(prefix="h2ogpt-offline-"))
    namespace = ["unshare", "-Urn", "sh", "-c", 'ip link set lo up; exec "$@"', "--"]
    strace = ["strace", "-ff", "-qq", "-o", str(work_dir / "net"), "-e", "trace=connect,sendto,sendmsg"]
    job = [sys.executable, "-m", "scripts.faults.offline", "--inside", str(work_dir)]
    ended = subprocess.run([*namespace, *strace, *job], check=False, cwd=TOP_DIR)
    tried = attempts(work_dir)
    n_traced = len(list(work_dir.glob("net*")))
    ok = report("connections", not tried, f"{len(tried)} attempts by {n_traced} threads traced {tried[:3]}")
    shutil.rmtree(work_dir, ignore_errors=True)
    return 0 if ok and ended.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
