"""The library worker as a process: what a front end sees of files, collections, search and documents."""

import os
import subprocess
import time
from pathlib import Path

import pymupdf
import pytest

from app.core.paths import DataPaths
from app.protocol.body import from_message
from app.protocol.documents import FindInDocument, GetDocument, GetDocumentSource, GetText, GetWordBoxes
from app.protocol.library import (
    AddContent,
    AddPaths,
    AddResult,
    CancelFiles,
    CheckLibrary,
    CreateCollection,
    DeleteCollection,
    FileChanged,
    FileResult,
    FileState,
    GetLibraryStatus,
    ListCollections,
    ListFiles,
    MoveFiles,
    PauseIngestion,
    RefreshFiles,
    RemoveFiles,
    RenameCollection,
    RetryFiles,
    Throttle,
)
from app.protocol.search import Scope, Search
from app.protocol.system import ErrorBody
from scripts.bench.worker_client import LibraryWorker, RequestCancelled, RequestFailed
from tests.worker.library.conftest import add, listed, wait_idle, wait_until

pytestmark = pytest.mark.slow  # real processes, one after the other

PUMP = "The warranty for the pump lasts 24 months from the date of delivery. Valves are checked every year."
BOILER = "The boiler runs at eighty degrees. Its pressure gauge stands beside the door."


def problems(worker: LibraryWorker) -> list[str]:
    return [f"{c.name}: {c.detail}" for c in worker.call(CheckLibrary()).checks if c.status == "error"]


def code_of(worker: LibraryWorker, request: object) -> str:
    with pytest.raises(RequestFailed) as failed:
        worker.call(request)  # type: ignore[arg-type]
    return failed.value.body.code


def test_a_file_is_added_found_shown_and_removed_without_trace(
    worker: LibraryWorker, sources: Path, paths: DataPaths
) -> None:
    (sources / "pump.txt").write_text(PUMP)
    (sources / "boiler.txt").write_text(BOILER)

    results = add(worker, sources)
    assert {name: result.state for name, result in results.items()} == {
        "pump.txt": "ready",
        "boiler.txt": "ready",
    }
    assert results["pump.txt"].chunks == 1

    found = worker.call(Search(query="How long does the warranty of the pump last?"))
    assert found.found and found.relevance > 0.5 and not found.degraded
    hit = found.hits[0]
    assert (hit.rank, hit.path) == (1, str(sources / "pump.txt"))
    assert hit.text == PUMP[hit.char_start : hit.char_end]
    assert not worker.call(Search(query="Who won the Olympic marathon in Tokyo?")).found

    info = worker.call(GetDocument(document_id=hit.document_id))
    assert (info.name, info.title, info.source, info.n_chars) == ("pump.txt", "pump", "unchanged", len(PUMP))
    assert worker.call(GetText(document_id=hit.document_id, char_start=4, char_end=12)).text == PUMP[4:12]
    matches = worker.call(FindInDocument(document_id=hit.document_id, text="THE  pump"))
    assert [PUMP[start:end] for start, end, _ in matches.matches] == ["the pump"]
    source = worker.call(GetDocumentSource(document_id=hit.document_id))
    assert source.path == str(sources / "pump.txt") and len(source.sha256) == 64

    assert worker.call(RemoveFiles(paths=(str(sources / "pump.txt"),))).removed == 1
    assert not worker.call(Search(query="warranty", mode="keyword")).hits
    assert code_of(worker, GetDocument(document_id=hit.document_id)) == "document.not_found"
    assert (sources / "pump.txt").exists()
    assert problems(worker) == []
    wait_until(lambda: b"warranty" not in _all_bytes(paths))


def _all_bytes(paths: DataPaths) -> bytes:
    return b"".join(path.read_bytes() for path in paths.root.glob("library.db*"))


def test_every_kind_of_bad_file_gets_its_reason(worker: LibraryWorker, sources: Path) -> None:
    (sources / "empty.txt").touch()
    (sources / ".hidden.txt").write_text("not looked at")
    (sources / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (sources / "broken.pdf").write_bytes(b"%PDF-1.7\nnot a pdf")
    os.mkfifo(sources / "pipe")
    (sources / "loop").symlink_to(sources)
    (sources / "dangling").symlink_to(sources / "nowhere")

    results = add(worker, sources, sources / "absent.txt")
    assert {name: result.state for name, result in results.items()} == {
        "empty.txt": "empty",
        "picture.png": "unsupported",
        "broken.pdf": "failed",
        "pipe": "unsupported",
        "loop": "unsupported",
        "dangling": "missing",
        "absent.txt": "missing",
    }
    assert all(result.reason.endswith(".") for result in results.values())
    entries = listed(worker)
    assert entries["pipe"].reason_code == "file.special"
    assert entries["loop"].reason_code == "file.link_loop"
    assert all(entry.hint for entry in entries.values())


@pytest.mark.linux
def test_names_survive_whatever_they_hold(worker: LibraryWorker, sources: Path) -> None:
    names = [
        "with space.txt",
        "é.txt",
        "e\u0301.txt",
        "中文.txt",
        "😀.txt",
        "quote'\".txt",
        "x" * 200 + ".txt",
    ]
    undecodable = os.fsdecode(b"caf\xe9.txt")
    for number, name in enumerate([*names, undecodable]):
        (sources / name).write_text(f"File number {number} speaks of kestrel{number}.")
    results = add(worker, sources)
    assert set(results) == {*names, undecodable}
    assert {result.state for result in results.values()} == {"ready"}
    found = worker.call(Search(query="kestrel7", mode="keyword")).hits
    assert [hit.path for hit in found] == [str(sources / undecodable)]
    assert worker.call(RemoveFiles(paths=(str(sources / undecodable),))).removed == 1


def test_the_same_content_is_read_once_and_shown_everywhere(worker: LibraryWorker, sources: Path) -> None:
    first, second = sources / "a.txt", sources / "b.txt"
    first.write_text(PUMP)
    second.write_text(PUMP)
    assert add(worker, first)["a.txt"].state == "ready"
    again = add(worker, first, second)
    assert (again["a.txt"].state, again["b.txt"].state) == ("duplicate", "duplicate")
    entries = listed(worker)
    assert entries["a.txt"].document_id == entries["b.txt"].document_id
    assert (entries["a.txt"].duplicate_of, entries["b.txt"].duplicate_of) == ("", str(first))

    assert add(worker, second, collection="Other")["b.txt"].state == "ready"
    assert worker.call(GetLibraryStatus()).n_documents == 1
    for collections in ((), ("Other",), ("my documents",)):
        assert len(worker.call(Search(query="warranty", collections=collections)).hits) == 1
    assert worker.call(Search(query="warranty", collections=("Other",))).hits[0].path == str(second)

    worker.call(RemoveFiles(paths=(str(first), str(second))))
    assert worker.call(GetLibraryStatus()).n_documents == 0


def test_a_changed_source_is_read_again_and_a_vanished_one_kept(worker: LibraryWorker, sources: Path) -> None:
    path = sources / "note.txt"
    path.write_text("The meeting is on Monday.")
    add(worker, path)
    old = listed(worker)["note.txt"].document_id
    assert old is not None

    path.write_text("The meeting was moved to Thursday.")
    assert worker.call(GetDocument(document_id=old)).source == "changed"
    worker.call(RefreshFiles())
    wait_until(lambda: listed(worker)["note.txt"].document_id != old)
    wait_idle(worker)
    hits = worker.call(Search(query="When is the meeting?")).hits
    assert [hit.text for hit in hits] == ["The meeting was moved to Thursday."]

    path.unlink()
    worker.call(RefreshFiles())
    entry = listed(worker)["note.txt"]
    assert (entry.state, entry.reason_code) == (FileState.MISSING, "file.missing")
    assert "kept" in entry.reason
    hit = worker.call(Search(query="When is the meeting?")).hits[0]
    assert worker.call(GetDocument(document_id=hit.document_id)).source == "missing"

    path.write_text("The meeting was moved to Thursday.")
    worker.call(RefreshFiles())
    wait_until(lambda: listed(worker)["note.txt"].state == FileState.READY)
    assert listed(worker)["note.txt"].document_id == hit.document_id
    assert problems(worker) == []


def test_collections_are_made_renamed_filled_and_deleted(worker: LibraryWorker, sources: Path) -> None:
    (default,) = worker.call(ListCollections()).collections
    assert default.name == "My documents"
    work = worker.call(CreateCollection(name="  Work  "))
    assert work.name == "Work"
    assert code_of(worker, CreateCollection(name="WORK")) == "collection.exists"
    assert code_of(worker, CreateCollection(name="   ")) == "collection.bad_name"
    assert code_of(worker, RenameCollection(collection_id=999, name="x")) == "collection.not_found"
    assert worker.call(RenameCollection(collection_id=work.id, name="Archive")).name == "Archive"

    (sources / "pump.txt").write_text(PUMP)
    (sources / "boiler.txt").write_text(BOILER)
    add(worker, sources / "pump.txt", collection="archive")
    add(worker, sources / "boiler.txt")
    by_name = {c.name: c.n_files for c in worker.call(ListCollections()).collections}
    assert by_name == {"My documents": 1, "Archive": 1}

    def found(scope: Scope) -> set[str]:
        hits = worker.call(Search(query="pump boiler", scope=scope)).hits
        return {Path(hit.path).name for hit in hits}

    assert found(Scope()) == {"pump.txt", "boiler.txt"}
    assert found(Scope(kind="some", collection_ids=(work.id,))) == {"pump.txt"}
    assert found(Scope(kind="none")) == set()
    assert code_of(worker, Search(query="x", collections=("Nowhere",))) == "collection.not_found"

    location = listed(worker)["boiler.txt"].location_id
    worker.call(MoveFiles(location_ids=(location,), collection_id=work.id))
    assert found(Scope(kind="some", collection_ids=(work.id,))) == {"pump.txt", "boiler.txt"}
    assert worker.call(DeleteCollection(collection_id=work.id)).removed == 2
    assert worker.call(GetLibraryStatus()).n_documents == 0
    assert worker.call(DeleteCollection(collection_id=default.id)).removed == 0
    assert [c.name for c in worker.call(ListCollections()).collections] == ["My documents"]


def test_a_file_moved_to_where_it_is_already_is_merged(worker: LibraryWorker, sources: Path) -> None:
    (sources / "pump.txt").write_text(PUMP)
    add(worker, sources / "pump.txt")
    add(worker, sources / "pump.txt", collection="Other")
    (default, other) = worker.call(ListCollections()).collections
    (entry,) = worker.call(ListFiles(collection_id=default.id)).files
    worker.call(MoveFiles(location_ids=(entry.location_id,), collection_id=other.id))
    assert worker.call(ListFiles()).total == 1
    assert problems(worker) == []


def test_pasted_content_is_kept_once_and_removed_with_its_file(
    worker: LibraryWorker, paths: DataPaths
) -> None:
    for name in ("note.txt", "same.txt"):
        assert worker.call(AddContent(name=name), PUMP.encode()).n_files == 1
    wait_until(lambda: [e.state for e in worker.call(ListFiles()).files] == [FileState.READY])
    (entry,) = worker.call(ListFiles()).files
    assert entry.name == "note.txt"
    assert [path.name for path in paths.files_dir.iterdir()] == [Path(entry.path).name]
    worker.call(RemoveFiles(location_ids=(entry.location_id,)))
    assert list(paths.files_dir.iterdir()) == []


def test_files_are_listed_by_page_name_and_state(worker: LibraryWorker, sources: Path) -> None:
    for name in ("Beta.txt", "alpha.txt", "gamma.txt"):
        (sources / name).write_text(f"About {name} alone.")
    (sources / "empty.txt").touch()
    add(worker, sources)
    names = [entry.name for entry in worker.call(ListFiles()).files]
    assert names == ["alpha.txt", "Beta.txt", "empty.txt", "gamma.txt"]
    page = worker.call(ListFiles(offset=1, limit=2))
    assert ([entry.name for entry in page.files], page.total) == (["Beta.txt", "empty.txt"], 4)
    assert [entry.name for entry in worker.call(ListFiles(contains="ALPH")).files] == ["alpha.txt"]
    assert [entry.name for entry in worker.call(ListFiles(state="empty")).files] == ["empty.txt"]
    assert worker.call(ListFiles(state="reading")).total == 0


def test_adding_a_large_folder_answers_at_once_and_cancelling_leaves_it_going(
    worker: LibraryWorker, sources: Path
) -> None:
    for number in range(400):
        (sources / f"{number}.txt").write_text(f"Number {number} of many.")
    worker.call(GetLibraryStatus())
    started = time.monotonic()
    worker.call(AddPaths(paths=(str(sources),)))
    assert time.monotonic() - started < 3.0  # 0.3 s on a machine with nothing else to do
    request = worker.start(AddPaths(paths=(str(sources),), wait=True))
    wait_until(lambda: worker.call(GetLibraryStatus()).counts.get("ready", 0) > 0)
    worker.cancel(request)
    with pytest.raises(RequestCancelled):
        worker.wait(request, AddResult)
    before = worker.call(GetLibraryStatus()).counts.get("ready", 0)
    wait_until(lambda: worker.call(GetLibraryStatus()).counts.get("ready", 0) > before)
    worker.call(RemoveFiles(paths=(str(sources),)))
    assert worker.call(GetLibraryStatus()).n_documents == 0
    assert problems(worker) == []


def test_pause_holds_everything_and_survives_a_restart(
    worker: LibraryWorker, sources: Path, paths: DataPaths
) -> None:
    assert worker.call(PauseIngestion(paused=True)).paused
    (sources / "pump.txt").write_text(PUMP)
    assert worker.call(AddPaths(paths=(str(sources),))).n_files == 1
    worker.close()
    with LibraryWorker(paths.root, subprocess.DEVNULL) as again:
        status = again.call(GetLibraryStatus())
        assert (status.paused, status.waiting) == (True, 1)
        assert listed(again)["pump.txt"].state == FileState.QUEUED
        assert not again.call(PauseIngestion(paused=False)).paused
        wait_until(lambda: listed(again)["pump.txt"].state == FileState.READY)


def test_cancelled_and_retried_files(worker: LibraryWorker, sources: Path) -> None:
    (sources / "pump.txt").write_text(PUMP)
    worker.call(PauseIngestion(paused=True))
    request = worker.start(AddPaths(paths=(str(sources),), wait=True))
    wait_until(lambda: "pump.txt" in listed(worker))
    location = listed(worker)["pump.txt"].location_id
    worker.call(CancelFiles(location_ids=(location,)))
    results: list[FileResult] = []
    ended = worker.wait(request, AddResult, lambda body: results.append(body))  # type: ignore[arg-type]
    assert (ended.n_files, ended.n_failed) == (1, 1)
    assert [(result.state, result.reason) for result in results] == [("failed", "Reading was cancelled.")]
    assert listed(worker)["pump.txt"].reason_code == "cancelled"
    worker.call(PauseIngestion(paused=False))
    worker.call(RetryFiles(location_ids=(location,)))
    wait_until(lambda: listed(worker)["pump.txt"].state == FileState.READY)


def test_keywords_answer_while_an_answer_keeps_the_vectors_waiting(
    worker: LibraryWorker, sources: Path
) -> None:
    (sources / "pump.txt").write_text(PUMP)
    worker.call(Throttle(active=True))
    worker.call(AddPaths(paths=(str(sources),)))
    wait_until(lambda: listed(worker)["pump.txt"].state == FileState.EMBEDDING)
    found = worker.call(Search(query="How long does the warranty of the pump last?"))
    assert found.degraded
    assert [hit.path for hit in found.hits] == [str(sources / "pump.txt")]
    worker.call(Throttle(active=False))
    wait_until(lambda: listed(worker)["pump.txt"].state == FileState.READY)
    assert not worker.call(Search(query="warranty")).degraded


def test_events_tell_the_life_of_a_file(worker: LibraryWorker, sources: Path) -> None:
    (sources / "pump.txt").write_text(PUMP)
    add(worker, sources)

    def states() -> list[FileState]:
        bodies = [from_message(message) for message in list(worker.events)]
        return [body.file.state for body in bodies if isinstance(body, FileChanged)]

    wait_until(lambda: FileState.READY in states())
    types = {message.type for message in worker.events}
    wait_until(lambda: {"file.changed", "library.status_changed"} <= types)


def test_senseless_requests_are_refused_in_words(worker: LibraryWorker, sources: Path) -> None:
    (sources / "pump.txt").write_text(PUMP)
    add(worker, sources)
    document = listed(worker)["pump.txt"].document_id
    assert document is not None
    assert code_of(worker, AddPaths(paths=())) == "library.bad_path"
    assert code_of(worker, AddPaths(paths=("relative.txt",))) == "library.bad_path"
    assert code_of(worker, Search(query="x", mode="magic")) == "search.bad_mode"
    assert code_of(worker, GetText(document_id=document, char_start=5, char_end=2)) == "document.bad_range"
    assert code_of(worker, GetWordBoxes(document_id=document, page=1)) == "page.not_found"
    assert code_of(worker, GetDocument(document_id=999)) == "document.not_found"
    assert not worker.call(Search(query="   ")).hits
    for query in ('" OR NEAR( * ^ {', "heading:pump* NOT x", "\x00\ud800"):
        assert not worker.call(Search(query=query, mode="keyword")).found


def test_a_newer_library_is_refused_without_a_change(paths: DataPaths) -> None:
    with LibraryWorker(paths.root, subprocess.DEVNULL) as worker:
        worker.call(GetLibraryStatus())
    content = bytearray(paths.library_db_path.read_bytes())
    content[60:64] = (99).to_bytes(4, "big")
    paths.library_db_path.write_bytes(content)
    with LibraryWorker(paths.root, subprocess.DEVNULL) as worker, pytest.raises(RequestFailed) as failed:
        worker.call(GetLibraryStatus())
    body: ErrorBody = failed.value.body
    assert body.code == "storage.newer" and "newer version" in body.message and body.hint
    assert paths.library_db_path.read_bytes() == bytes(content)
    assert sorted(path.name for path in paths.root.glob("library.db*")) == ["library.db"]


def test_a_pdf_keeps_its_pages_and_the_boxes_of_its_words(worker: LibraryWorker, sources: Path) -> None:
    path = sources / "manual.pdf"
    document = pymupdf.open()
    for number, text in enumerate((PUMP, BOILER), start=1):
        page = document.new_page(width=595, height=842)
        page.insert_textbox((50, 50, 545, 800), f"Page {number}. {text}", fontsize=11)
    document.save(str(path))
    document.close()
    result = add(worker, path)["manual.pdf"]
    assert (result.state, result.pages, result.chunks) == ("ready", 2, 2)

    hit = worker.call(Search(query="How hot does the boiler run?")).hits[0]
    assert hit.page == 2
    info = worker.call(GetDocument(document_id=hit.document_id))
    assert (info.format, info.renderable, len(info.pages)) == ("pdf", True, 2)
    assert (info.pages[1].width, info.pages[1].height) == (595.0, 842.0)
    text = worker.call(GetText(document_id=hit.document_id, char_start=0, char_end=info.n_chars)).text
    assert text[hit.char_start : hit.char_end] == hit.text

    boxes = worker.call(GetWordBoxes(document_id=hit.document_id, page=2))
    words = [text[start:end] for start, end, *_ in boxes.boxes]
    assert words[:4] == ["Page", "2.", "The", "boiler"]
    assert all(50 <= x0 < x1 <= 545 and 50 <= y0 < y1 <= 800 for _, _, x0, y0, x1, y1 in boxes.boxes)
    (match,) = worker.call(FindInDocument(document_id=hit.document_id, text="pressure GAUGE")).matches
    assert (text[match[0] : match[1]], match[2]) == ("pressure gauge", 2)
    assert code_of(worker, GetWordBoxes(document_id=hit.document_id, page=3)) == "page.not_found"
    assert problems(worker) == []
