"""Builds a document's text piece by piece, with its pages and headings, up to the limit of characters."""

import re

from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.result import ParsedHeading, ParsedPage

# Never shown, so never wanted in what is searched or put before a model: tag characters (they can carry
# hidden orders), zero-width space, word joiner, byte-order mark, soft hyphen. Joiners that shape Persian,
# Indic scripts and emoji stay.
_DROPPED = {code: None for code in (*range(0xE0000, 0xE0080), 0x200B, 0x2060, 0xFEFF, 0x00AD)}
_REPLACED = {
    0x00: "\ufffd",
    0x0B: "\n",
    0x0C: "\n",
    0x0D: "\n",
    0x85: "\n",
    0x2028: "\n",
    0x2029: "\n",
    0xA0: " ",
    0x202F: " ",
    0x2007: " ",
}
_CONTROLS = {code: None for code in (*range(1, 9), *range(14, 32), 127)}
_SURROGATES = {code: "\ufffd" for code in range(0xD800, 0xE000)}
_TABLE = {**_DROPPED, **_CONTROLS, **_REPLACED}
_SUSPICIOUS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\x85\xa0\xad\u2007\u200b\u2028-\u202f\u2060\ufeff\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """Drop what is never shown and unify blanks; line ends become newlines."""
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    if _SUSPICIOUS.search(text):
        text = text.translate(_TABLE)
    if not text.isascii() and _SURROGATE.search(text):
        text = text.translate(_SURROGATES)
    return text


def one_line(text: str) -> str:
    """Clean a text and join its words by single blanks."""
    return _SPACES.sub(" ", clean(text)).strip()


class TextFull(Exception):  # noqa: N818  # a limit, handled by every reader
    """The limit of characters is reached; what was added before it is kept."""


class TextBuilder:
    """Collects text; offsets are code points of the whole.

    Attributes:
        length: of the text so far.
    """

    def __init__(self, limit_chars: int) -> None:
        """Take the limit."""
        self.length = 0
        self._limit = limit_chars
        self._parts: list[str] = []
        self._pages: list[ParsedPage] = []
        self._headings: list[ParsedHeading] = []
        self._page_start: int | None = None

    def add(self, text: str) -> None:
        """Append text as it is.

        Raises:
            TextFull: the limit is reached; as much as fits was appended.
        """
        room = self._limit - self.length
        if len(text) > room:
            text = text[:room]
        self._parts.append(text)
        self.length += len(text)
        if self.length >= self._limit:
            raise TextFull

    def paragraph(self, text: str, *, level: int = 0) -> None:
        """Append a paragraph (cleaned, trimmed) and the blank line after it; with a level, as a heading.

        Raises:
            TextFull: as `add`.
        """
        text = clean(text).strip()
        if not text:
            return
        if level:
            self._headings.append(ParsedHeading(one_line(text), level, self.length))
        self.add(text)
        self.add("\n\n")

    def line(self, text: str) -> None:
        """Append one line, such as a table's row. Raises TextFull as `add`."""
        text = clean(text).rstrip()
        if text:
            self.add(text)
            self.add("\n")

    def blank(self) -> None:
        """End a run of lines with a blank one. Raises TextFull as `add`."""
        if self._parts and self._parts[-1] == "\n":
            self.add("\n")

    def heading(self, title: str, level: int) -> None:
        """Note a heading here whose text is added separately."""
        self._headings.append(ParsedHeading(title, level, self.length))

    def start_page(self) -> None:
        """Begin a slide or sheet."""
        self._page_start = self.length

    def end_page(self) -> None:
        """End the slide or sheet; the blank lines at its end stay outside its range."""
        if self._page_start is None:
            return
        end, index = self.length, len(self._parts)
        while end > self._page_start and index and not self._parts[index - 1].strip("\n"):
            index -= 1
            end -= len(self._parts[index])
        self._pages.append(ParsedPage(self._page_start, max(end, self._page_start), None, None))
        self._page_start = None

    def extract(
        self, format_: str, title: str, parser: str, *, stem: str, partial: Refusal | None = None
    ) -> Extract:
        """Give the result; the title falls back on the first heading, then on the file's name.

        Raises:
            Refusal: `file.no_text`.
        """
        text = "".join(self._parts)
        if not text.strip():
            raise Refusal("file.no_text", {"kind": format_.upper()})
        kept = len(text.rstrip("\n")) + 1 if text.endswith("\n") else len(text)
        headings = [heading for heading in self._headings if heading.char_start < kept]
        return Extract(
            text=text[:kept],
            format=format_,
            title=sensible_title(title) or (headings[0].title if headings else "") or stem,
            parser=parser,
            pages=[
                ParsedPage(min(page.char_start, kept), min(page.char_end, kept), None, None)
                for page in self._pages
            ],
            headings=headings,
            partial=partial,
        )


_USELESS_TITLE = re.compile(
    r"^(untitled|unbenannt|ohne titel|sans titre|document|dokument|presentation|powerpoint presentation"
    r"|powerpoint-präsentation|slide ?\d*|title|book ?\d+|none|null|paper title.*"
    r"|(microsoft word|print|scan) ?-? ?.*"
    r"|.*\.(docx?|pptx?|xlsx?|pdf|indd|qxd|tex|dvi|rtf|odt|html?|txt|ps|fm|tiff?|jpe?g|png))$",
    re.IGNORECASE,
)


def sensible_title(title: str | None) -> str:
    """Give a document's own title where it says something; empty where it is a default or a file name."""
    title = one_line(title or "")
    letters = sum(letter.isalnum() for letter in title)
    if letters < 3 or letters < len(title) / 3 or _USELESS_TITLE.match(title):
        return ""
    return title[:300]


def limit_reached(limit_chars: int, kept: str) -> Refusal:
    """Say that the limit of characters was reached and where (`kept`, such as `page 12`)."""
    return Refusal("limit.text", {"limit": limit_chars, "kept": kept})
