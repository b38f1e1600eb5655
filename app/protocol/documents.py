"""Messages about one document as the viewer shows it: outline, text, word boxes, times, its source."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request


@dataclass(frozen=True, kw_only=True)
class PageRange(Body):
    """One page or section of a document.

    Attributes:
        width: in PDF points; None where the format has no pages.
    """

    page: int
    char_start: int
    char_end: int
    width: float | None = None
    height: float | None = None


@dataclass(frozen=True, kw_only=True)
class Heading(Body):
    """One entry of a document's outline."""

    title: str
    level: int
    char_start: int


@dataclass(frozen=True, kw_only=True)
class DocumentInfo(Body):
    """A document as the viewer needs it.

    Attributes:
        format: `pdf`, `docx`, `markdown`, …
        n_chars: length of the whole extracted text in code points.
        pages: empty where the format has no pages.
        source: `unchanged`, `changed` or `missing`; on the last two the stored text is shown and said so.
        renderable: pages can be drawn as pixels from the source.
        sound_seconds: length of the recording that the text is the transcript of; None for other documents.
    """

    document_id: int
    path: str
    name: str
    title: str
    format: str
    n_chars: int
    pages: tuple[PageRange, ...]
    outline: tuple[Heading, ...]
    source: str
    renderable: bool
    sound_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class GetDocument(Request[DocumentInfo]):
    """Ask for a document; error `document.not_found`."""

    TYPE: ClassVar[str] = "document.info"
    RESULT: ClassVar[type[Body]] = DocumentInfo
    document_id: int


@dataclass(frozen=True, kw_only=True)
class DocumentText(Body):
    """A slice of the stored text; `char_end` may be less than asked at the text's end."""

    document_id: int
    char_start: int
    char_end: int
    text: str


@dataclass(frozen=True, kw_only=True)
class GetText(Request[DocumentText]):
    """Ask for a slice of the stored text, at most 1,000,000 code points."""

    TYPE: ClassVar[str] = "document.text"
    RESULT: ClassVar[type[Body]] = DocumentText
    document_id: int
    char_start: int
    char_end: int


@dataclass(frozen=True, kw_only=True)
class WordBoxes(Body):
    """Word boxes of one page in PDF points, top-left origin, as the page is shown (rotation applied).

    Attributes:
        boxes: (char_start, char_end, x0, y0, x1, y1) a word, in reading order.
    """

    page: int
    width: float
    height: float
    boxes: tuple[tuple[int, int, float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class GetWordBoxes(Request[WordBoxes]):
    """Ask for a page's word boxes (to highlight, select and copy); error `page.not_found`."""

    TYPE: ClassVar[str] = "document.boxes"
    RESULT: ClassVar[type[Body]] = WordBoxes
    document_id: int
    page: int


@dataclass(frozen=True, kw_only=True)
class FindResult(Body):
    """Matches in document order.

    Attributes:
        matches: (char_start, char_end, page or 0) each, at most `limit`.
        total: all matches.
    """

    matches: tuple[tuple[int, int, int], ...]
    total: int


@dataclass(frozen=True, kw_only=True)
class FindInDocument(Request[FindResult]):
    """Find text in a document, ignoring case and differences in white space."""

    TYPE: ClassVar[str] = "document.find"
    RESULT: ClassVar[type[Body]] = FindResult
    document_id: int
    text: str
    limit: int = 1000


@dataclass(frozen=True, kw_only=True)
class DocumentSource(Body):
    """Where a document's bytes are (host to library worker, before rendering)."""

    path: str
    source: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class GetDocumentSource(Request[DocumentSource]):
    """Ask where a document's bytes are and whether they are still the ones that were read."""

    TYPE: ClassVar[str] = "document.source"
    RESULT: ClassVar[type[Body]] = DocumentSource
    document_id: int


@dataclass(frozen=True, kw_only=True)
class TextTimes(Body):
    """When the words of a transcript are said.

    Attributes:
        spans: (char_start, char_end, start_s, end_s) of each stretch of speech, in order.
    """

    spans: tuple[tuple[int, int, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class GetTextTimes(Request[TextTimes]):
    """Ask for the times of a transcript's text, within a range of it (`char_end` None: to its end).

    Empty for documents that are no transcripts; error `document.not_found`.
    """

    TYPE: ClassVar[str] = "document.times"
    RESULT: ClassVar[type[Body]] = TextTimes
    document_id: int
    char_start: int = 0
    char_end: int | None = None
