"""The library's part of `doctor`: every invariant of the data folder, and one real embedding.

All checks read one snapshot of the database, so they hold while files are being read.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw
import numpy as np

from app.core.errors import AppError
from app.core.frozen import repair_hint
from app.protocol.system import Check, DoctorReport
from app.worker.library.boxes import unpack_boxes
from app.worker.library.database import fetch, translated
from app.worker.library.embedding import MODEL_NAME, read_reference
from app.worker.library.library import Library
from app.worker.library.schema import ORDINAL_BITS
from app.worker.runtime import Job

log = logging.getLogger(__name__)

_MIN_COSINE = 0.97
"""Of the stored reference vectors with this machine's; the int8 graph itself reaches 0.975 at worst."""
_LOW_DISK_BYTES = 200 * 1024 * 1024
_REPAIR_HINT = (
    "Run `h2ogpt library remove` on the files named and add them again; if it happens again, report it."
)
_MAX_NAMED = 5

Problems = list[str]


def check_library(library: Library, job: Job) -> DoctorReport:
    """Check everything; stops between checks where cancelled."""
    checks: list[Check] = []
    with _snapshot(library) as connection:
        for name, sound, find in _INVARIANTS:
            job.raise_if_cancelled()
            checks.append(_invariant(f"library.{name}", sound, lambda find=find: find(library, connection)))  # type: ignore[misc]
    for check in (_missing_sources, _disk_space, _index, _embedding):
        job.raise_if_cancelled()
        checks.append(check(library))
    return DoctorReport(checks=tuple(checks))


@contextmanager
def _snapshot(library: Library) -> Iterator[apsw.Connection]:
    """Give a connection that sees one state of the database throughout."""
    connection = library.database.reader()
    with translated():
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")


def _invariant(name: str, sound: str, find: Callable[[], Problems]) -> Check:
    try:
        problems = find()
    except (AppError, apsw.Error) as error:
        problems = [f"the check itself failed: {error}"]
    if not problems:
        return Check(name=name, status="ok", detail=sound)
    named = "; ".join(problems[:_MAX_NAMED])
    more = f"; and {len(problems) - _MAX_NAMED} more" if len(problems) > _MAX_NAMED else ""
    return Check(name=name, status="error", detail=f"{len(problems)} found: {named}{more}", hint=_REPAIR_HINT)


def _integrity(_library: Library, connection: apsw.Connection) -> Problems:
    rows = [str(row[0]) for row in fetch(connection, "PRAGMA integrity_check")]
    return [] if rows == ["ok"] else rows


def _foreign_keys(_library: Library, connection: apsw.Connection) -> Problems:
    return [f"{row[0]} row {row[1]}" for row in fetch(connection, "PRAGMA foreign_key_check")]


def _documents(_library: Library, connection: apsw.Connection) -> Problems:
    held = fetch(
        connection,
        "SELECT id FROM documents d WHERE stage = 'live'"
        " AND NOT EXISTS (SELECT 1 FROM locations WHERE document_id = d.id)",
    )
    dangling = fetch(
        connection,
        "SELECT l.id FROM locations l JOIN documents d ON d.id = l.document_id WHERE d.stage <> 'live'",
    )
    states = fetch(
        connection,
        "SELECT l.id, l.state, d.state FROM locations l JOIN documents d ON d.id = l.document_id"
        " WHERE l.state IN ('embedding', 'ready', 'partial', 'empty') AND l.state <> d.state",
    )
    unread = fetch(
        connection,
        "SELECT id, state FROM locations WHERE document_id IS NULL AND state IN ('embedding', 'ready')",
    )
    return [
        *(f"document {row[0]} belongs to no file" for row in held),
        *(f"file {row[0]} names a document that is gone" for row in dangling),
        *(f"file {row[0]} is {row[1]} but its document is {row[2]}" for row in states),
        *(f"file {row[0]} is {row[1]} but has no document" for row in unread),
    ]


def _chunks(_library: Library, connection: apsw.Connection) -> Problems:
    counts = fetch(
        connection,
        "SELECT d.id, d.n_chunks, d.n_embedded,"
        " (SELECT count(*) FROM chunks c WHERE c.document_id = d.id),"
        " (SELECT count(*) FROM embeddings e WHERE e.document_id = d.id)"
        " FROM documents d WHERE d.stage = 'live'",
    )
    outside = fetch(
        connection,
        "SELECT c.document_id, c.ordinal FROM chunks c JOIN documents d ON d.id = c.document_id"
        " WHERE c.char_start < 0 OR c.char_end > d.n_chars",
    )
    return [
        *(f"document {row[0]} has {row[3]} passages of {row[1]}" for row in counts if row[1] != row[3]),
        *(f"document {row[0]} has {row[4]} vectors of {row[2]}" for row in counts if row[2] != row[4]),
        *(f"passage {row[1]} of document {row[0]} lies outside its text" for row in outside),
    ]


def _keywords(_library: Library, connection: apsw.Connection) -> Problems:
    identity = f"document_id << {ORDINAL_BITS} | ordinal"
    # The shadow table holds one row for every indexed rowid.
    extra = fetch(
        connection,
        "SELECT id FROM keywords_docsize EXCEPT"  # noqa: S608
        f" SELECT {identity} FROM chunks",
    )
    lacking = fetch(
        connection,
        f"SELECT {identity} FROM chunks EXCEPT SELECT id FROM keywords_docsize",  # noqa: S608
    )
    return [
        *(f"passage {row[0]} is indexed but does not exist" for row in extra),
        *(f"passage {row[0]} is not indexed" for row in lacking),
    ]


def _texts(_library: Library, connection: apsw.Connection) -> Problems:
    problems = []
    for document_id, n_chars, text_hash in fetch(
        connection, "SELECT id, n_chars, text_hash FROM documents WHERE stage = 'live'"
    ):
        digest, length = hashlib.sha256(), 0
        segments = connection.execute(
            "SELECT char_start, text FROM segments WHERE document_id = ? ORDER BY char_start", (document_id,)
        )
        for char_start, text in segments:
            assert isinstance(text, str)
            if char_start != length:
                problems.append(f"the text of document {document_id} has a gap at {length}")
                break
            digest.update(text.encode("utf-8"))
            length += len(text)
        if (length, digest.digest()) != (n_chars, text_hash):
            problems.append(f"the text of document {document_id} is not the one that was read")
    return problems


def _pages(_library: Library, connection: apsw.Connection) -> Problems:
    problems = []
    rows = connection.execute(
        "SELECT p.document_id, p.page, p.char_start, p.char_end, p.boxes, d.n_chars FROM pages p"
        " JOIN documents d ON d.id = p.document_id WHERE d.stage = 'live'"
    )
    for document_id, page, start, end, boxes, n_chars in rows:
        where = f"page {page} of document {document_id}"
        if not 0 <= start <= end <= n_chars:
            problems.append(f"{where} lies outside its text")
            continue
        ranges, _ = unpack_boxes(boxes)
        if len(ranges) and not (
            (ranges[:, 0] < ranges[:, 1]).all() and ranges[:, 0].min() >= start and ranges[:, 1].max() <= end
        ):
            problems.append(f"words of {where} lie outside its text")
    return problems


def _times(_library: Library, connection: apsw.Connection) -> Problems:
    """Every time of a transcript lies within its text, in order, and no passage cuts a line."""
    outside = fetch(
        connection,
        "SELECT t.document_id, t.char_start FROM times t JOIN documents d ON d.id = t.document_id"
        " WHERE d.stage = 'live' AND (t.char_start < 0 OR t.char_end > d.n_chars OR t.start_ms < 0"
        "  OR d.sound_ms IS NULL)",
    )
    unordered = fetch(
        connection,
        "SELECT document_id, char_start FROM (SELECT document_id, char_start, start_ms,"
        "  lag(char_end) OVER one AS previous_end, lag(start_ms) OVER one AS previous_ms FROM times"
        "  WINDOW one AS (PARTITION BY document_id ORDER BY char_start))"
        " WHERE char_start < previous_end OR start_ms < previous_ms",
    )
    cut = fetch(
        connection,
        "SELECT c.document_id, c.ordinal FROM chunks c JOIN documents d ON d.id = c.document_id"
        " WHERE d.stage = 'live' AND d.sound_ms IS NOT NULL AND NOT ("
        " EXISTS (SELECT 1 FROM times WHERE document_id = c.document_id AND char_start = c.char_start)"
        " AND EXISTS (SELECT 1 FROM times WHERE document_id = c.document_id AND char_end = c.char_end))",
    )
    return [
        *(f"a time of document {row[0]} lies outside its text, at {row[1]}" for row in outside),
        *(f"the times of document {row[0]} are not in order, at {row[1]}" for row in unordered),
        *(f"passage {row[1]} of document {row[0]} cuts what is said in one go" for row in cut),
    ]


def _recordings(_library: Library, connection: apsw.Connection) -> Problems:
    rows = fetch(
        connection,
        "SELECT id, state FROM locations WHERE recording <> ''"
        " AND (state <> 'queued' OR content_hash IS NULL)",
    )
    return [f"file {row[0]} is {row[1]} but waits to be transcribed" for row in rows]


def _vectors(library: Library, connection: apsw.Connection) -> Problems:
    """Every vector is finite and of unit length, as far as half precision allows."""
    problems = []
    dim = library.catalogue.matrix.dim
    for document_id, ordinal, vector in connection.execute(
        "SELECT document_id, ordinal, vector FROM embeddings"
    ):
        assert isinstance(vector, bytes)
        values = np.frombuffer(vector, "<f2").astype(np.float32)
        if len(values) != dim or not abs(float(np.linalg.norm(values)) - 1.0) < 0.01:
            problems.append(f"the vector of passage {ordinal} of document {document_id} is damaged")
    return problems


def _stored_files(library: Library, connection: apsw.Connection) -> Problems:
    rows = fetch(connection, "SELECT path FROM locations WHERE origin = 'content'")
    named = {os.path.basename(row[0]) for row in rows}  # noqa: PTH119  # bytes
    directory = library.paths.files_dir
    present = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    problems = [
        f"stored content {name.decode()[:12]} is gone" for name in named if name.decode() not in present
    ]
    for name in sorted(present):
        if name.endswith(".tmp"):
            continue  # being written now
        with (directory / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != name:
            problems.append(f"stored content {name[:12]} was changed")
    return problems


_INVARIANTS: tuple[tuple[str, str, Callable[[Library, apsw.Connection], Problems]], ...] = (
    ("integrity", "The database file is sound.", _integrity),
    ("references", "Every row belongs to another that exists.", _foreign_keys),
    ("documents", "Every document belongs to a file, and their states agree.", _documents),
    ("passages", "Every document has all of its passages and vectors, within its text.", _chunks),
    ("keywords", "The keyword index holds every passage and nothing else.", _keywords),
    ("texts", "Every stored text is the one that was read.", _texts),
    ("pages", "Every page and word box lies within its text.", _pages),
    ("times", "Every time of a transcript lies within its text, and no passage cuts a line.", _times),
    ("recordings", "Every recording that waits can be transcribed.", _recordings),
    ("vectors", "Every vector is sound.", _vectors),
    ("stored_files", "Every pasted content is stored unchanged.", _stored_files),
)


def _missing_sources(library: Library) -> Check:
    n_missing = library.files.counts().get("missing", 0)
    if not n_missing:
        return Check(name="library.sources", status="ok", detail="Every file is still where it was.")
    return Check(
        name="library.sources",
        status="warning",
        detail=f"{n_missing} files are no longer where they were; what was read of them is kept.",
        hint="Put the files back and refresh the library, or remove them from it.",
    )


def _disk_space(library: Library) -> Check:
    free = shutil.disk_usage(library.paths.root).free
    if free >= _LOW_DISK_BYTES:
        return Check(name="library.disk", status="ok", detail=f"{free / 1e9:.1f} GB are free.")
    return Check(
        name="library.disk",
        status="warning",
        detail=f"Only {free / 1e6:.0f} MB are free on the disk that holds the data folder.",
        hint="Free some space: new files cannot be read without.",
    )


def _index(library: Library) -> Check:
    index = library.catalogue.index
    status, detail = ("ok", "Exact search serves.") if index is None else index.check()
    hint = "Nothing is lost; start the program again to build the index anew." if status != "ok" else ""
    return Check(name="library.index", status=status, detail=detail, hint=hint)


def _embedding(library: Library) -> Check:
    name = "library.embedding"
    if library.embedder is None:
        return Check(
            name=name,
            status="warning",
            detail="The model that finds passages by meaning is not installed; search works by words.",
            hint=repair_hint(),
        )
    if library.embedder.name != MODEL_NAME:
        return Check(name=name, status="ok", detail=f"Vectors are made by {library.embedder.name}.")
    reference = read_reference()
    vectors = library.embedder.embed([text for text, _ in reference])
    cosine = min(
        float(vector @ expected) / float(np.linalg.norm(expected))
        for vector, (_, expected) in zip(vectors, reference, strict=True)
    )
    return Check(
        name=name,
        status="ok" if cosine >= _MIN_COSINE else "error",
        detail=f"{len(reference)} texts embedded now are near the reference: cosine {cosine:.4f} at worst.",
        hint=""
        if cosine >= _MIN_COSINE
        else "Run `python3 scripts/fetch_models.py`, then add your files anew.",
    )
