"""Recordings in the library: they wait, are handed out, stored, and survive whatever happens on the way."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import apsw
import pytest

from app.core.errors import FileError
from app.core.paths import DataPaths
from app.protocol.audio import SPEECH_RATE
from app.protocol.body import Body
from app.protocol.documents import DocumentInfo, GetDocument, GetDocumentSource, GetText, GetTextTimes
from app.protocol.library import (
    AddPaths,
    CancelFiles,
    CheckLibrary,
    FileEntry,
    FileResult,
    FileState,
    MoveFiles,
    RemoveFiles,
    RetryFiles,
)
from app.protocol.recordings import (
    FailRecording,
    NoteTranscription,
    RecordingUnwanted,
    RecordingWaits,
    ResumeRecordings,
    StoreTranscript,
    TakeRecording,
    TranscriptLine,
    WaitingRecording,
)
from app.protocol.search import Search
from app.protocol.system import Notice
from app.worker.library import library as module
from app.worker.library import recordings as recordings_module
from app.worker.library.checks import _INVARIANTS
from app.worker.library.database import Database
from app.worker.library.document_reader import DocumentReader
from app.worker.library.embedding import OnnxEmbedder
from app.worker.library.library import Library
from app.worker.library.operations import FileOperations
from app.worker.library.schema import MIGRATIONS
from app.worker.parser.result import Parsed
from app.worker.runtime import Cancelled, Job
from scripts.bench.worker_client import LibraryWorker, RequestFailed
from scripts.wav_files import write_wav
from tests.worker.library.conftest import listed, wait_until

LINES = (
    TranscriptLine(start_s=0.0, end_s=2.5, text="The heron waits at the lock."),
    TranscriptLine(start_s=2.5, end_s=4.0, text="Nobody has the key."),
    TranscriptLine(start_s=9.0, end_s=11.0, text="Then the rain begins."),
)
TEXT = "The heron waits at the lock. Nobody has the key.\n\nThen the rain begins."


class Parser:
    """Stands in for the parser processes: names of sound are refused as the real ones refuse them."""

    def warm(self) -> None:
        """Nothing to start."""

    def parse(
        self, file: BinaryIO, name: str, *, cancelled: threading.Event, on_progress: Callable[[float], None]
    ) -> Parsed:
        if name.endswith(".wav"):
            raise FileError("unsupported.audio", "This is sound.", "", {"state": "unsupported"})
        return Parsed(file.read().decode(), "text", Path(name).stem, "test 1")

    def close(self) -> None:
        """Nothing to end."""


def job() -> Job:
    return Job("r1", TakeRecording(), b"", lambda _message: None, lambda _job, _result: None)


class Shelf:
    """A library in this process, asked as the host asks its worker."""

    def __init__(self, library: Library, sent: list[Body]) -> None:
        self.library, self.sent = library, sent
        self.operations = FileOperations(library)
        self.documents = DocumentReader(library.documents, library.files)

    def register(self, *paths: Path) -> None:
        collection_id = self.library.collections.default_id
        addition = self.library.adder.add([str(path) for path in paths], collection_id, None)
        assert addition.done.wait(10)

    def add(self, *paths: Path) -> None:
        self.register(*paths)
        for path in paths:
            self.wait(path.name, "recording.waits", FileState.QUEUED)

    def entry(self, name: str) -> FileEntry:
        (found,) = self.library.files.page(None, name, "", 0, 10)[0]
        return found

    def wait(self, name: str, code: str, *states: FileState) -> FileEntry:
        wait_until(lambda: self.entry(name).state in states and self.entry(name).reason_code == code, 0.01)
        return self.entry(name)

    def ready(self, name: str) -> FileEntry:
        return self.wait(name, "", FileState.READY)

    def take(self) -> WaitingRecording:
        return self.library.recordings.take(TakeRecording(), job())

    def store(
        self, taken: WaitingRecording, lines: tuple[TranscriptLine, ...] = LINES, note: str = ""
    ) -> None:
        self.library.recordings.store(transcript(taken, lines, note), job())

    def fail(self, taken: WaitingRecording, code: str, *, later: bool = False) -> None:
        request = FailRecording(
            location_id=taken.location_id,
            revision=taken.revision,
            code=code,
            reason="It could not be transcribed.",
            hint="Try something.",
            later=later,
        )
        self.library.recordings.fail(request, job())

    def info(self, name: str) -> DocumentInfo:
        document_id = self.entry(name).document_id
        assert document_id is not None
        return self.documents.info(GetDocument(document_id=document_id), job())

    def text(self, name: str) -> str:
        return self.library.documents.text(self.info(name).document_id)

    def events(self, kind: type[Body]) -> list[Body]:
        return [body for body in list(self.sent) if isinstance(body, kind)]

    def is_sound(self) -> bool:
        found = problems(self, self.library.database.reader())
        assert not found, found
        return True


def transcript(
    taken: WaitingRecording, lines: tuple[TranscriptLine, ...] = LINES, note: str = ""
) -> StoreTranscript:
    return StoreTranscript(
        location_id=taken.location_id,
        revision=taken.revision,
        lines=lines,
        language="en",
        format="wav",
        seconds=12.0,
        model="whisper-tiny",
        note_code="speech.language" if note else "",
        note=note,
        note_hint="Choose another model." if note else "",
    )


@pytest.fixture
def start(
    paths: DataPaths, embedder: OnnxEmbedder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Shelf]]:
    monkeypatch.setattr(module, "ParserClient", Parser)
    running: list[Library] = []

    def begin() -> Shelf:
        sent: list[Body] = []
        library = Library(paths, sent.append, embedder)
        library.start()
        running.append(library)
        return Shelf(library, sent)

    yield begin
    for library in running:
        library.stop()


@pytest.fixture
def shelf(start: Callable[[], Shelf]) -> Shelf:
    return start()


@pytest.fixture
def talk(sources: Path) -> Path:
    return recording(sources / "talk.wav", 1)


def recording(path: Path, seed: int) -> Path:
    """Write a short WAV file; another seed gives other bytes."""
    write_wav(path, bytes([seed, 0]) * 1600, SPEECH_RATE)
    return path


def test_a_recording_is_handed_out_shown_and_becomes_a_document_with_times(shelf: Shelf, talk: Path) -> None:
    shelf.add(talk)
    assert shelf.entry("talk").reason == "Waits to be transcribed."
    assert shelf.events(RecordingWaits)
    taken = shelf.take()
    assert (taken.path, taken.name) == (str(talk), "talk.wav")
    assert shelf.take().location_id == 0
    for fraction in (0.5, 7.0):  # what makes no sense is not shown
        note = NoteTranscription(location_id=taken.location_id, revision=taken.revision, progress=fraction)
        shelf.library.recordings.note(note, job())
    entry = shelf.entry("talk")
    assert (entry.state, entry.progress, entry.reason) == (FileState.READING, 0.5, "")
    status = shelf.library.status()
    assert (status.waiting, status.counts) == (1, {"queued": 0, "reading": 1})
    assert status.eta_s is not None
    shelf.store(taken)
    shelf.ready("talk")
    info = shelf.info("talk")
    assert (info.format, info.title, info.sound_seconds, info.source) == ("wav", "talk", 12.0, "unchanged")
    assert shelf.text("talk") == TEXT
    times = shelf.documents.times(GetTextTimes(document_id=info.document_id), job()).spans
    assert [(TEXT[a:b], s, e) for a, b, s, e in times] == [(x.text, x.start_s, x.end_s) for x in LINES]
    within = GetTextTimes(document_id=info.document_id, char_start=30, char_end=35)
    assert shelf.documents.times(within, job()).spans == times[1:2]
    source = shelf.documents.source(GetDocumentSource(document_id=info.document_id), job())
    assert (source.path, source.source) == (str(talk), "unchanged")
    assert shelf.is_sound()


def test_other_files_are_read_past_a_recording_that_waits(shelf: Shelf, talk: Path, sources: Path) -> None:
    shelf.add(talk)
    (sources / "note.txt").write_text("A note about pumps.")
    shelf.register(sources / "note.txt")
    shelf.ready("note")
    shelf.take()
    (sources / "more.txt").write_text("Another note about pumps.")
    shelf.register(sources / "more.txt")
    shelf.ready("more")
    assert shelf.entry("talk").state == FileState.READING


def test_the_same_bytes_are_transcribed_once(shelf: Shelf, talk: Path, sources: Path) -> None:
    copies = [recording(sources / f"copy{n}.wav", 1) for n in range(2)]
    shelf.add(talk, *copies)
    taken = shelf.take()
    assert shelf.take().location_id == 0  # the copies wait for its result
    shelf.store(taken)
    for name in ("talk", "copy0", "copy1"):
        shelf.ready(name)
    late = recording(sources / "late.wav", 1)
    shelf.register(late)
    shelf.ready("late")
    assert shelf.library.documents.totals()[0] == 1
    assert shelf.is_sound()


def test_a_copy_takes_its_turn_where_the_first_one_fails_and_is_linked_when_known(
    shelf: Shelf, talk: Path, sources: Path
) -> None:
    shelf.add(talk)
    shelf.add(recording(sources / "copy.wav", 1))
    first = shelf.take()
    shelf.fail(first, "audio.decoder_died")
    failed = shelf.wait("talk", "audio.decoder_died", FileState.FAILED)
    assert (failed.reason, failed.hint) == ("It could not be transcribed.", "Try something.")
    second = shelf.take()
    assert second.name == "copy.wav"
    # the first one is asked for again while the copy is on its way, and needs no work of its own then
    with shelf.library.database.write() as connection:
        shelf.library.files.requeue(connection, [first.location_id])
    shelf.library.files_queued([first.location_id])
    shelf.wait("talk", "recording.waits", FileState.QUEUED)
    shelf.store(second)
    shelf.ready("talk")
    shelf.ready("copy")


def test_each_reason_ends_the_file_in_its_state(shelf: Shelf, sources: Path) -> None:
    states = {
        "audio.no_sound": FileState.EMPTY,
        "audio.unsupported": FileState.UNSUPPORTED,
        "audio.damaged": FileState.FAILED,
        "file.not_found": FileState.MISSING,
    }
    shelf.add(*(recording(sources / f"{code}.wav", seed) for seed, code in enumerate(states)))
    for _ in states:
        taken = shelf.take()
        shelf.fail(taken, taken.name.removesuffix(".wav"))
    for code, state in states.items():
        shelf.wait(code, code, state)
    assert shelf.is_sound()


def test_silence_ends_as_empty_and_a_note_as_partial(shelf: Shelf, talk: Path, sources: Path) -> None:
    shelf.add(talk)
    shelf.store(shelf.take(), ())
    empty = shelf.wait("talk", "recording.no_speech", FileState.EMPTY)
    assert empty.reason == "No speech was found in this recording."
    shelf.add(recording(sources / "french.wav", 2))
    shelf.store(shelf.take(), note="This model knows English only.")
    partial = shelf.wait("french", "speech.language", FileState.PARTIAL)
    assert (partial.reason, partial.hint) == ("This model knows English only.", "Choose another model.")
    assert shelf.is_sound()


def test_a_file_that_changes_is_taken_anew_and_given_up_where_it_never_rests(
    shelf: Shelf, talk: Path
) -> None:
    shelf.add(talk)
    taken = shelf.take()
    recording(talk, 2)
    shelf.store(taken)
    again = wait_for_next(shelf)
    assert again.revision > taken.revision
    shelf.store(taken)  # late: it is for the bytes that are gone
    assert shelf.entry("talk").state == FileState.READING
    recording(talk, 3)
    shelf.fail(again, "audio.damaged")  # it may have been half copied then
    third = wait_for_next(shelf)
    os.utime(talk, ns=(1, 1))
    shelf.store(third)
    shelf.wait("talk", "file.changing", FileState.FAILED)
    assert shelf.library.documents.totals()[0] == 0


def test_bytes_that_change_without_a_trace_are_noticed(shelf: Shelf, talk: Path) -> None:
    shelf.add(talk)
    taken, before = shelf.take(), talk.stat()
    recording(talk, 2)
    os.utime(talk, ns=(before.st_atime_ns, before.st_mtime_ns))
    shelf.store(taken)
    wait_for_next(shelf)
    assert shelf.library.documents.totals()[0] == 0


def wait_for_next(shelf: Shelf) -> WaitingRecording:
    found: list[WaitingRecording] = []

    def look() -> bool:
        taken = shelf.take()
        found.append(taken)
        return taken.location_id != 0

    wait_until(look, 0.01)
    return found[-1]


def test_a_file_that_changed_or_vanished_before_its_turn_is_looked_at_again(
    shelf: Shelf, talk: Path, sources: Path
) -> None:
    gone = recording(sources / "gone.wav", 4)
    shelf.add(talk, gone)
    gone.unlink()
    talk.write_text("It is a text now.")
    taken = wait_for_next(shelf)  # its name still says that it is sound
    assert (taken.name, taken.revision) == ("talk.wav", 1)
    shelf.wait("gone", "file.missing", FileState.MISSING)
    talk.unlink()
    shelf.store(taken)
    shelf.wait("talk", "file.missing", FileState.MISSING)


def test_a_changed_source_keeps_its_old_transcript_until_the_new_one_is_there(
    shelf: Shelf, talk: Path
) -> None:
    shelf.add(talk)
    shelf.store(shelf.take())
    old_id = shelf.ready("talk").document_id
    recording(talk, 2)
    shelf.library.housekeeper.refresh(lambda _failure: None)
    taken = wait_for_next(shelf)
    assert shelf.text("talk") == TEXT
    talk.unlink()
    shelf.fail(taken, "file.not_found")
    assert "is kept" in shelf.wait("talk", "file.missing", FileState.MISSING).reason
    recording(talk, 3)
    shelf.library.housekeeper.refresh(lambda _failure: None)
    shelf.store(wait_for_next(shelf), LINES[:1])
    assert shelf.ready("talk").document_id != old_id
    assert shelf.text("talk") == LINES[0].text
    assert shelf.is_sound()


def test_what_is_removed_cancelled_or_asked_for_again_is_unwanted(
    shelf: Shelf, talk: Path, sources: Path
) -> None:
    others = [recording(sources / f"{name}.wav", seed) for name, seed in (("cancel", 2), ("retry", 3))]
    shelf.add(talk, *others)
    taken = {found.name: found for found in (shelf.take(), shelf.take(), shelf.take())}
    shelf.operations.remove(RemoveFiles(paths=(str(talk),)), job())
    shelf.operations.cancel(CancelFiles(location_ids=(taken["cancel.wav"].location_id,)).location_ids)
    shelf.operations.retry(RetryFiles(location_ids=(taken["retry.wav"].location_id,)), job())
    assert shelf.events(RecordingUnwanted) == [
        RecordingUnwanted(location_id=taken[name].location_id, revision=taken[name].revision)
        for name in ("talk.wav", "cancel.wav", "retry.wav")
    ]
    for late in taken.values():
        shelf.store(late)
        shelf.fail(late, "audio.damaged")
        note = NoteTranscription(location_id=late.location_id, revision=late.revision, progress=0.9)
        shelf.library.recordings.note(note, job())
    assert shelf.library.documents.totals()[0] == 0
    shelf.wait("cancel", "cancelled", FileState.FAILED)
    shelf.wait("retry", "recording.waits", FileState.QUEUED)
    assert wait_for_next(shelf).revision > taken["retry.wav"].revision


def test_retrying_transcribes_again_for_everyone_who_holds_it(
    shelf: Shelf, talk: Path, sources: Path
) -> None:
    shelf.add(talk)
    shelf.store(shelf.take(), note="This model knows English only.")
    partial = shelf.wait("talk", "speech.language", FileState.PARTIAL)
    copy = recording(sources / "copy.wav", 1)
    shelf.register(copy)
    shelf.wait("copy", "speech.language", FileState.PARTIAL)
    shelf.operations.retry(RetryFiles(location_ids=(partial.location_id,)), job())
    taken = wait_for_next(shelf)
    assert shelf.text("copy").startswith("The heron")
    shelf.store(taken, LINES[:1])
    for name in ("talk", "copy"):
        assert shelf.ready(name).document_id != partial.document_id
        assert shelf.text(name) == LINES[0].text
    wait_until(lambda: shelf.library.documents.n_indexed() == 1)
    assert shelf.is_sound()


def test_what_cannot_be_done_yet_waits_with_its_reason(shelf: Shelf, talk: Path) -> None:
    shelf.add(talk)
    shelf.fail(shelf.take(), "speech.no_model", later=True)
    entry = shelf.wait("talk", "speech.no_model", FileState.QUEUED)
    assert (entry.reason, entry.hint) == ("It could not be transcribed.", "Try something.")
    status = shelf.library.status()
    assert (status.waiting, status.counts["queued"]) == (0, 1)
    assert shelf.take().location_id == 0
    shelf.sent.clear()
    shelf.library.recordings.resume(ResumeRecordings(), job())
    assert shelf.events(RecordingWaits) == [RecordingWaits()]
    assert shelf.entry("talk").reason == "Waits to be transcribed."
    shelf.store(shelf.take())
    shelf.ready("talk")


def test_a_pause_stops_what_runs_and_lasts(start: Callable[[], Shelf], shelf: Shelf, talk: Path) -> None:
    shelf.add(talk)
    taken = shelf.take()
    shelf.library.pause(True)
    assert shelf.events(RecordingUnwanted)
    assert (shelf.take().location_id, shelf.entry("talk").state) == (0, FileState.QUEUED)
    shelf.library.stop()
    shelf = start()
    assert shelf.take().location_id == 0
    assert not shelf.events(RecordingWaits)
    shelf.library.pause(False)
    assert shelf.events(RecordingWaits)
    assert shelf.take() == taken
    assert shelf.library.database.value("SELECT attempts FROM locations") == 1


def test_a_moved_recording_goes_on(shelf: Shelf, talk: Path) -> None:
    shelf.add(talk)
    taken = shelf.take()
    other = shelf.library.collections.create("Talks")
    shelf.operations.move(MoveFiles(location_ids=(taken.location_id,), collection_id=other.id), job())
    shelf.store(taken)
    assert shelf.ready("talk").collection_id == other.id
    assert not shelf.events(RecordingUnwanted)


def test_an_orderly_end_is_no_attempt_and_a_new_start_offers_all_again(
    start: Callable[[], Shelf], shelf: Shelf, talk: Path, sources: Path
) -> None:
    shelf.add(talk)
    shelf.add(recording(sources / "other.wav", 2))
    taken, other = shelf.take(), shelf.take()
    shelf.fail(other, "speech.no_model", later=True)
    shelf.library.stop()
    shelf = start()
    assert shelf.events(RecordingWaits)
    assert {shelf.take().name, shelf.take().name} == {"talk.wav", "other.wav"}
    assert shelf.library.database.value("SELECT max(attempts) FROM locations") == 1
    # the host may also bring what it began with the worker before
    shelf.store(taken)
    shelf.ready("talk")


def test_a_recording_that_kills_the_program_again_and_again_is_given_up(
    start: Callable[[], Shelf], shelf: Shelf, talk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.add(talk)
    with shelf.library.database.write() as connection:
        connection.execute("UPDATE locations SET attempts = 8")
    shelf.library.stop()
    shelf = start()
    assert "given up after crashes" in caplog.text
    caplog.clear()
    assert shelf.entry("talk").state == FileState.FAILED
    assert shelf.take().location_id == 0
    assert shelf.is_sound()


def test_a_full_disk_keeps_the_transcript_until_there_is_room(
    shelf: Shelf, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings_module, "_RETRY_S", 0.05)
    shelf.add(talk)
    taken = shelf.take()
    with shelf.library.database.write() as connection:
        (used,) = connection.execute("PRAGMA page_count").fetchone() or (0,)
        connection.execute(f"PRAGMA max_page_count={used}")
    many = tuple(
        TranscriptLine(start_s=n, end_s=n + 1, text=f"Line {n} about pressure.") for n in range(4000)
    )
    waiting = job()
    thread = threading.Thread(target=shelf.library.recordings.store, args=(transcript(taken, many), waiting))
    thread.start()
    wait_until(lambda: bool(shelf.events(Notice)))
    with shelf.library.database.write() as connection:
        connection.execute("PRAGMA max_page_count=1000000")
    thread.join(20)
    shelf.wait("talk", "", FileState.EMBEDDING, FileState.READY)
    assert shelf.is_sound()


def test_a_cancelled_storing_stores_nothing(shelf: Shelf, talk: Path) -> None:
    shelf.add(talk)
    cancelled = job()
    cancelled.cancelled.set()
    with pytest.raises(Cancelled):
        shelf.library.recordings.store(transcript(shelf.take()), cancelled)
    assert shelf.library.documents.totals()[0] == 0


def test_recordings_of_an_older_library_are_looked_at_again(
    start: Callable[[], Shelf], paths: DataPaths, talk: Path
) -> None:
    paths.root.mkdir()
    older = Database(paths.library_db_path, MIGRATIONS[:1], paths.backups_dir)
    with older.write() as connection:
        for name, code in ((b"talk.wav", "unsupported.audio"), (b"a.png", "unsupported.image")):
            connection.execute(
                "INSERT INTO locations (collection_id, path, name, name_key, origin, state, reason_code,"
                " reason, added_at) VALUES (1, ?, ?, ?, 'path', 'unsupported', ?, 'No.', 0)",
                (os.fsencode(talk.with_name(name.decode())), name, name.decode(), code),
            )
    older.close()
    shelf = start()
    shelf.wait("talk", "recording.waits", FileState.QUEUED)
    shelf.store(wait_for_next(shelf))
    shelf.ready("talk")
    picture = shelf.entry("a.png")
    assert picture.state in (FileState.UNSUPPORTED, FileState.MISSING)


def test_the_checks_find_times_that_are_wrong(shelf: Shelf, talk: Path) -> None:
    shelf.add(talk)
    shelf.store(shelf.take())
    shelf.ready("talk")
    for damage, words in (
        ("UPDATE times SET char_end = 9999 WHERE char_start > 40", "lies outside its text"),
        ("UPDATE times SET start_ms = 0, end_ms = 0 WHERE char_start > 40", "are not in order"),
        ("UPDATE chunks SET char_end = char_end - 3", "cuts what is said in one go"),
        ("UPDATE locations SET recording = 'waiting'", "but waits to be transcribed"),
    ):
        with pytest.raises(Undone), shelf.library.database.write() as connection:
            connection.execute(damage)
            assert words in problems(shelf, connection)
            raise Undone
    assert shelf.is_sound()


class Undone(Exception):  # noqa: N818
    """Rolls a damage back."""


def problems(shelf: Shelf, connection: apsw.Connection) -> str:
    return "; ".join(problem for _, _, find in _INVARIANTS for problem in find(shelf.library, connection))


def test_nobody_waits_for_what_can_only_be_done_later(shelf: Shelf, talk: Path) -> None:
    told: list[FileResult] = []
    ended: list[object] = []
    waiting = Job(
        "r2",
        AddPaths(paths=(str(talk),), wait=True),
        b"",
        lambda message: told.append(FileResult(**message.body)),
        lambda _job, result: ended.append(result),
    )
    shelf.operations.add_paths(waiting.request, waiting)  # type: ignore[arg-type]
    shelf.fail(wait_for_next(shelf), "speech.no_model", later=True)
    wait_until(lambda: bool(ended))
    assert [(result.state, result.reason) for result in told] == [("queued", "It could not be transcribed.")]
    ended.clear()
    shelf.operations.add_paths(waiting.request, waiting)  # type: ignore[arg-type]  # asked for once more
    wait_until(lambda: bool(ended))


@pytest.mark.slow
def test_a_real_worker_serves_it_and_survives_a_kill(paths: DataPaths, talk: Path) -> None:
    with LibraryWorker(paths.root, subprocess.DEVNULL) as worker:
        worker.call(AddPaths(paths=(str(talk),)))
        wait_until(lambda: any(event.type == RecordingWaits.TYPE for event in worker.events))
        taken = worker.call(TakeRecording())
        assert taken.name == "talk.wav"
        worker.kill()
    with LibraryWorker(paths.root, subprocess.DEVNULL) as worker:
        wait_until(lambda: any(event.type == RecordingWaits.TYPE for event in worker.events))
        assert worker.call(TakeRecording()) == taken
        worker.call(transcript(taken))
        wait_until(lambda: listed(worker)["talk.wav"].state == FileState.READY)
        (hit,) = worker.call(Search(query="heron at the lock", limit=1)).hits
        times = worker.call(
            GetTextTimes(document_id=hit.document_id, char_start=hit.char_start, char_end=hit.char_end)
        ).spans
        assert times[0][2:] == (0.0, 2.5)
        text = worker.call(GetText(document_id=hit.document_id, char_start=0, char_end=1000)).text
        assert text == TEXT
        report = worker.call(CheckLibrary())
        assert not [check for check in report.checks if check.status == "error"]
        with pytest.raises(RequestFailed, match=r"document\.not_found"):
            worker.call(GetTextTimes(document_id=999))
