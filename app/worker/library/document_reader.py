"""What front ends read of a document: its outline, text, word boxes, matches and source."""

import bisect
import os
import re
import threading

from app.core.errors import FileError, UsageError
from app.protocol.documents import (
    DocumentInfo,
    DocumentSource,
    DocumentText,
    FindInDocument,
    FindResult,
    GetDocument,
    GetDocumentSource,
    GetText,
    GetTextTimes,
    GetWordBoxes,
    TextTimes,
    WordBoxes,
)
from app.worker.library.document_store import DocumentStore
from app.worker.library.file_store import FileStore, Source
from app.worker.library.sources import hash_file, open_source
from app.worker.runtime import Job

MAX_TEXT_CHARS = 1_000_000
_MAX_MATCHES = 10_000
_UNCHANGED, _CHANGED, _MISSING = "unchanged", "changed", "missing"
_ORDER = (_UNCHANGED, _CHANGED, _MISSING)
_DRAWN_FORMATS = frozenset({"pdf"})


class DocumentReader:
    """Serves the requests about documents; one thread (the lane `documents`)."""

    def __init__(self, documents: DocumentStore, files: FileStore) -> None:
        """Take the stores."""
        self._documents, self._files = documents, files
        self._hashes: dict[bytes, tuple[tuple[int, int, int], bytes]] = {}
        self._last_text: tuple[int, str] = (0, "")

    def info(self, request: GetDocument, _job: Job) -> DocumentInfo:
        """Give what the viewer needs to open a document."""
        document = self._documents.get(request.document_id)
        source, look = self._source(document.document_id, document.content_hash)
        pages = self._documents.pages(document.document_id)
        drawable = document.format in _DRAWN_FORMATS and bool(pages)
        return DocumentInfo(
            document_id=document.document_id,
            path="" if source is None else os.fsdecode(source.path),
            name="" if source is None else self._files.name_of(source.location_id),
            title=document.title,
            format=document.format,
            n_chars=document.n_chars,
            pages=pages,
            outline=self._documents.outline(document.document_id),
            source=look,
            renderable=drawable and look == _UNCHANGED,
            sound_seconds=document.sound_seconds,
        )

    def text(self, request: GetText, _job: Job) -> DocumentText:
        """Give a slice of the stored text.

        Raises:
            UsageError: `document.bad_range`.
        """
        document = self._documents.get(request.document_id)
        start = request.char_start
        end = min(request.char_end, document.n_chars)
        if not 0 <= start <= max(end, 0) or end - start > MAX_TEXT_CHARS:
            raise UsageError(
                "document.bad_range",
                "This part of the document cannot be given.",
                f"Ask for at most {MAX_TEXT_CHARS:,} characters within the text.",
            )
        text = self._documents.text(document.document_id, start, end)
        return DocumentText(document_id=document.document_id, char_start=start, char_end=end, text=text)

    def times(self, request: GetTextTimes, _job: Job) -> TextTimes:
        """Give when the words of a range of a transcript are said."""
        document = self._documents.get(request.document_id)
        spans = self._documents.times(document.document_id, request.char_start, request.char_end)
        return TextTimes(spans=spans)

    def boxes(self, request: GetWordBoxes, _job: Job) -> WordBoxes:
        """Give the word boxes of a page."""
        document = self._documents.get(request.document_id)
        width, height, boxes = self._documents.boxes(document.document_id, request.page)
        return WordBoxes(page=request.page, width=width, height=height, boxes=boxes)

    def find(self, request: FindInDocument, job: Job) -> FindResult:
        """Find text, ignoring case and how white space is written."""
        document = self._documents.get(request.document_id)
        words = request.text.split()
        if not words:
            return FindResult(matches=(), total=0)
        if self._last_text[0] != document.document_id:
            self._last_text = (document.document_id, self._documents.text(document.document_id))
        starts = [page.char_start for page in self._documents.pages(document.document_id)]
        pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
        matches: list[tuple[int, int, int]] = []
        total, limit = 0, max(0, min(request.limit, _MAX_MATCHES))
        for match in pattern.finditer(self._last_text[1]):
            total += 1
            job.raise_if_cancelled()
            if len(matches) < limit:
                page = bisect.bisect_right(starts, match.start())
                matches.append((match.start(), match.end(), page))
        return FindResult(matches=tuple(matches), total=total)

    def source(self, request: GetDocumentSource, _job: Job) -> DocumentSource:
        """Give where a document's bytes are and whether they are still the ones that were read."""
        document = self._documents.get(request.document_id)
        source, look = self._source(document.document_id, document.content_hash)
        path = "" if source is None else os.fsdecode(source.path)
        return DocumentSource(path=path, source=look, sha256=document.content_hash.hex())

    def _source(self, document_id: int, content_hash: bytes) -> tuple[Source | None, str]:
        """Give the location whose file is nearest to what was read, and how near."""
        best: tuple[Source | None, str] = (None, _MISSING)
        for source in self._files.sources_of_document(document_id):
            look = self._look_at(source, content_hash)
            if best[0] is None or _ORDER.index(look) < _ORDER.index(best[1]):
                best = (source, look)
            if look == _UNCHANGED:
                break
        return best

    def _look_at(self, source: Source, content_hash: bytes) -> str:
        try:
            status = os.stat(source.path)  # noqa: PTH116  # bytes
        except (OSError, ValueError):
            return _MISSING
        if source.content_hash == content_hash and (status.st_size, status.st_mtime_ns) == (
            source.size_bytes,
            source.mtime_ns,
        ):
            return _UNCHANGED
        now = (status.st_size, status.st_mtime_ns, status.st_ino)
        known = self._hashes.get(source.path)
        if known is None or known[0] != now:
            try:
                with open_source(source.path) as file:
                    known = (now, hash_file(file, threading.Event()))
            except FileError:
                return _CHANGED
            self._hashes[source.path] = known
        return _UNCHANGED if known[1] == content_hash else _CHANGED
