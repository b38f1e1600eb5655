"""Real documents for the viewer's tests: text with word boxes, drawn to pixels where the boxes say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF
from PySide6.QtGui import QFont, QFontMetricsF, QImage, QPainter

from app.core.errors import AppError, NotFoundError
from app.protocol.chat import Citation
from app.protocol.documents import (
    DocumentInfo,
    DocumentText,
    FindInDocument,
    FindResult,
    GetDocument,
    GetText,
    GetTextTimes,
    GetWordBoxes,
    Heading,
    PageRange,
    TextTimes,
    WordBoxes,
)
from app.protocol.pictures import PageImage, RenderPage
from tests.ui.fakes import FakeSession

WIDTH, HEIGHT = 612.0, 792.0
SIZE = 12
LEADING = 18
MARGIN = 60
SENTENCE = (
    "The lease may be ended by either side with notice in writing of not less than three months to the end "
    "of a quarter provided that the rent has been paid in full and the rooms are left clean and in repair"
)
WORDS = SENTENCE.split()


def page_lines(number: int, n_lines: int = 30) -> list[str]:
    """Lines that differ from page to page; each page holds `Clause N.`"""
    lines = [f"Clause {number}. Page {number} of the agreement between the parties"]
    for line in range(1, n_lines):
        start = (number * 7 + line * 5) % len(WORDS)
        lines.append(" ".join((WORDS * 2)[start : start + 12]))
    return lines


@dataclass
class Served:
    """A document as the host would serve it."""

    document_id: int
    name: str
    text: str
    format: str = "pdf"
    pages: tuple[PageRange, ...] = ()
    outline: tuple[Heading, ...] = ()
    source: str = "unchanged"
    renderable: bool = False
    boxes: dict[int, tuple[tuple[int, int, float, float, float, float], ...]] = field(default_factory=dict)
    render_error: dict[int, AppError] = field(default_factory=dict)
    sound_seconds: float | None = None
    spans: tuple[tuple[int, int, float, float], ...] = ()

    def info(self) -> DocumentInfo:
        return DocumentInfo(
            document_id=self.document_id,
            path=f"/home/user/Documents/{self.name}",
            name=self.name,
            title="",
            format=self.format,
            n_chars=len(self.text),
            pages=self.pages,
            outline=self.outline,
            source=self.source,
            renderable=self.renderable,
            sound_seconds=self.sound_seconds,
        )

    def citation(self, quote: str, n: int = 1, after: int = 0) -> Citation:
        start = self.text.index(quote, after)
        page = next((p.page for p in self.pages if p.char_start <= start < p.char_end), None)
        return Citation(
            n=n,
            document_id=self.document_id,
            path=self.info().path,
            name=self.name,
            page=page,
            char_start=start,
            char_end=start + len(quote),
            quote=quote,
            verified=True,
            answer_start=0,
            answer_end=1,
        )

    def draw(self, number: int, scale: float) -> tuple[PageImage, bytes]:
        width, height = round(WIDTH * scale), round(HEIGHT * scale)
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(0xFFFFFFFF)
        painter = QPainter(image)
        painter.scale(scale, scale)
        painter.setFont(font())
        for start, end, x0, _y0, _x1, y1 in self.boxes[number]:
            painter.drawText(QPointF(x0, y1 - 3), self.text[start:end])
        painter.end()
        body = PageImage(page=number, width=width, height=height, stride=image.bytesPerLine())
        return body, bytes(image.constBits())


def font() -> QFont:
    result = QFont("DejaVu Serif")
    result.setPixelSize(SIZE)
    return result


def pdf(
    document_id: int = 1, n_pages: int = 12, name: str = "Lease agreement.pdf", n_lines: int = 30
) -> Served:
    """A PDF of `n_pages` pages."""
    metrics = QFontMetricsF(font())
    text, at = [], 0
    pages, boxes = [], {}
    for number in range(1, n_pages + 1):
        start, found = at, []
        for row, line in enumerate(page_lines(number, n_lines)):
            y = MARGIN + row * LEADING
            for match in re.finditer(r"\S+", line):
                x = MARGIN + metrics.horizontalAdvance(line[: match.start()])
                width = metrics.horizontalAdvance(match.group())
                found.append((at + match.start(), at + match.end(), x, float(y), x + width, y + 15.0))
            text.append(line + "\n")
            at += len(line) + 1
        boxes[number] = tuple(found)
        pages.append(PageRange(page=number, char_start=start, char_end=at, width=WIDTH, height=HEIGHT))
    return Served(document_id, name, "".join(text), pages=tuple(pages), renderable=True, boxes=boxes)


def plain(document_id: int = 2, text: str = "", name: str = "notes.md", format: str = "markdown") -> Served:
    """A document without pages; lines that begin with # are its outline."""
    outline = tuple(
        Heading(title=m.group(2), level=len(m.group(1)), char_start=m.start())
        for m in re.finditer(r"(?m)^(#+) (.*)$", text)
    )
    return Served(document_id, name, text, format=format, outline=outline)


TALK = (
    "Good morning and welcome to the meeting.",
    "The lease ends in May.",
    "Both sides must agree in writing.",
    "Now to the second point, the rent.",
    "It is nine hundred a month.",
)


def recording(document_id: int = 5, n_paragraphs: int = 40, name: str = "Meeting.m4a") -> Served:
    """A transcript; its lines last 4 s with 1 s of quiet between them, five to a paragraph."""
    text, spans, at_s = "", [], 0.0
    for number in range(n_paragraphs):
        for line in (f"Part {number}.", *TALK):
            separator = "" if not text else "\n\n" if line.startswith("Part") else " "
            start = len(text) + len(separator)
            text += separator + line
            spans.append((start, len(text), at_s, at_s + 4.0))
            at_s += 5.0
    return Served(document_id, name, text, format="mp4", sound_seconds=at_s, spans=tuple(spans))


def serve(session: FakeSession, documents: Sequence[Served]) -> None:
    """Let a session answer about these documents as the host would."""
    by_id = {document.document_id: document for document in documents}

    def known(document_id: int) -> Served | AppError:
        missing = NotFoundError(
            "document.not_found", "This document is no longer in the library.", "Add the file again."
        )
        return by_id.get(document_id, missing)

    def info(request: GetDocument) -> DocumentInfo | AppError:
        found = known(request.document_id)
        return found if isinstance(found, AppError) else found.info()

    def text(request: GetText) -> DocumentText:
        slice_ = by_id[request.document_id].text[request.char_start : request.char_end]
        return DocumentText(
            document_id=request.document_id,
            char_start=request.char_start,
            char_end=request.char_start + len(slice_),
            text=slice_,
        )

    def word_boxes(request: GetWordBoxes) -> WordBoxes:
        boxes = by_id[request.document_id].boxes.get(request.page, ())
        return WordBoxes(page=request.page, width=WIDTH, height=HEIGHT, boxes=boxes)

    def find(request: FindInDocument) -> FindResult:
        whole = by_id[request.document_id].text
        words = r"\s+".join(re.escape(word) for word in request.text.split())
        spans = [m.span() for m in re.finditer(words, whole, re.IGNORECASE)]
        matches = tuple((start, end, 0) for start, end in spans[: request.limit])
        return FindResult(matches=matches, total=len(spans))

    def render(request: RenderPage) -> tuple[PageImage, bytes] | AppError:
        document = by_id[request.document_id]
        error = document.render_error.get(request.page)
        return error if error is not None else document.draw(request.page, request.scale)

    def times(request: GetTextTimes) -> TextTimes:
        end = request.char_end if request.char_end is not None else 10**9
        spans = by_id[request.document_id].spans
        return TextTimes(spans=tuple(s for s in spans if s[0] < end and s[1] > request.char_start))

    session.reply(GetDocument, info)
    session.reply(GetTextTimes, times)
    session.reply(GetText, text)
    session.reply(GetWordBoxes, word_boxes)
    session.reply(FindInDocument, find)
    session.reply(RenderPage, render)
