#!/usr/bin/env python3
"""Kill the library worker at random moments while recordings are handed out, shown and stored.

    .venv/bin/python scripts/faults/kill_recordings.py --kills 100

The script plays the host: it takes recordings, notes progress and stores transcripts, of which every third is
for bytes that another file holds too. Each round the worker is killed (SIGKILL) after a random time and
started anew. What was acknowledged as stored must still be there with its text; the doctor's checks must find
nothing; at the end every recording is ready, stored once, and found by a word of its own.
"""

import argparse
import contextlib
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.protocol.audio import SPEECH_RATE
from app.protocol.documents import GetText
from app.protocol.library import AddPaths, CheckLibrary, FileEntry, FileState, GetLibraryStatus, ListFiles
from app.protocol.recordings import (
    NoteTranscription,
    StoreTranscript,
    TakeRecording,
    TranscriptLine,
    WaitingRecording,
)
from app.protocol.search import Search
from scripts.bench.worker_client import LibraryWorker, RequestFailed, WorkerGone
from scripts.wav_files import write_wav

_MIN_LIFE_S, _MAX_LIFE_S = 0.8, 4.0
_LAST_WAIT_S = 300.0
_GONE = (WorkerGone, queue.Empty)


@dataclass
class Drill:
    """What was acknowledged so far, and what went wrong.

    Attributes:
        words: by path, the word that stands in the transcript of these bytes alone.
        stored: paths whose storing was answered.
        problems: in words.
    """

    data_dir: Path
    sources_dir: Path
    chance: random.Random
    words: dict[str, str] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    n_taken: int = 0

    def write_recordings(self, count: int) -> tuple[str, ...]:
        """Write some recordings; give their paths."""
        paths = []
        for _ in range(count):
            number = len(self.words)
            content = number - 1 if number % 3 == 2 else number
            path = self.sources_dir / f"talk {number}.wav"
            write_wav(path, random.Random(content).randbytes(2 * 1600), SPEECH_RATE)
            self.words[str(path)] = f"kestrel{content:05d}"
            paths.append(str(path))
        return tuple(paths)

    def play_host(self, worker: LibraryWorker) -> None:
        """Transcribe, as it were, until the worker is gone."""
        with contextlib.suppress(*_GONE):
            while True:
                taken = worker.call(TakeRecording())
                if not taken.location_id:
                    time.sleep(0.02)
                    continue
                self.n_taken += 1
                worker.call(
                    NoteTranscription(location_id=taken.location_id, revision=taken.revision, progress=0.5)
                )
                worker.call(self._transcript(taken))
                self.stored.add(taken.path)

    def _transcript(self, taken: WaitingRecording) -> StoreTranscript:
        word = self.words[taken.path]
        n_lines = self.chance.choice((3, 30, 1500))
        said = [f"The device is called {word}.", *(f"Line {n} about pumps." for n in range(n_lines))]
        return StoreTranscript(
            location_id=taken.location_id,
            revision=taken.revision,
            lines=tuple(
                TranscriptLine(start_s=3.0 * n, end_s=3.0 * n + 2.5, text=text) for n, text in enumerate(said)
            ),
            language="en",
            format="wav",
            seconds=3.0 * len(said),
            model="drill",
        )

    def look(self, worker: LibraryWorker) -> dict[str, FileEntry]:
        """Compare what the worker holds with what was acknowledged; give its files."""
        report = worker.call(CheckLibrary())
        self.problems += [
            f"{check.name}: {check.detail}" for check in report.checks if check.status == "error"
        ]
        entries = {entry.path: entry for entry in worker.call(ListFiles(limit=1000)).files}
        for path in self.stored:
            entry = entries.get(path)
            if entry is None or entry.document_id is None:
                self.problems.append(f"{Path(path).name} was stored and is gone")
                continue
            text = worker.call(GetText(document_id=entry.document_id, char_start=0, char_end=100)).text
            if self.words[path] not in text:
                self.problems.append(f"{Path(path).name} holds another text")
        return entries


def run(n_kills: int, seed: int, place: Path) -> list[str]:
    """Run the drill; give the problems found."""
    drill = Drill(place / "data", place / "sources", random.Random(seed))
    drill.sources_dir.mkdir()
    for _ in range(n_kills):
        worker = LibraryWorker(drill.data_dir, subprocess.DEVNULL)
        with contextlib.suppress(*_GONE):
            worker.call(AddPaths(paths=drill.write_recordings(3)))
        killer = threading.Timer(drill.chance.uniform(_MIN_LIFE_S, _MAX_LIFE_S), worker.process.kill)
        killer.start()
        drill.play_host(worker)
        killer.join()
        worker.kill()
        with LibraryWorker(drill.data_dir, subprocess.DEVNULL) as looking:
            drill.look(looking)
    _finish(drill)
    print(
        f"{len(drill.words)} recordings, {drill.n_taken} taken, {len(drill.stored)} answers, {n_kills} kills"
    )
    return drill.problems


def _finish(drill: Drill) -> None:
    with LibraryWorker(drill.data_dir, subprocess.DEVNULL) as worker:
        worker.call(AddPaths(paths=tuple(drill.words)))  # what was not acknowledged before
        host = threading.Thread(target=drill.play_host, args=(worker,), daemon=True)
        host.start()
        deadline = time.monotonic() + _LAST_WAIT_S
        while worker.call(GetLibraryStatus()).waiting and time.monotonic() < deadline:
            time.sleep(0.1)
        entries = drill.look(worker)
        for path, word in drill.words.items():
            entry = entries.get(path)
            if entry is None or entry.state != FileState.READY:
                drill.problems.append(f"{Path(path).name} is {entry and entry.state}")
            with contextlib.suppress(RequestFailed):
                hits = worker.call(Search(query=word, mode="keyword", limit=5)).hits
                if len({hit.document_id for hit in hits}) != 1:
                    drill.problems.append(f"{word} is found in {len(hits)} places")
        n_documents, n_contents = worker.call(GetLibraryStatus()).n_documents, len(set(drill.words.values()))
        if n_documents != n_contents:
            drill.problems.append(f"{n_documents} documents for {n_contents} contents")


def main() -> int:
    """Parse arguments, run, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-recordings-") as place:
        problems = run(options.kills, options.seed, Path(place))
    print("\n".join(problems) or "nothing was lost, doubled or left behind")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
