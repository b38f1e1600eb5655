"""The library in one process: crashes, full disks, changing files, resuming, a missing model."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from app.core.errors import FileError
from app.core.paths import DataPaths
from app.protocol.body import Body
from app.protocol.library import FileEntry, FileState
from app.protocol.system import Notice
from app.worker.library import document_store, reading, vectorizing
from app.worker.library import library as module
from app.worker.library.crashes import CrashMark
from app.worker.library.database import Database
from app.worker.library.embedding import OnnxEmbedder, Vectors
from app.worker.library.file_store import NewFile
from app.worker.library.library import Library
from app.worker.library.schema import MIGRATIONS
from app.worker.parser.client import Parsed
from tests.worker.library.conftest import wait_until

pytestmark = pytest.mark.slow  # real processes, one after the other

Start = Callable[..., Library]


class Parser:
    """Stands in for the parser processes, so that a test can act while a file is read."""

    def __init__(self) -> None:
        self.during: Callable[[str, int], None] = lambda _name, _attempt: None
        self.attempts: dict[str, int] = {}

    def warm(self) -> None:
        """Nothing to start."""

    def parse(
        self, file: BinaryIO, name: str, *, cancelled: threading.Event, on_progress: Callable[[float], None]
    ) -> Parsed:
        text = file.read().decode()
        self.attempts[name] = self.attempts.get(name, 0) + 1
        on_progress(0.5)
        self.during(name, self.attempts[name])
        return Parsed(text, "text", Path(name).stem, "test 1")

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> Parser:
    stand_in = Parser()
    monkeypatch.setattr(module, "ParserClient", lambda: stand_in)
    return stand_in


@pytest.fixture
def sent() -> list[Body]:
    return []


@pytest.fixture
def start(paths: DataPaths, parser: Parser, sent: list[Body], embedder: OnnxEmbedder) -> Iterator[Start]:
    running: list[Library] = []

    def begin(**arguments: object) -> Library:
        library = Library(paths, sent.append, **{"embedder": embedder, **arguments})  # type: ignore[arg-type]
        library.start()
        running.append(library)
        return library

    yield begin
    for library in running:
        library.stop()


def add(library: Library, *paths: Path) -> None:
    addition = library.adder.add([str(path) for path in paths], library.collections.default_id, None)
    assert addition.done.wait(10)


def entry(library: Library, name: str) -> FileEntry:
    (found,) = library.files.page(None, name, "", 0, 10)[0]
    return found


def wait_for(library: Library, name: str, state: FileState) -> FileEntry:
    wait_until(lambda: entry(library, name).state == state)
    return entry(library, name)


def test_a_file_that_changes_while_it_is_read_is_read_again(
    start: Start, parser: Parser, sources: Path
) -> None:
    path = sources / "note.txt"
    path.write_text("The first version.")

    def change(_name: str, attempt: int) -> None:
        if attempt == 1:
            path.write_text("The second version.")

    parser.during = change
    library = start()
    add(library, path)
    found = wait_for(library, "note", FileState.READY)
    assert found.document_id is not None
    assert library.documents.text(found.document_id) == "The second version."
    assert parser.attempts["note.txt"] == 2


def test_a_file_that_never_rests_is_given_up_with_its_reason(
    start: Start, parser: Parser, sources: Path
) -> None:
    path = sources / "log.txt"
    path.write_text("start")

    def append(_name: str, attempt: int) -> None:
        path.write_text(f"line {attempt}" * (attempt + 1))

    parser.during = append
    library = start()
    add(library, path)
    assert wait_for(library, "log", FileState.FAILED).reason_code == "file.changing"
    # The start may find the file changed once more and read it again.
    assert parser.attempts["log.txt"] % reading.MAX_READINGS == 0


def test_a_change_that_leaves_no_trace_in_the_times_is_noticed(
    start: Start, parser: Parser, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sources / "note.txt"
    path.write_text("First one.")

    def change(_name: str, attempt: int) -> None:
        if attempt == 1:
            path.write_text("Other one.")

    parser.during = change
    monkeypatch.setattr(reading, "same_file_state", lambda _before, _after: True)
    library = start()
    add(library, path)
    found = wait_for(library, "note", FileState.READY)
    assert found.document_id is not None
    assert library.documents.text(found.document_id) == "Other one."


def test_the_parser_gets_a_second_chance_and_no_third(
    start: Start, parser: Parser, sources: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (sources / "poison.txt").write_text("x")
    (sources / "shaky.txt").write_text("This one is read at the second try.")

    def crash(name: str, attempt: int) -> None:
        if name == "poison.txt" or attempt == 1:
            raise FileError("parser.crashed", "It crashed.", "Try.", {"state": "failed"})

    parser.during = crash
    library = start()
    add(library, sources)
    found = wait_for(library, "poison", FileState.FAILED)
    assert found.reason == "The reader crashed twice on this file."
    wait_for(library, "shaky", FileState.READY)
    assert "crashed on file" in caplog.text
    caplog.clear()


def test_a_file_that_crashes_the_worker_twice_is_quarantined(
    start: Start,
    parser: Parser,
    sources: Path,
    paths: DataPaths,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (sources / "poison.txt").write_text("x")
    (sources / "good.txt").write_text("A good file.")
    stuck = threading.Event()

    def hold(name: str, _attempt: int) -> None:
        if name == "poison.txt" and not stuck.is_set():
            raise OSError("the worker dies here")

    parser.during = hold
    monkeypatch.setattr(reading, "_RETRY_S", 60.0)
    for _ in range(2):
        library = start()
        add(library, sources / "poison.txt")
        wait_until(lambda: parser.attempts.get("poison.txt", 0) > 0)
        wait_until(lambda library=library: not library.reader.is_reading)  # type: ignore[misc]
        library.stop()
        parser.attempts.clear()
        write_crash(paths, "reading")
    library = start()
    assert entry(library, "poison").reason_code == "file.crashed_reader"
    add(library, sources / "good.txt")
    wait_for(library, "good", FileState.READY)
    stuck.set()
    with library.database.write() as connection:
        library.files.requeue(connection, [entry(library, "poison").location_id])
    library.files_queued([])
    wait_for(library, "poison", FileState.READY)
    caplog.clear()


def write_crash(paths: DataPaths, thread: str) -> None:
    stacks = f'Current thread 0x1 (most recent call first):\n  File "library/{thread}.py", line 1\n\n'
    (paths.logs_dir / "library-crash.txt").write_text(f"Fatal Python error: Segmentation fault\n\n{stacks}")


def test_a_crash_is_blamed_on_the_thread_that_crashed(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "crash.txt"
    path.parent.mkdir()
    for content, blamed in [
        ("", set()),
        ('Current thread 1:\n  File "library/reading.py"\n\nThread 2:\n library/vectorizing.py', {"reading"}),
        ('Current thread 1:\n  File "library/search.py"\n', set()),
        ("Fatal Python error\n\nCurrent thread 1:\n  <no Python frame>\n", {"reading", "vectorizing"}),
    ]:
        path.write_text(content)
        mark = CrashMark(path)
        assert {name for name in ("reading", "vectorizing") if mark.blames(name)} == blamed
        mark.close()


def test_a_document_whose_vectors_crash_is_left_to_its_words(
    start: Start, sources: Path, paths: DataPaths
) -> None:
    (sources / "odd.txt").write_text("Odd words about kestrels.")
    library = start()
    library.pace.throttle(True)
    add(library, sources)
    wait_for(library, "odd", FileState.EMBEDDING)
    library.stop()
    database = Database(paths.library_db_path, MIGRATIONS, paths.backups_dir)
    with database.write() as connection:
        connection.execute("UPDATE documents SET embed_attempts = 2")
    database.close()
    write_crash(paths, "vectorizing")
    library = start()
    found = wait_for(library, "odd", FileState.PARTIAL)
    assert found.reason_code == "embedding.crashed"
    assert library.engine.search("kestrels", "hybrid", 5, library.catalogue.documents_in(None)).hits


def test_a_full_disk_pauses_with_one_notice_and_goes_on_when_there_is_room(
    start: Start, sources: Path, sent: list[Body], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_RETRY_S", 0.2)
    library = start()
    with library.database.write() as connection:
        (used,) = connection.execute("PRAGMA page_count").fetchone() or (0,)
        connection.execute(f"PRAGMA max_page_count={used}")
    (sources / "big.txt").write_text("Many words about pressure. " * 4000)
    with library.database.write() as connection:
        library.files.add(connection, 1, new_file(sources / "big.txt"))
    library.files_queued([1])
    wait_until(lambda: any(isinstance(body, Notice) for body in sent))
    assert entry(library, "big").state in (FileState.QUEUED, FileState.READING)
    assert library.documents.totals() == (0, 0, 0)
    with library.database.write() as connection:
        connection.execute("PRAGMA max_page_count=1000000")
    wait_for(library, "big", FileState.READY)
    notices = [body for body in sent if isinstance(body, Notice)]
    assert [notice.code for notice in notices] == ["storage.full"]
    assert library.database.value("SELECT attempts FROM locations") == 0


def new_file(path: Path) -> NewFile:
    stat = path.stat()
    return NewFile(os.fsencode(path), os.fsencode(path.name), stat.st_size, stat.st_mtime_ns)


def test_vectors_are_resumed_where_a_restart_cut_them(
    start: Start, sources: Path, embedder: OnnxEmbedder
) -> None:
    (sources / "long.txt").write_text(
        "\n\n".join(f"Paragraph {i}. " + "Some words here. " * 30 for i in range(400))
    )
    library = start()
    add(library, sources)
    wait_until(lambda: library.documents.totals()[2] > 0)
    library.stop()
    counted = Counting(embedder)
    library = start(embedder=counted)
    done = library.documents.totals()[2]
    wait_for(library, "long", FileState.READY)
    _, n_chunks, n_embedded = library.documents.totals()
    assert n_chunks == n_embedded == len(library.catalogue.matrix)
    assert done > 0 and counted.n_texts == n_chunks - done


class Counting:
    """Counts what is embedded."""

    def __init__(self, embedder: OnnxEmbedder) -> None:
        self._embedder, self.name, self.dim = embedder, embedder.name, embedder.dim
        self.n_texts = 0

    def embed(self, texts: Sequence[str], n_threads: int = 1) -> Vectors:
        self.n_texts += len(texts)
        return self._embedder.embed(texts, n_threads)

    def count(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count(texts)

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        return self._embedder.cuts(text, n_tokens)


def test_vectors_of_another_model_are_made_anew(start: Start, sources: Path, embedder: OnnxEmbedder) -> None:
    (sources / "note.txt").write_text("A note about pumps.")
    library = start()
    add(library, sources)
    wait_for(library, "note", FileState.READY)
    library.stop()
    other = Counting(embedder)
    other.name = "another-model"
    library = start(embedder=other)
    wait_until(lambda: other.n_texts == 1)
    wait_for(library, "note", FileState.READY)
    assert library.database.rows("SELECT name FROM models JOIN embeddings ON model_id = id") == [
        ("another-model",)
    ]


def test_without_the_model_words_serve_and_vectors_follow_when_it_is_there(
    start: Start, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_bundled_embedder", lambda: None)
    (sources / "note.txt").write_text("A note about pumps. It has two sentences.")
    library = start(embedder=None)
    add(library, sources)
    assert wait_for(library, "note", FileState.PARTIAL).reason_code == "embedding.missing"
    found = library.engine.search("pumps", "hybrid", 5, library.catalogue.documents_in(None))
    assert len(found.hits) == 1 and "not installed" in found.degraded
    library.stop()
    library = start()
    assert wait_for(library, "note", FileState.READY).reason == ""


def test_a_retry_while_a_file_is_read_drops_the_late_result(
    start: Start, parser: Parser, sources: Path
) -> None:
    (sources / "note.txt").write_text("A note.")
    reached, go_on = threading.Event(), threading.Event()

    def hold(_name: str, attempt: int) -> None:
        if attempt == 1:
            reached.set()
            assert go_on.wait(10)

    parser.during = hold
    library = start()
    add(library, sources)
    assert reached.wait(10)
    found = entry(library, "note")
    assert (found.state, found.progress) == (FileState.READING, 0.5)
    assert library.files.page(None, "", "reading", 0, 10)[1] == 1
    assert library.status().counts == {"queued": 0, "reading": 1}
    with library.database.write() as connection:
        library.files.requeue(connection, [found.location_id])
    go_on.set()
    wait_for(library, "note", FileState.READY)
    assert parser.attempts["note.txt"] == 2
    assert library.documents.totals()[0] == 1


def test_a_large_document_is_prepared_unseen_and_cleaned_up_after_an_interruption(
    start: Start, sources: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(document_store, "_SLICE_CHUNKS", 3)
    (sources / "long.txt").write_text(
        "\n\n".join(f"Kestrel {i}. " + "Some words here. " * 40 for i in range(12))
    )
    library = start()
    with library.database.write() as connection:
        connection.execute(
            "CREATE TEMP TRIGGER stop BEFORE UPDATE OF stage ON documents WHEN new.stage = 'live'"
            " BEGIN SELECT raise(ABORT, 'cut'); END"
        )
    add(library, sources)
    wait_until(lambda: library.documents.n_indexed() == 1)
    assert library.documents.totals()[0] == 0
    assert not library.engine.search("kestrel", "keyword", 5, library.catalogue.documents_in(None)).hits
    library.stop()
    library = start()
    wait_for(library, "long", FileState.READY)
    wait_until(lambda: library.documents.n_indexed() == 1)
    n_rows = library.database.value("SELECT count(*) FROM keywords_docsize")
    assert n_rows == library.documents.totals()[1]
    caplog.clear()


def test_text_that_utf8_cannot_hold_keeps_its_offsets() -> None:
    parsed = Parsed("a\ud800b", "text", "t\udfff", "test")
    clean = reading._clean(parsed)
    assert (clean.text, clean.title) == ("a\ufffdb", "t\ufffd")
    plain = replace(parsed, text="ab", title="t")
    assert reading._clean(plain) is plain
    assert vectorizing.MAX_CRASHES == reading.MAX_CRASHES == 2
