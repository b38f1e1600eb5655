"""Opens PDF documents for drawing and keeps the last few open, as long as their files stay the same."""

import logging
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from app.core.errors import FileError, NotFoundError
from app.worker.mupdf import pymupdf

log = logging.getLogger(__name__)

_MAX_OPEN = 4
_MARK_WITHIN_BYTES = 1024


class _Opened(NamedTuple):
    mtime_ns: int
    size_bytes: int
    document: Any


class OpenDocuments:
    """The documents drawn last; used by one thread, as PyMuPDF demands."""

    def __init__(self, max_open: int = _MAX_OPEN) -> None:
        """Take how many stay open."""
        self._max_open = max_open
        self._opened: OrderedDict[str, _Opened] = OrderedDict()

    def get(self, path: str) -> Any:
        """Give the document at `path`, opened anew where the file was changed.

        Raises:
            NotFoundError: `document.source_missing`.
            FileError: `document.source_unreadable`, `page.not_renderable`, `pdf.password`, `pdf.damaged`.
        """
        status = _status(path)
        known = self._opened.pop(path, None)
        if known is not None and (known.mtime_ns, known.size_bytes) != (status.st_mtime_ns, status.st_size):
            known.document.close()
            known = None
        if known is None:
            known = _Opened(status.st_mtime_ns, status.st_size, _open(path))
        self._opened[path] = known
        while len(self._opened) > self._max_open:
            _, oldest = self._opened.popitem(last=False)
            oldest.document.close()
        return known.document

    def close(self) -> None:
        """Close all."""
        while self._opened:
            self._opened.popitem()[1].document.close()


def _status(path: str) -> os.stat_result:
    try:
        return Path(path).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise NotFoundError(
            "document.source_missing",
            "The file is no longer where it was.",
            "Put it back, or add it again from its new place; its stored text stays readable.",
        ) from error
    except OSError as error:
        raise _unreadable() from error


def _open(path: str) -> Any:
    try:
        with Path(path).open("rb") as file:
            head = file.read(_MARK_WITHIN_BYTES)
    except OSError as error:
        raise _unreadable() from error
    if b"%PDF-" not in head:
        raise FileError(
            "page.not_renderable", "Only the pages of PDF files can be drawn.", "Read its text instead."
        )
    document = _opened(path)
    if document.needs_pass:
        document.close()
        raise FileError(
            "pdf.password",
            "This PDF is protected by a password.",
            "Open it with its password in a PDF viewer, save a copy without one, and add that copy.",
        )
    return document


def _opened(path: str) -> Any:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:  # a name that is not text: MuPDF takes only names that are
        return _checked(stream=Path(path).read_bytes())
    return _checked(filename=path)


def _checked(**place: Any) -> Any:
    try:
        document = pymupdf.open(filetype="pdf", **place)
        if not document.needs_pass:
            document.page_count  # noqa: B018  # raises where there is no page tree
    except (RuntimeError, ValueError) as error:  # FileDataError and EmptyFileError are RuntimeErrors
        log.info("a document could not be opened: %s", type(error).__name__)
        raise FileError(
            "pdf.damaged",
            "This PDF is damaged, so its pages cannot be drawn.",
            "Get it again from its source; its stored text stays readable.",
        ) from error
    return document


def _unreadable() -> FileError:
    return FileError(
        "document.source_unreadable",
        "The file cannot be read from the disk.",
        "Check that you may read it and that its disk is connected.",
    )
