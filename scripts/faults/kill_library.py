#!/usr/bin/env python3
"""Kill the library worker at random moments of an ingestion; look for what is lost, doubled or left behind.

    .venv/bin/python scripts/faults/kill_library.py --kills 50

Each round adds some more files to the same library, lets the worker run for a random time, kills it
(SIGKILL) and starts it anew. Everything that was acknowledged must still be there: accepted paths, and files
reported as ready with the document that they had. After each start the doctor's checks must find nothing; at
the end every file is there once, ready, and found by a word that stands in it alone. No process may be left
behind.
"""

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.protocol.body import from_message
from app.protocol.library import (
    AddPaths,
    CheckLibrary,
    FileChanged,
    FileEntry,
    FileState,
    GetLibraryStatus,
    ListFiles,
)
from app.protocol.search import Search
from scripts.bench.worker_client import LibraryWorker, WorkerGone

_LAST_WAIT_S = 600.0
_NAMES = ("plain", "with space", "é-ü-ñ", "中文文件", "emoji-😀", "quote'\"x", "x" * 180)
_WORDS = ("pump", "valve", "pressure", "engine", "boiler", "report", "supply", "water", "steam", "gauge")
_MAX_LIFE_S = 4.0
_LAST_BREATH_S = 10.0


@dataclass
class Drill:
    """What was acknowledged so far, and what went wrong.

    Attributes:
        accepted: paths of requests that were answered, with the word that stands only there.
        ready: document by path, of files that were reported as ready.
        problems: in words.
    """

    data_dir: Path
    sources_dir: Path
    random: random.Random
    accepted: dict[str, str] = field(default_factory=dict)
    ready: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    n_kills: int = 0

    def write_files(self, count: int) -> dict[str, str]:
        """Write some text files of different lengths; give each path's own word."""
        written: dict[str, str] = {}
        for _ in range(count):
            number = len(self.accepted) + len(written)
            word = f"kestrel{number:05d}"
            body = [f"The device in this file is called {word}."]
            for _ in range(self.random.choice((2, 10, 60, 300))):
                body.append(" ".join(self.random.choices(_WORDS, k=12)).capitalize() + ".")
            path = self.sources_dir / f"{_NAMES[number % len(_NAMES)]} {number}.txt"
            path.write_text(" ".join(body), "utf-8")
            written[str(path)] = word
        return written

    def round(self, n_files: int, seconds: float) -> None:
        """Add files, kill the worker after some time, and look at what it left."""
        worker = LibraryWorker(self.data_dir, subprocess.DEVNULL)
        below: list[psutil.Process] = []
        try:
            files = self.write_files(n_files)
            worker.call(AddPaths(paths=tuple(files)))
            self.accepted.update(files)
            time.sleep(seconds)
            with contextlib.suppress(psutil.Error):
                below = psutil.Process(worker.process.pid).children(recursive=True)
        except WorkerGone:
            self.problems.append("the worker ended by itself")
        worker.kill()
        self.n_kills += 1
        self._note_ready(worker)
        _, left = psutil.wait_procs(below, timeout=_LAST_BREATH_S)
        self.problems += [f"a process was left behind: {process.pid}" for process in left]

    def check(self, worker: LibraryWorker) -> list[FileEntry]:
        """Compare the library with what was acknowledged; give all files."""
        for check in worker.call(CheckLibrary()).checks:
            if check.status == "error":
                self.problems.append(f"after {self.n_kills} kills: {check.name}: {check.detail}")
        files = list_all(worker)
        by_path = {entry.path: entry for entry in files}
        if len(by_path) != len(files):
            self.problems.append(f"after {self.n_kills} kills: a path is listed twice")
        for path, document_id in self.ready.items():
            entry = by_path.get(path)
            if entry is None or entry.document_id != document_id or entry.state != FileState.READY:
                self.problems.append(f"after {self.n_kills} kills: a ready file was lost: {path}")
        return files

    def finish(self, say: Callable[[str], None]) -> None:
        """Let the worker finish and check everything a last time."""
        with LibraryWorker(self.data_dir, subprocess.DEVNULL) as worker:
            deadline = time.monotonic() + _LAST_WAIT_S
            while True:
                listed = {entry.path: entry for entry in list_all(worker)}
                waiting = worker.call(GetLibraryStatus()).waiting
                if (not waiting and self.accepted.keys() <= listed.keys()) or time.monotonic() > deadline:
                    break
                time.sleep(0.2)
            files = {entry.path: entry for entry in self.check(worker)}
            for path, word in self.accepted.items():
                entry = files.get(path)
                if entry is None:
                    self.problems.append(f"an accepted file was lost: {path}")
                elif entry.state != FileState.READY:
                    self.problems.append(f"a file ended as {entry.state} ({entry.reason_code}): {path}")
                elif [hit.path for hit in worker.call(Search(query=word, mode="keyword")).hits] != [path]:
                    self.problems.append(f"a file is not found by its own word: {path}")
            say(f"{len(files)} files listed, {len(self.accepted)} accepted, {self.n_kills} kills")

    def _note_ready(self, worker: LibraryWorker) -> None:
        for message in worker.events:
            body = from_message(message)
            if isinstance(body, FileChanged) and body.file.state == FileState.READY:
                assert body.file.document_id is not None
                self.ready[body.file.path] = body.file.document_id


def list_all(worker: LibraryWorker) -> list[FileEntry]:
    """Give every file of the library."""
    files: list[FileEntry] = []
    while True:
        page = worker.call(ListFiles(offset=len(files), limit=1000))
        files += page.files
        if not page.files or len(files) >= page.total:
            return files


def run(n_kills: int, n_files: int, seed: int, directory: Path, say: Callable[[str], None]) -> list[str]:
    """Run the drill in a folder; give what went wrong."""
    sources = directory / "sources"
    sources.mkdir()
    drill = Drill(directory / "data", sources, random.Random(seed))
    for number in range(n_kills):
        drill.round(n_files, drill.random.uniform(0.02, _MAX_LIFE_S))
        if number % 5 == 4:  # also without checks in between, so that damage could add up
            with LibraryWorker(drill.data_dir, subprocess.DEVNULL) as worker:
                drill.check(worker)
            say(f"{number + 1} kills, {len(drill.ready)} files ready, {len(drill.problems)} problems")
    drill.finish(say)
    return drill.problems


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Kill the library worker while it ingests.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--files", type=int, default=8, help="added before each kill")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kill-library-"))
    try:
        problems = run(options.kills, options.files, options.seed, directory, print)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print("nothing lost, nothing doubled, nothing left behind" if not problems else "FAILED")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
