"""PowerPoint presentations through python-pptx: each slide a page, its title a heading, notes behind it."""

from collections.abc import Iterator
from typing import Any

import pptx
from pptx.opc.constants import CONTENT_TYPE
from pptx.opc.package import PartFactory
from pptx.package import Package
from pptx.parts.presentation import PresentationPart

from app.worker.parser.builder import TextBuilder, TextFull, limit_reached, one_line
from app.worker.parser.formats.tables import table_lines
from app.worker.parser.formats.xml_parts import parse_part
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.source import Source

_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"
_DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
_MAX_DEPTH = 20
_MAX_CHART_POINTS = 500
_DAMAGE = (KeyError, AttributeError, ValueError, IndexError, TypeError, NotImplementedError)

# Slide shows and templates differ from presentations in their content type alone.
for _type in (
    CONTENT_TYPE.PML_SLIDESHOW_MAIN,
    CONTENT_TYPE.PML_TEMPLATE_MAIN,
    CONTENT_TYPE.PML_PRES_MACRO_MAIN,
):
    PartFactory.part_type_for.setdefault(_type, PresentationPart)


def read_presentation(source: Source) -> Extract:
    """Read a PowerPoint presentation."""
    with source.open() as stream:
        part = Package.open(stream).presentation_part
        presentation = part.presentation
        builder = TextBuilder(source.limits.text_chars)
        partial = _read_slides(presentation, builder, source)
        builder.end_page()
        title = one_line(part.core_properties.title or "")
        return builder.extract(
            "pptx", title, f"python-pptx {pptx.__version__}", stem=source.stem, partial=partial
        )


def _read_slides(presentation: Any, builder: TextBuilder, source: Source) -> Refusal | None:
    slides = presentation.slides
    n_slides = len(slides)
    number = n_damaged = 0
    try:
        for number in range(1, n_slides + 1):
            builder.start_page()
            try:
                _slide(slides[number - 1], builder)
            except _DAMAGE:
                n_damaged += 1
            builder.end_page()
            source.progress(number / n_slides)
    except TextFull:
        return limit_reached(source.limits.text_chars, f"slide {number:,} of {n_slides:,}")
    return Refusal("slides.damaged", {"n": n_damaged, "slides": n_slides}) if n_damaged else None


def _slide(slide: Any, builder: TextBuilder) -> None:
    title = slide.shapes.title
    if title is not None and title.has_text_frame:
        builder.paragraph(one_line(title.text_frame.text), level=1)
    title_id = title.shape_id if title is not None else None
    for shape in _shapes(slide.shapes, 0):
        if shape.shape_id != title_id:
            _shape(shape, builder)
    if slide.has_notes_slide:
        notes = slide.notes_slide.notes_text_frame
        if notes is not None and notes.text.strip():
            builder.paragraph(f"Notes: {notes.text}")


def _shapes(shapes: Any, depth: int) -> Iterator[Any]:
    """Give all shapes in their order, those inside groups too."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            if depth < _MAX_DEPTH:
                yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _shape(shape: Any, builder: TextBuilder) -> None:
    if shape.has_text_frame:
        builder.paragraph("\n".join(paragraph.text for paragraph in shape.text_frame.paragraphs))
    elif getattr(shape, "has_table", False):
        rows = ([one_line(cell.text) for cell in row.cells] for row in shape.table.rows)
        for line in table_lines(rows, marked=bool(shape.table.first_row)):
            builder.line(line)
        builder.blank()
    elif getattr(shape, "has_chart", False):
        _chart(shape.chart, builder)
    else:
        _diagram(shape, builder)


def _chart(chart: Any, builder: TextBuilder) -> None:
    """Write a chart as the table that it draws."""
    if chart.has_title and chart.chart_title.has_text_frame:
        builder.paragraph(chart.chart_title.text_frame.text)
    for plot in chart.plots:
        series = list(plot.series)
        rows = [["", *(one_line(str(item.name)) for item in series)]]
        values = [list(item.values) for item in series]
        for index, category in enumerate(list(plot.categories)[:_MAX_CHART_POINTS]):
            cells = [column[index] if index < len(column) else None for column in values]
            rows.append(
                [one_line(str(category)), *("" if cell is None else f"{cell:.12g}" for cell in cells)]
            )
        for line in table_lines(rows, marked=True):
            builder.line(line)
    builder.blank()


def _diagram(shape: Any, builder: TextBuilder) -> None:
    """Write the texts of a SmartArt diagram, which stand in a part of their own."""
    for ids in shape._element.iter(f"{{{_DIAGRAM}}}relIds"):
        relation = ids.get("{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm")
        part = shape.part.related_part(relation)
        texts = [element.text for element in parse_part(part.blob).iter(_TEXT) if element.text]
        builder.paragraph("\n".join(texts))
