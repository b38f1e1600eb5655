"""PDF through PyMuPDF: text, word boxes as the page is shown, outline.

Tables and pictures are left alone here: looking for them costs a hundred times more than the text.
"""

import re
from typing import Any

from app.worker.mupdf import pymupdf
from app.worker.parser.builder import limit_reached, sensible_title
from app.worker.parser.formats.pdf_headings import find_headings
from app.worker.parser.formats.pdf_layout import LineMark, Vocabulary, WordTuple, page_text
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal, pages_words
from app.worker.parser.result import ParsedPage
from app.worker.parser.source import Source

_FLAGS = pymupdf.TEXT_MEDIABOX_CLIP  # without PRESERVE_LIGATURES, so that "ﬁ" comes as "fi"
_CPU_S_PER_PAGE = 0.1
_STORE_BYTES = 32 * 1024 * 1024
_PAGES_BETWEEN_SHRINKS = 50
_PICTURE_SHARE = 0.1
_UNREADABLE = re.compile(r"[\ufffd\ue000-\uf8ff]")
_MAX_UNREADABLE_SHARE = 0.5


def read_pdf(source: Source) -> Extract:
    """Read a PDF.

    Raises:
        Refusal: password, damage, no text.
    """
    with _open(source) as document:
        source.extend_cpu(_CPU_S_PER_PAGE * document.page_count)
        reading = _Reading(document, source)
        reading.run()
        return reading.extract()


def _open(source: Source) -> Any:
    try:
        document = pymupdf.open(stream=source.view(), filetype="pdf")
    except (pymupdf.FileDataError, pymupdf.EmptyFileError, ValueError) as error:
        raise Refusal("file.damaged", {"kind": "PDF"}) from error
    if document.needs_pass:
        raise Refusal("pdf.password")
    if document.page_count == 0:
        raise Refusal("file.damaged", {"kind": "PDF"})
    return document


class _Reading:
    """One pass over the pages."""

    def __init__(self, document: Any, source: Source) -> None:
        self._document = document
        self._source = source
        self._parts: list[str] = []
        self._length = 0
        self._pages: list[ParsedPage] = []
        self._words: list[bytes] = []
        self._lines: list[list[LineMark]] = []
        self._n_damaged = 0
        self._n_pictures = 0
        self._cut_at_page = 0

    def run(self) -> None:
        """Read every page until the limit of characters."""
        vocabulary = Vocabulary()
        separator = ""
        for number in range(self._document.page_count):
            words, width, height = self._page(number)
            page = page_text(words, vocabulary, self._length + len(separator))
            if self._length + len(separator) + len(page.text) > self._source.limits.text_chars:
                self._cut_at_page = number + 1
                return
            if page.text:
                self._add(separator)
                # a sentence may go on over the page's end; a paragraph that is finished may not
                separator = "\n" if page.ends_open else "\n\n"
            start = self._length
            self._add(page.text)
            self._pages.append(ParsedPage(start, self._length, width, height))
            self._words.append(page.records)
            self._lines.append(page.lines)
            if number % _PAGES_BETWEEN_SHRINKS == 0:
                pymupdf.TOOLS.store_shrink(100)
            self._source.progress((number + 1) / self._document.page_count)

    def extract(self) -> Extract:
        """Give the result.

        Raises:
            Refusal: there is no text to keep.
        """
        text = "".join(self._parts)
        self._refuse_without_text(text)
        headings = find_headings(_outline(self._document), self._lines, self._pages, text)
        metadata = self._document.metadata or {}
        return Extract(
            text=text,
            format="pdf",
            title=sensible_title(metadata.get("title"))
            or (headings[0].title if headings else "")
            or self._source.stem,
            parser=f"pymupdf {pymupdf.VersionBind}",
            pages=self._pages,
            headings=headings,
            words=self._words,
            partial=self._partial(),
        )

    def _add(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _page(self, number: int) -> tuple[list[WordTuple], float | None, float | None]:
        """Give a page's words as it is shown, and its size; a damaged page has none.

        The border of a task: MuPDF raises many kinds of errors on damaged pages, and each costs its page
        alone.
        """
        width: float | None = None
        height: float | None = None
        try:
            page = self._document[number]
            width, height = page.rect.width, page.rect.height
            words = page.get_text("words", flags=_FLAGS)
            if not words and page.get_images():
                self._n_pictures += 1
            return (_turned(words, page.rotation_matrix) if page.rotation else words), width, height
        except Exception as error:
            if "malloc" in str(error):
                raise MemoryError from error
            self._n_damaged += 1
            return [], width, height

    def _refuse_without_text(self, text: str) -> None:
        n_pages = self._document.page_count
        if self._n_damaged == n_pages:
            raise Refusal("file.damaged", {"kind": "PDF"})
        if not text.strip():
            code = "pdf.no_text" if self._n_pictures else "pdf.blank"
            raise Refusal(code, {"pages": pages_words(n_pages)})
        if len(_UNREADABLE.findall(text)) > _MAX_UNREADABLE_SHARE * len("".join(text.split())):
            raise Refusal("pdf.unreadable_text")

    def _partial(self) -> Refusal | None:
        n_pages = self._document.page_count
        if self._cut_at_page:
            return limit_reached(
                self._source.limits.text_chars, f"page {self._cut_at_page - 1:,} of {n_pages:,}"
            )
        if self._n_damaged:
            return Refusal("pdf.pages_damaged", {"n": self._n_damaged, "pages": n_pages})
        if self._n_pictures > _PICTURE_SHARE * n_pages:
            return Refusal("pdf.pages_pictures", {"n": self._n_pictures, "pages": n_pages})
        return None


def _turned(words: list[WordTuple], matrix: Any) -> list[WordTuple]:
    """Turn boxes from the page's own directions to those it is shown in."""
    a, b, c, d, e, f = matrix
    turned = []
    for x0, y0, x1, y1, *rest in words:
        xs = (a * x0 + c * y0 + e, a * x1 + c * y1 + e)
        ys = (b * x0 + d * y0 + f, b * x1 + d * y1 + f)
        turned.append((min(xs), min(ys), max(xs), max(ys), *rest))
    return turned


def _outline(document: Any) -> list[tuple[int, str, int]]:
    """Give the outline's entries: level, title, page from 1; none where it is damaged."""
    try:
        return [(level, title, page) for level, title, page, *_ in document.get_toc()]
    except (RuntimeError, ValueError, IndexError, TypeError):  # what PyMuPDF raises on broken outlines
        return []
