"""Plain text, Markdown and source code: the decoded file, unchanged."""

import re
from collections.abc import Iterator
from itertools import islice

from app.worker.parser import charset
from app.worker.parser.builder import limit_reached, one_line, sensible_title
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.result import ParsedHeading
from app.worker.parser.source import Source

_PARSER = "text 1"
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NOT_A_TITLE = re.compile(r"\s*([>*+|#`~<-]|\d+[.)]\s)|\s*$| {4}|\t")
_FRONT_MATTER_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_MAX_HEADINGS = 20_000


def read_text(source: Source) -> Extract:
    """Read plain text."""
    return _read(source, "text")


def read_code(source: Source) -> Extract:
    """Read source code or a structured text format (JSON, XML, YAML …) as text."""
    return _read(source, "code")


def read_markdown(source: Source) -> Extract:
    """Read Markdown, with its headings."""
    extract = _read(source, "markdown")
    front_title, start = _front_matter(extract.text)
    extract.headings = list(islice(_headings(extract.text, start), _MAX_HEADINGS))
    extract.title = (
        sensible_title(front_title) or (extract.headings[0].title if extract.headings else "") or source.stem
    )
    return extract


def decode_limited(source: Source, encoding: charset.Encoding) -> tuple[str, bool]:
    """Decode a file up to the limit of characters; tell whether there was more."""
    parts, room = [], source.limits.text_chars
    for part in charset.decode(source, encoding):
        if len(part) > room:
            parts.append(part[:room])
            return "".join(parts), True
        parts.append(part)
        room -= len(part)
    return "".join(parts), False


def _read(source: Source, format_: str) -> Extract:
    text, cut = decode_limited(source, charset.find_encoding(source))
    if not text.strip():
        raise Refusal("file.no_text", {"kind": "text file"})
    partial = None
    if cut:
        kept = f"line {text.count(chr(10)) + 1:,}"
        partial = limit_reached(source.limits.text_chars, kept)
    return Extract(text=text, format=format_, title=source.stem, parser=_PARSER, partial=partial)


def _front_matter(text: str) -> tuple[str, int]:
    """Give the title of YAML front matter and where the document starts behind it."""
    if not text.startswith(("---\n", "---\r\n")):
        return "", 0
    end = re.compile(r"^(---|\.\.\.)[ \t]*\r?$", re.MULTILINE).search(text, 4, 20_000)
    if end is None:
        return "", 0
    match = _FRONT_MATTER_TITLE.search(text[: end.start()].replace("\r", ""))
    return (match[1].strip("\"'") if match else ""), end.end()


def _headings(text: str, start: int) -> Iterator[ParsedHeading]:
    fence, previous, previous_start = "", "", 0
    for match in re.compile(r"[^\n]*\n|[^\n]+$").finditer(text, start):
        line, at = match[0].rstrip("\r\n"), match.start()
        fenced = _FENCE.match(line)
        if fence:
            if fenced and fenced[1].startswith(fence) and not line.strip("`~ \t"):
                fence = ""
            previous = ""
            continue
        if fenced:
            fence, previous = fenced[1], ""
            continue
        if (atx := _ATX.match(line)) and atx[2].strip():
            yield ParsedHeading(_plain(atx[2]), len(atx[1]), at)
            previous = ""
        elif previous and (underline := _UNDERLINE.match(line)):
            yield ParsedHeading(_plain(previous), 1 if underline[1][0] == "=" else 2, previous_start)
            previous = ""
        else:
            previous, previous_start = ("" if _NOT_A_TITLE.match(line) else line), at


def _plain(title: str) -> str:
    """Give a heading without its inline marks."""
    title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
    title = re.sub(r"(\*\*|__|\*|`)(.+?)\1", r"\2", title)
    return one_line(re.sub(r"\{#[\w-]+\}\s*$", "", title))
