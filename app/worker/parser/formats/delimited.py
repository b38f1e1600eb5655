"""CSV and TSV: a line of text a row, with the column's name before each value."""

import csv
import io
import re
from collections.abc import Iterator

from app.worker.parser import charset
from app.worker.parser.builder import TextBuilder, TextFull, limit_reached, one_line
from app.worker.parser.formats.plain import decode_limited
from app.worker.parser.formats.tables import table_lines
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.source import Source

_MAX_FIELD_CHARS = 100_000
_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 30
_MAX_FIELD_LINES = 50
_QUOTED = re.compile(r'"[^"\n]*"')
_ROWS_BETWEEN_REPORTS = 1000


def read_delimited(source: Source) -> Extract:
    """Read a CSV or TSV file."""
    text, cut = decode_limited(source, charset.find_encoding(source))
    if not text.strip():
        raise Refusal("file.no_text", {"kind": "CSV file"})
    csv.field_size_limit(source.limits.text_chars + 1)
    delimiter, start = _dialect(text, source.extension)
    table = _Table(text, delimiter, start, source)
    builder = TextBuilder(source.limits.text_chars)
    full = False
    try:
        for line in table_lines(table.rows(), presumed=True):
            builder.line(line)
    except TextFull:
        full = True
    partial = table.partial()
    if cut or full:
        partial = limit_reached(source.limits.text_chars, f"row {table.n_rows:,}")
    return builder.extract("csv", "", "csv 1", stem=source.stem, partial=partial)


class _Table:
    """The rows of a CSV text; counts what had to be cut."""

    def __init__(self, text: str, delimiter: str, start: int, source: Source) -> None:
        self._text, self._delimiter, self._start, self._source = text, delimiter, start, source
        self.n_rows = 0
        self._n_cut = 0

    def rows(self) -> Iterator[list[str]]:
        stream = io.StringIO(self._text, newline="")
        stream.seek(self._start)
        if self._has_stray_quote():
            reader = csv.reader(stream, delimiter=self._delimiter, quoting=csv.QUOTE_NONE)
        else:
            reader = csv.reader(stream, delimiter=self._delimiter)
        for row in reader:
            self.n_rows += 1
            if self.n_rows % _ROWS_BETWEEN_REPORTS == 0:
                self._source.progress(stream.tell() / len(self._text))
            yield [self._cell(value) for value in row]

    def partial(self) -> Refusal | None:
        if not self._n_cut:
            return None
        return Refusal("limit.field", {"limit": _MAX_FIELD_CHARS, "n": self._n_cut})

    def _has_stray_quote(self) -> bool:
        """Tell whether a quote that is never closed would swallow many lines into one field."""
        if '"' not in self._text:
            return False
        strict = csv.reader(io.StringIO(self._text, newline=""), delimiter=self._delimiter, strict=True)
        try:
            for _ in strict:
                pass
        except csv.Error:
            return self._longest_field_lines() > _MAX_FIELD_LINES
        return False

    def _longest_field_lines(self) -> int:
        longest = 0
        for row in csv.reader(io.StringIO(self._text, newline=""), delimiter=self._delimiter):
            longest = max(longest, *(field.count("\n") for field in row), 0)
        return longest

    def _cell(self, value: str) -> str:
        if len(value) > _MAX_FIELD_CHARS:
            self._n_cut += 1
            value = value[:_MAX_FIELD_CHARS]
        return one_line(value) if value else value


def _dialect(text: str, extension: str) -> tuple[str, int]:
    """Find the delimiter, and where the table starts (after Excel's `sep=` line)."""
    first, _, _ = text[:20].partition("\n")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        return first[4], len(first) + 1
    if extension in ("tsv", "tab"):
        return "\t", 0
    lines = [line for line in text[:200_000].splitlines()[:_SAMPLE_LINES] if line.strip()]
    bare = [_QUOTED.sub("", line) for line in lines]
    scores = {mark: _score([line.count(mark) for line in bare]) for mark in _DELIMITERS}
    return max(scores, key=lambda mark: scores[mark]), 0


def _score(counts: list[int]) -> float:
    """Rate a delimiter: how often it stands in a line, and how many lines agree."""
    common = max(set(counts), key=counts.count, default=0)
    return common * counts.count(common) / max(1, len(counts)) if common else sum(counts) / 1000
