"""HTML pages: what a reader sees, with headings and tables; scripts, styles and hidden parts are left out.

Nothing is fetched: the parser has no network, and the child could not use one.
"""

import re
from typing import Any

from lxml import etree, html

from app.worker.parser import charset
from app.worker.parser.builder import TextBuilder, TextFull, clean, limit_reached, one_line
from app.worker.parser.formats.plain import decode_limited
from app.worker.parser.formats.tables import table_lines
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.source import Source

_SKIPPED = frozenset(
    {
        "script",
        "style",
        "template",
        "noscript",
        "svg",
        "iframe",
        "object",
        "embed",
        "canvas",
        "audio",
        "video",
    }
    | {"head", "select", "datalist"}
)
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
    }
    | {"dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"}
    | {"header", "hr", "html", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody"}
    | {"td", "tfoot", "th", "thead", "tr", "ul"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_LONG_CELL_CHARS = 400
_MAX_DEPTH = 2048  # of libxml2
_ELEMENTS_BETWEEN_REPORTS = 5000


def read_page(source: Source) -> Extract:
    """Read an HTML page."""
    text, cut = decode_limited(source, charset.find_encoding(source, declared=True))
    if not text.strip():
        raise Refusal("file.no_text", {"kind": "HTML page"})
    root, is_cut_deep = _parse(text)
    builder = TextBuilder(source.limits.text_chars)
    full = False
    try:
        _Writer(builder, source).run(root)
    except TextFull:
        full = True
    partial = Refusal("limit.depth", {"limit": _MAX_DEPTH}) if is_cut_deep else None
    if cut or full:
        partial = limit_reached(source.limits.text_chars, f"the first {builder.length:,}")
    title = one_line(root.findtext(".//head/title") or "")
    version = ".".join(map(str, etree.LXML_VERSION[:3]))
    return builder.extract("html", title, f"lxml {version}", stem=source.stem, partial=partial)


def _parse(text: str) -> tuple[Any, bool]:
    """Give the root element, and whether parts nested too deeply were left out.

    `huge_tree` raises the depth from 256, which pages with unclosed tags pass; HTML has no entities to
    expand, and the child's memory is limited.
    """
    parser = html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = html.document_fromstring(text.encode("utf-8"), parser=parser)
        return root, any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)
    except etree.ParserError as error:  # nothing but comments
        raise Refusal("file.no_text", {"kind": "HTML page"}) from error


class _Writer:
    """Walks the tree without recursion (pages nest deeper than Python does) and writes block by block."""

    def __init__(self, builder: TextBuilder, source: Source) -> None:
        self._builder = builder
        self._source = source
        self._inline: list[str] = []
        self._preformatted = 0
        self._skip: Any | None = None
        self._table: Any | None = None
        self._level = 0
        self._n = 0

    def run(self, root: Any) -> None:
        """Write the page below `root`."""
        n_elements = max(1, sum(1 for _ in root.iter()))
        for event, element in etree.iterwalk(root, events=("start", "end")):
            if event == "start":
                self._n += 1
                if self._n % _ELEMENTS_BETWEEN_REPORTS == 0:
                    self._source.progress(self._n / n_elements)
                self._start(element)
            else:
                self._end(element)
        self._flush()

    def _start(self, element: Any) -> None:
        if self._skip is not None:
            return
        tag = element.tag
        if tag in _SKIPPED or _is_hidden(element):
            self._skip = element
            return
        if tag == "table" and _is_data_table(element):
            self._flush()
            self._write_table(element)
            self._skip = element
            return
        if tag in _BLOCKS:
            self._flush()
            self._level = _HEADINGS.get(tag, 0)
        if tag == "br":
            self._inline.append("\n")
        elif tag == "li":
            self._inline.append("• ")
        elif tag == "pre":
            self._preformatted += 1
        self._text(element.text)

    def _end(self, element: Any) -> None:
        if self._skip is not None and element is not self._skip:
            return
        if self._skip is None:
            if element.tag in _BLOCKS:
                self._flush()
                self._level = 0
            if element.tag == "pre":
                self._preformatted -= 1
        self._skip = None
        self._text(element.tail)

    def _text(self, text: str | None) -> None:
        if text:
            self._inline.append(text if self._preformatted else _BLANKS.sub(" ", text))

    def _flush(self) -> None:
        """End the block: list items as lines, everything else as paragraphs."""
        text = "".join(self._inline)
        self._inline.clear()
        if not self._preformatted:
            text = re.sub(r" *\n *", "\n", re.sub(r" {2,}", " ", text))
        stripped = text.strip()
        if not stripped or stripped == "•":
            if stripped:
                self._inline.append("• ")  # the item's text stands in a block of its own
            return
        if stripped.startswith("• ") and not self._level:
            self._builder.line(stripped)
        else:
            self._builder.blank()
            self._builder.paragraph(clean(text).strip("\n").rstrip(), level=self._level)

    def _write_table(self, table: Any) -> None:
        caption = table.find("caption")
        if caption is not None:
            self._builder.paragraph(one_line(_visible_text(caption)))
        rows = [row for row in table.iter("tr") if next(row.iterancestors("table")) is table]
        cells = [[one_line(_visible_text(cell)) for cell in row if cell.tag in ("td", "th")] for row in rows]
        marked = bool(rows) and len(rows[0]) > 0 and all(cell.tag == "th" for cell in rows[0])
        for line in table_lines(cells, marked=marked):
            self._builder.line(line)
        self._builder.blank()


def _is_hidden(element: Any) -> bool:
    style = element.get("style")
    return element.get("hidden") is not None or bool(style and _HIDDEN_STYLE.search(style))


def _is_data_table(table: Any) -> bool:
    """Tell a table of data from one that only lays out a page."""
    if table.find(".//table") is not None:
        return False
    widths = [len(row) for row in table.iter("tr")]
    if len(widths) < 2 or max(widths) < 2:
        return False
    return all(len(cell.text_content()) <= _LONG_CELL_CHARS for cell in table.iter("td", "th"))


def _visible_text(element: Any) -> str:
    parts: list[str] = []
    skip: Any | None = None
    for event, child in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            if skip is None and (child.tag in _SKIPPED or _is_hidden(child)):
                skip = child
            if skip is None:
                parts += (" " if child.tag in _BLOCKS or child.tag == "br" else "", child.text or "")
            continue
        if child is skip:
            skip = None
        if skip is None and child is not element:
            parts.append(child.tail or "")
    return "".join(parts)
