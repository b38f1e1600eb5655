"""Turns what speech to text heard into a document: readable paragraphs, and the time of every line.

Each line stays in one piece, so that what is found in it can be played from its beginning.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.protocol.recordings import StoreTranscript, TranscriptLine
from app.worker.parser.result import Parsed, ParsedHeading

NOTE_CODE = "recording.note"
"""Of a note that came without a code."""
_PAUSE_MS = 2_000
_PARAGRAPH_MS = 60_000
_LONGEST_PARAGRAPH_MS = 90_000
_MARK_EVERY_MS = 300_000
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "।", "؟", "።")
_CLOSING = "\"'”’»)]」』"
_WITHOUT_SPACES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
"""Languages that put no space between sentences."""
_MAX_MS = 1_000 * 3_600_000
_SURROGATES = {code: 0xFFFD for code in range(0xD800, 0xE000)}

Span = tuple[int, int, int, int]
"""(char_start, char_end, start_ms, end_ms) of a line."""


@dataclass(frozen=True)
class Transcript:
    """A transcript as it is stored.

    Attributes:
        parsed: its text and time marks.
        spans: of its lines, in order.
    """

    parsed: Parsed
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class _Line:
    start_ms: int
    end_ms: int
    text: str


def transcript_of(request: StoreTranscript, stem: str) -> Transcript:
    """Give the document that a transcription becomes.

    Args:
        request: what was heard.
        stem: of the file's name, for the title where the recording has none.
    """
    joint = "" if request.language in _WITHOUT_SPACES else " "
    parts: list[str] = []
    spans: list[Span] = []
    headings: list[ParsedHeading] = []
    length, began_ms, next_mark_ms = 0, 0, _MARK_EVERY_MS
    previous: _Line | None = None
    for line in _clean(request.lines):
        passes_mark = line.start_ms >= next_mark_ms
        if previous is None or passes_mark or _begins_paragraph(previous, line, began_ms):
            separator, began_ms = "" if previous is None else "\n\n", line.start_ms
        else:
            separator = joint
        parts += [separator, line.text]
        start = length + len(separator)
        length = start + len(line.text)
        spans.append((start, length, line.start_ms, line.end_ms))
        if passes_mark:
            mark_ms = line.start_ms - line.start_ms % _MARK_EVERY_MS
            headings.append(ParsedHeading(time_mark(mark_ms), 1, start))
            next_mark_ms = mark_ms + _MARK_EVERY_MS
        previous = line
    if headings and headings[0].char_start:
        headings.insert(0, ParsedHeading(time_mark(0), 1, 0))
    parsed = Parsed(
        "".join(parts),
        request.format,
        " ".join(request.title.translate(_SURROGATES).split()) or stem.translate(_SURROGATES),
        request.model,
        headings=tuple(headings),
        partial_reason=request.note,
        partial_code=(request.note_code or NOTE_CODE) if request.note else "",
    )
    return Transcript(parsed, tuple(spans))


def time_mark(milliseconds: int) -> str:
    """Give a time as players show it: `05:00`, `1:05:00`."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def milliseconds(seconds: float) -> int:
    """Give a time in whole milliseconds, within what a recording can have."""
    return 0 if math.isnan(seconds) else round(min(max(0.0, seconds * 1000), _MAX_MS))


def _clean(lines: Iterable[TranscriptLine]) -> Sequence[_Line]:
    """Give the lines that say something, in the order of their times, on one line each."""
    cleaned = []
    at_ms = 0
    for line in lines:
        text = " ".join(line.text.translate(_SURROGATES).split())
        if text:
            at_ms = max(at_ms, milliseconds(line.start_s))
            cleaned.append(_Line(at_ms, max(at_ms, milliseconds(line.end_s)), text))
    return cleaned


def _begins_paragraph(previous: _Line, line: _Line, began_ms: int) -> bool:
    """Tell whether a pause, or the length of the paragraph so far, calls for a new one."""
    if line.start_ms - previous.end_ms >= _PAUSE_MS:
        return True
    so_far_ms = line.start_ms - began_ms
    if so_far_ms >= _LONGEST_PARAGRAPH_MS:
        return True
    return so_far_ms >= _PARAGRAPH_MS and previous.text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS)
