"""Excel workbooks through openpyxl: each sheet a page and a heading, each row a line that names its columns.

Numbers are written as they are stored, not as the cell shows them (no thousands separators, no currency),
except percentages; dates are ISO. Formulas give their last computed value.
"""

import datetime
import warnings
from collections.abc import Iterator
from typing import Any

import openpyxl

from app.worker.parser.builder import TextBuilder, TextFull, limit_reached, one_line
from app.worker.parser.formats.tables import table_lines
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.source import Source

_MAX_CELLS = 5_000_000
_ROWS_BETWEEN_REPORTS = 500


def read_workbook(source: Source) -> Extract:
    """Read an Excel workbook."""
    with source.open() as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of every extension that it leaves out
        workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        reading = _Reading(workbook, source)
        reading.run()
        title = one_line(workbook.properties.title or "")
        return reading.builder.extract(
            "xlsx", title, f"openpyxl {openpyxl.__version__}", stem=source.stem, partial=reading.partial
        )


class _Reading:
    """One pass over the sheets."""

    def __init__(self, workbook: Any, source: Source) -> None:
        self.builder = TextBuilder(source.limits.text_chars)
        self.partial: Refusal | None = None
        self._workbook = workbook
        self._source = source
        self._n_cells = 0
        self._place = ""
        self._n_rows = 0

    def run(self) -> None:
        """Read every sheet until a limit."""
        sheets = self._workbook.worksheets
        try:
            for number, sheet in enumerate(sheets):
                self._sheet(sheet)
                if self.partial is not None:
                    break
                self._source.progress((number + 1) / len(sheets))
        except TextFull:
            self.partial = limit_reached(self._source.limits.text_chars, self._place)
        self.builder.end_page()

    def _sheet(self, sheet: Any) -> None:
        self._n_rows = 0
        self.builder.start_page()
        sheet.reset_dimensions()  # what a file says of its own size may be wrong by millions
        lines = table_lines(self._rows(sheet), presumed=True)
        first = next(lines, None)
        if first is not None:
            self.builder.paragraph(sheet.title, level=1)
            self.builder.line(first)
            for line in lines:
                self.builder.line(line)
            self.builder.blank()
        self.builder.end_page()

    def _rows(self, sheet: Any) -> Iterator[list[str]]:
        for row in sheet.iter_rows():
            self._n_rows += 1
            self._n_cells += len(row)
            self._place = f"row {self._n_rows:,} of “{sheet.title}”"
            if self._n_cells > _MAX_CELLS:
                self.partial = Refusal("limit.cells", {"limit": _MAX_CELLS, "kept": self._place})
                return
            if self._n_rows % _ROWS_BETWEEN_REPORTS == 0:
                self._source.progress(min(0.99, self._n_cells / _MAX_CELLS))
            yield [_cell(cell) for cell in row]


def _cell(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, cell.number_format or "")
    if isinstance(value, datetime.datetime):
        at_midnight = value.time() == datetime.time()
        return (value.date() if at_midnight else value).isoformat(*(() if at_midnight else (" ",)))
    return one_line(str(value))


def _number(value: float, number_format: str) -> str:
    if "%" in number_format:
        return f"{value * 100:.12g}%"
    return str(value) if isinstance(value, int) else f"{value:.15g}"
