"""What must not stand in a message: the marks with which a chat template begins and ends turns.

A document that holds `### Instruction:` or `<human>:` could end its turn and speak as somebody else. Its
marks are broken by an invisible character before it goes into a prompt.
"""

import re
from collections.abc import Iterable

from app.core.prompt_formats import FORMATS

BREAK = "\u2060"  # word joiner: no width, no break
"""Put behind the first character of a mark that stands in a text."""

_MAX_TOKEN_CHARS = 64
# What templates write for a token: `<|im_end|>`, `<｜User｜>`, `<start_of_turn>`, `[/INST]`.
_TOKEN_LIKE = re.compile(r"<[|｜][^|｜<>{}'\"\s]{1,40}[|｜]>|<[a-z]+(?:_[a-z]+)+>|\[/?[A-Z_]{3,20}\]")
# What they write in plain text: `### Human:`, `<human>:` anywhere, `Human:` at the beginning of a line.
_PLAIN = re.compile(r"#{2,3} ?[A-Z][A-Za-z ]{1,20}:|<[a-z]{2,12}>:")
_ROLE_WORD = re.compile(r"\b(?:Human|User|Assistant|System|Bot|AI|HUMAN|USER|ASSISTANT|SYSTEM):")
# Templates that put a mark together from the name of the role.
_FROM_ROLE = {
    re.compile(r"['\"]<\|['\"]|<\|\{\{"): ("<|system|>", "<|user|>", "<|assistant|>"),
    re.compile(r"['\"]### ?['\"]|### ?\{\{"): ("### System:", "### User:", "### Assistant:"),
}


def marks_pattern(source: str, tokens: Iterable[str] = ()) -> re.Pattern[str] | None:
    """Give the pattern of what must not stand in a message: the marks with which a template writes turns.

    Args:
        source: of the template, whoever wrote it.
        tokens: further texts, such as those of the model's beginning and ending tokens.
    """
    marks = {mark for each in FORMATS for mark in each.marks if mark in source}
    marks |= {*_TOKEN_LIKE.findall(source), *_PLAIN.findall(source)}
    marks |= {token for token in tokens if 2 < len(token) <= _MAX_TOKEN_CHARS}
    for pattern, from_role in _FROM_ROLE.items():
        if pattern.search(source):
            marks |= set(from_role)
    at_line = {mark for each in FORMATS for mark in each.line_marks if mark in source}
    at_line = (at_line | set(_ROLE_WORD.findall(source))) - marks
    parts = [_mark(mark) for mark in sorted(marks, key=lambda mark: (-len(mark), mark))]
    parts += [rf"(?m:^[ \t]*){re.escape(mark)}" for mark in sorted(at_line)]
    return re.compile("|".join(parts)) if parts else None


def _mark(mark: str) -> str:
    """Give a mark's pattern: a word such as `USER:` counts only where no other word runs into it."""
    return (r"(?<!\w)" if mark[0].isalpha() else "") + re.escape(mark)


def defused(text: str, pattern: re.Pattern[str] | None) -> str:
    """Give the text with its marks broken by an invisible character, so that it cannot end its turn."""
    if pattern is None:
        return text

    def broken(found: re.Match[str]) -> str:
        blank = len(found[0]) - len(found[0].lstrip(" \t"))
        return found[0][: blank + 1] + BREAK + found[0][blank + 1 :]

    return pattern.sub(broken, text)
