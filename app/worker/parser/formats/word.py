"""Word documents: python-docx opens the package; the text is taken from its elements in document order.

Kept: paragraphs with their list numbers, headings, tables, text boxes, content controls, insertions, notes,
comments, headers and footers (once, at the end). Left out: deleted and moved-away text, field codes.
"""

from collections.abc import Iterator
from typing import Any

import docx
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.part import PartFactory
from docx.package import Package
from docx.parts.document import DocumentPart

from app.worker.parser.builder import TextBuilder, TextFull, limit_reached, one_line
from app.worker.parser.formats.tables import table_lines
from app.worker.parser.formats.word_styles import Numbering, Styles, W
from app.worker.parser.formats.xml_parts import parse_part
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.source import Source

_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_TEXT_BOX = f"{W}txbxContent"
_SKIPPED = frozenset({f"{W}del", f"{W}moveFrom", f"{W}rt", f"{W}pPr", f"{W}rPr", f"{W}instrText", _FALLBACK})
_LITERALS = {
    f"{W}tab": "\t",
    f"{W}br": "\n",
    f"{W}cr": "\n",
    f"{W}noBreakHyphen": "-",
}
_LONG_CELL_CHARS = 400
_MAX_DEPTH = 50
_PARAGRAPHS_BETWEEN_REPORTS = 200
_SIDE_PARTS = (
    (RELATIONSHIP_TYPE.FOOTNOTES, f"{W}footnote", "Note: "),
    (RELATIONSHIP_TYPE.ENDNOTES, f"{W}endnote", "Note: "),
    (RELATIONSHIP_TYPE.COMMENTS, f"{W}comment", "Comment: "),
    (RELATIONSHIP_TYPE.HEADER, None, "Header: "),
    (RELATIONSHIP_TYPE.FOOTER, None, "Footer: "),
)

# Templates and documents with macros differ from plain documents in their content type alone.
for _type in (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
):
    PartFactory.part_type_for.setdefault(_type, DocumentPart)


def read_document(source: Source) -> Extract:
    """Read a Word document."""
    with source.open() as stream:
        part = Package.open(stream).main_document_part
    if part.content_type == CONTENT_TYPE.WML_DOCUMENT_MAIN or isinstance(part, DocumentPart):
        writer = _Writer(part, source)
        writer.run()
        title = one_line(part.core_properties.title or "")
        return writer.builder.extract(
            "docx", title, f"python-docx {docx.__version__}", stem=source.stem, partial=writer.partial
        )
    raise Refusal("file.damaged", {"kind": "DOCX file"})


class _Writer:
    """Writes a document's blocks in order."""

    def __init__(self, part: Any, source: Source) -> None:
        self.builder = TextBuilder(source.limits.text_chars)
        self.partial: Refusal | None = None
        self._part = part
        self._source = source
        self._styles = Styles(_related_root(part, RELATIONSHIP_TYPE.STYLES))
        self._numbering = Numbering(_related_root(part, RELATIONSHIP_TYPE.NUMBERING))
        self._n_paragraphs = 0
        self._n_blocks = 1
        self._in_list = False

    def run(self) -> None:
        """Write the body, then what stands beside it."""
        body = self._part.element.find(f"{W}body")
        try:
            if body is not None:
                self._n_blocks = max(1, len(body))
                self._blocks(body, 0)
            self._end_list()
            self._side_parts()
        except TextFull:
            self.partial = limit_reached(
                self._source.limits.text_chars, f"paragraph {self._n_paragraphs:,} of {self._n_blocks:,}"
            )

    def _blocks(self, parent: Any, depth: int) -> None:
        if depth > _MAX_DEPTH:
            return
        for element in parent:
            if element.tag == f"{W}p":
                self._paragraph(element, depth)
            elif element.tag == f"{W}tbl":
                self._end_list()
                self._table(element, depth)
            elif isinstance(element.tag, str) and element.tag not in _SKIPPED:
                self._blocks(element, depth + 1)  # content controls, custom XML, block-level insertions

    def _paragraph(self, paragraph: Any, depth: int) -> None:
        self._n_paragraphs += 1
        if self._n_paragraphs % _PARAGRAPHS_BETWEEN_REPORTS == 0:
            self._source.progress(min(0.99, self._n_paragraphs / self._n_blocks))
        text = "".join(_texts(paragraph)).strip()
        if text:
            level = self._styles.heading_level(paragraph)
            key = self._styles.numbering(paragraph)
            mark = self._numbering.mark(key) if key is not None else ""
            if mark and not level:
                self.builder.line(mark + text)
                self._in_list = True
            else:
                self._end_list()
                self.builder.paragraph(mark + text, level=level)
        for box in _text_boxes(paragraph):
            self._end_list()
            self._blocks(box, depth + 1)

    def _end_list(self) -> None:
        if self._in_list:
            self.builder.blank()
            self._in_list = False

    def _table(self, table: Any, depth: int) -> None:
        rows = list(table.iter(f"{W}tr")) if table.find(f".//{W}tc//{W}tbl") is None else []
        texts = list(_rows(rows))
        is_layout = (
            not texts
            or max(len(row) for row in texts) < 2
            or any(len(cell) > _LONG_CELL_CHARS for row in texts for cell in row)
        )
        if is_layout:  # cells hold whole passages or tables of their own
            for cell in table.findall(f".//{W}tc"):
                if next(cell.iterancestors(f"{W}tbl")) is table:
                    self._blocks(cell, depth + 1)
                    self._end_list()
            return
        marked = rows[0].find(f"{W}trPr/{W}tblHeader") is not None
        for line in table_lines(texts, marked=marked):
            self.builder.line(line)
        self.builder.blank()

    def _side_parts(self) -> None:
        """Write notes, comments, headers and footers, each text once."""
        seen: set[str] = set()
        for relationship, item_tag, label in _SIDE_PARTS:
            for root in _related_roots(self._part, relationship):
                items = root.iter(item_tag) if item_tag else [root]
                for item in items:
                    text = one_line(" ".join("".join(_texts(p)) for p in item.iter(f"{W}p")))
                    if len(text) > 2 and text not in seen:
                        seen.add(text)
                        self.builder.paragraph(label + text)


def _texts(element: Any) -> Iterator[str]:
    """Give the texts of a paragraph in order, without what is deleted or boxed.

    Iterative: documents can nest elements deeper than Python recurses.
    """
    stack = [iter(element)]
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
        elif child.tag in (f"{W}t", _MATH_TEXT):
            yield child.text or ""
        elif child.tag in _LITERALS:
            yield _LITERALS[child.tag]
        elif isinstance(child.tag, str) and child.tag not in _SKIPPED and child.tag != _TEXT_BOX:
            stack.append(iter(child))


def _text_boxes(paragraph: Any) -> Iterator[Any]:
    """Give the outermost text boxes of a paragraph, without the copies made for old programs."""
    for box in paragraph.iter(_TEXT_BOX):
        outer = next(box.iterancestors(_TEXT_BOX, _FALLBACK, f"{W}p"), None)
        if outer is paragraph:
            yield box


def _rows(rows: list[Any]) -> Iterator[list[str]]:
    """Give the cells of each row; a cell merged downwards repeats its text, so that each row stands alone."""
    above: dict[int, str] = {}
    for row in rows:
        texts, column = [], 0
        for cell in row.iter(f"{W}tc"):
            properties = cell.find(f"{W}tcPr")
            span = _attribute(properties, "gridSpan")
            merge = None if properties is None else properties.find(f"{W}vMerge")
            text = one_line(" ".join("".join(_texts(paragraph)) for paragraph in cell.iter(f"{W}p")))
            if merge is not None and merge.get(f"{W}val") != "restart":
                text = above.get(column, text)
            above[column] = text
            texts.append(text)
            column += int(span) if span and span.isdigit() else 1
        yield texts


def _attribute(properties: Any | None, name: str) -> str | None:
    child = None if properties is None else properties.find(f"{W}{name}")
    return None if child is None else child.get(f"{W}val")


def _related_root(part: Any, relationship: str) -> Any | None:
    return next(_related_roots(part, relationship), None)


def _related_roots(part: Any, relationship: str) -> Iterator[Any]:
    """Give the root elements of related parts; one that is damaged or missing is left out."""
    for relation in part.rels.values():
        if relation.reltype != relationship or relation.is_external:
            continue
        target = relation.target_part
        if hasattr(target, "element"):
            yield target.element
            continue
        try:
            yield parse_part(target.blob)
        except ValueError:
            continue
