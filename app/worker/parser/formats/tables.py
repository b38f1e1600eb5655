"""Tables as text that a single row still explains.

A passage of a table is read alone, by a search and by a small model, so each row of a table with a header is
written as `Header: value | Header: value`; the header stands once by itself as well. Without a header the
cells are joined by ` | `. A header is assumed where the file marks one, where a column of numbers or dates
has a name above it, or, in sheets and CSV files, where three or more columns have distinct names; two columns
of words are more often names and values than a table with a header.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

_SAMPLE_ROWS = 50
_MAX_HEADER_CHARS = 80
_MAX_TITLE_ROWS = 10
_VALUE = re.compile(
    r"[-+(]?[$€£¥]?\s?\d[\d.,' ]*\s?[%$€£¥)]?"
    r"|\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T]\d{1,2}:\d\d.*)?|\d{1,2}:\d\d.*"
    r"|true|false|yes|no",
    re.IGNORECASE,
)

Row = Sequence[str]


def table_lines(rows: Iterable[Row], *, marked: bool = False, presumed: bool = False) -> Iterator[str]:
    """Give a line of text a row; rows without text are left out.

    Args:
        rows: of cells, each on one line.
        marked: the first row is marked as the header.
        presumed: sheets and CSV files, which mostly have one.
    """
    filled = (row for row in rows if any(row))
    first: Row = ()
    for first in islice(filled, _MAX_TITLE_ROWS):
        if sum(map(bool, first)) > 1 or marked:
            break
        yield _joined(first)  # a sheet's title stands above its table in a cell of its own
        first = ()
    sample = list(islice(filled, _SAMPLE_ROWS))
    if not first:
        if not sample:
            return
        first, *sample = sample
    yield _joined(first)
    following = chain(sample, filled)
    if _is_header(first, sample, marked=marked, presumed=presumed):
        yield from (_named(first, row) for row in following)
    else:
        yield from (_joined(row) for row in following)


def _is_header(first: Row, sample: Sequence[Row], *, marked: bool, presumed: bool) -> bool:
    names = [cell for cell in first if cell]
    if not names or not sample or any(len(name) > _MAX_HEADER_CHARS for name in names):
        return False
    if marked:
        return len(first) > 1
    if len(names) < 2 or len(set(names)) < len(names) or any(_VALUE.fullmatch(name) for name in names):
        return False
    return (presumed and len(names) >= 3) or any(
        _is_value_column(index, sample) for index, name in enumerate(first) if name
    )


def _is_value_column(index: int, sample: Sequence[Row]) -> bool:
    values = [row[index] for row in sample if index < len(row) and row[index]]
    return bool(values) and sum(bool(_VALUE.fullmatch(value)) for value in values) >= 0.6 * len(values)


def _joined(row: Row) -> str:
    return " | ".join(cell for cell in row if cell)


def _named(header: Row, row: Row) -> str:
    cells = []
    for index, cell in enumerate(row):
        if cell:
            name = header[index] if index < len(header) else ""
            cells.append(f"{name.rstrip(':')}: {cell}" if name else cell)
    return " | ".join(cells)
