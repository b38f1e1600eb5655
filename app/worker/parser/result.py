"""What a parser child hands back, and the limits it works under; plain data, no parser library."""

import struct
from dataclasses import dataclass

WORD_RECORD = struct.Struct("<ii4f")
"""One word of `Parsed.words`: char_start, char_end (in the whole text), x0, y0, x1, y1 (PDF points)."""


@dataclass(frozen=True)
class ParsedPage:
    """One page, slide or sheet.

    Attributes:
        char_start: half-open range of code points in the whole text; pages never overlap and come in order.
        width: in PDF points as the page is shown (rotation applied); None for slides and sheets.
    """

    char_start: int
    char_end: int
    width: float | None
    height: float | None


@dataclass(frozen=True)
class ParsedHeading:
    """One heading, in text order.

    Attributes:
        title: on one line.
        level: from 1.
        char_start: where it (or, for an outline entry, its page) starts in the whole text.
    """

    title: str
    level: int
    char_start: int


@dataclass(frozen=True)
class Parsed:
    """The text of one file and what is known about its places.

    Attributes:
        text: the whole extracted text; for txt, md and source code the decoded file unchanged, less a BOM.
        format: `pdf`, `docx`, `pptx`, `xlsx`, `csv`, `html`, `markdown`, `rtf`, `text` or `code`.
        title: from the metadata where sensible, else the first heading, else the file name without its
            extension.
        parser: library and version, such as `pymupdf 1.28.2`.
        pages: empty where the format has no pages.
        headings: in text order.
        words: packed WORD_RECORDs, one bytes object a page; empty where there are no boxes.
            `text[start:end]` is the word; a word broken over two lines is two records that touch.
        partial_reason: in words, which limit was reached and what is kept; empty where all was read.
        partial_code: stable name of that limit; empty where all was read.
    """

    text: str
    format: str
    title: str
    parser: str
    pages: tuple[ParsedPage, ...] = ()
    headings: tuple[ParsedHeading, ...] = ()
    words: tuple[bytes, ...] = ()
    partial_reason: str = ""
    partial_code: str = ""


@dataclass(frozen=True)
class ParserLimits:
    """What one file may cost.

    Attributes:
        memory_bytes: address space of a child (resident set where the system cannot limit that).
        cpu_s: processor time of a child; grows with the number of pages up to `max_wall_s`.
        wall_s: time allowed before progress must be seen.
        stall_s: after `wall_s`, the longest time between two signs of progress.
        max_wall_s: time after which a child is ended in any case.
        text_chars: code points kept of a document's text.
        output_bytes: everything a child may send back.
    """

    memory_bytes: int = 1_500_000_000
    cpu_s: int = 60
    wall_s: float = 60.0
    stall_s: float = 20.0
    max_wall_s: float = 600.0
    text_chars: int = 20_000_000
    output_bytes: int = 512 * 1024 * 1024
