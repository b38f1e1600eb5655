#!/usr/bin/env python3
"""Measure ingestion end to end: a text PDF from the drop to its last vector, through the library worker.

    .venv/bin/python scripts/bench/ingest.py --pages 220 --words 500

Makes a PDF of made English text (about 500 words a page, one fact a page), adds it to an empty library and
prints pages a second, the time until a word of the last page is found, and the memory of the worker with all
processes below it. `pss` counts shared memory once, `rss` once for each process. Exits with 1 where a target
is missed.
"""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random

import psutil
import pymupdf

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.protocol.body import Body
from app.protocol.library import AddPaths, AddResult, FileResult, GetLibraryStatus
from app.protocol.search import Search
from scripts.bench.worker_client import LibraryWorker

MIN_PAGES_A_SECOND = 15.0
MAX_MEMORY_BYTES = 1.2e9
MAX_KEYWORDS_S = 2.0
_WARM_UP_S = 4.0
_WORDS = """
    the of and to in is that for it was on are as with be by this from or had not but what all were when
    there can more if out so up said about into them then some could time these two may first new people over
    after water long little very words called just where most know get through back much before also around
    another came come work three word must because does part even place well such here take why help put
    different away again off went old number great tell men say small every found still between name should
    home give air line set own under read last never us left end along while might next sound below saw
    something thought both few those always looked show large often together asked house world going want
    school important until form food keep children feet land side without boy once animal life enough took
    four head above kind began almost live page got earth need far hand high year mother light country father
    let night picture being study second soon story since white ever paper hard near sentence better best
    across during today however sure knew try told young sun thing whole hear example heard several change
    answer room sea against top turned learn point city play toward five himself usually money seen car
    morning body upon family later turn move face door cut done group true half red fish plants living wanted
    eat short united run book gave order open ground cold really table remember tree course front american
    space inside ago sad early learned brought close nothing though idea lived became add become grow draw
    yet hands less wind behind letter among able dog shown mean english rest perhaps certain six feel fire
    ready green built special ran full town complete oh person hot anything hold state list stood hundred ten
    fast felt kept notice strong pressure engine temperature surface measure valve supply report
"""


def make_pdf(path: Path, n_pages: int, words_a_page: int) -> str:
    """Write a text PDF; give a word that stands on its last page only."""
    random = Random(5)  # a fixed draw
    words = _WORDS.split()
    document = pymupdf.open()
    marker = ""
    for number in range(1, n_pages + 1):
        page = document.new_page(width=595, height=842)
        marker = f"kestrel{number:04d}q"
        sentences = [f"The device of section {number} is called {marker} and weighs {number + 3} grams."]
        n_words = len(sentences[0].split())
        while n_words < words_a_page:
            length = random.randint(8, 24)
            sentences.append(" ".join(random.choices(words, k=length)).capitalize() + ".")
            n_words += length
        left = page.insert_textbox((50, 50, 545, 800), " ".join(sentences), fontsize=10.5)
        if left < 0:
            raise SystemExit("The text does not fit the page: ask for fewer words.")
    document.save(str(path))
    document.close()
    return marker


class MemoryWatch:
    """Samples the memory of a process and of all below it."""

    def __init__(self, pid: int) -> None:
        """Begin."""
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self.peak_rss = self.peak_pss = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            rss = pss = 0
            try:
                processes = [self._root, *self._root.children(recursive=True)]
            except psutil.Error:
                return
            for process in processes:
                try:
                    info = process.memory_full_info()
                except psutil.Error:
                    continue  # it has just ended
                rss += info.rss
                pss += getattr(info, "pss", info.rss)
            self.peak_rss, self.peak_pss = max(self.peak_rss, rss), max(self.peak_pss, pss)


def measure(pdf_path: Path, marker: str, data_dir: Path, n_pages: int) -> list[str]:
    """Add the PDF, print the figures and give the targets that were missed."""
    results: list[FileResult] = []

    def on_progress(body: Body) -> None:
        if isinstance(body, FileResult):
            results.append(body)

    with LibraryWorker(data_dir) as worker:
        worker.call(GetLibraryStatus())
        time.sleep(_WARM_UP_S)  # a drop comes some seconds after the start
        watch = MemoryWatch(worker.process.pid)
        started = time.monotonic()
        request_id = worker.start(AddPaths(paths=(str(pdf_path),), wait=True))
        while not worker.call(Search(query=marker, mode="keyword")).hits:
            time.sleep(0.02)
        keywords_s = time.monotonic() - started
        worker.wait(request_id, AddResult, on_progress, timeout_s=600)
        seconds = time.monotonic() - started
        watch.stop()
        status = worker.call(GetLibraryStatus())
        worker.call(Search(query=f"Which device weighs {n_pages + 3} grams?"))
    result = results[0]
    print(f"{result.state}: {result.pages} pages, {result.chunks} chunks, {status.n_embedded} vectors")
    rate = result.chunks / seconds
    print(f"{n_pages / seconds:.1f} pages a second ({seconds:.1f} s, {rate:.0f} chunks a second)")
    print(f"keywords answered after {keywords_s:.2f} s")
    print(f"memory at its peak: pss {watch.peak_pss / 1e6:.0f} MB, rss {watch.peak_rss / 1e6:.0f} MB")
    missed = []
    if n_pages / seconds < MIN_PAGES_A_SECOND:
        missed.append("pages a second")
    if keywords_s > MAX_KEYWORDS_S:
        missed.append("time until keywords answer")
    if watch.peak_rss > MAX_MEMORY_BYTES:
        missed.append("memory")
    return missed


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Measure ingestion of a text PDF.")
    parser.add_argument("--pages", type=int, default=220)
    parser.add_argument("--words", type=int, default=500, help="a page")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bench-ingest-"))
    try:
        pdf_path = directory / "made.pdf"
        marker = make_pdf(pdf_path, options.pages, options.words)
        print(f"{options.pages} pages of {options.words} words, {pdf_path.stat().st_size / 1e6:.1f} MB")
        missed = measure(pdf_path, marker, directory / "data", options.pages)
    finally:
        shutil.rmtree(directory)
    print("targets: " + (f"MISSED: {', '.join(missed)}" if missed else "all reached"))
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
