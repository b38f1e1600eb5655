"""Markdown into top-level blocks of tokens; HTML, references and raw links are plain text here."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_MARKDOWN_CHARACTERS = 200_000


@dataclass(frozen=True)
class Block:
    """One top-level block.

    Attributes:
        start: where its source begins, in characters of the text that was parsed.
        source: its source; two blocks with the same source look the same.
        tokens: as markdown-it gives them.
    """

    start: int
    source: str
    tokens: "tuple[Token, ...]"


def parse(text: str) -> list[Block]:
    """Split Markdown into its top-level blocks.

    A text over MAX_MARKDOWN_CHARACTERS is shown as it is: one paragraph without markup.
    """
    if len(text) > MAX_MARKDOWN_CHARACTERS:
        return [Block(0, text, tuple(_plain_tokens(text)))]
    line_starts = _line_starts(text)
    return [_block(text, line_starts, group) for group in _groups(_parser().parse(text))]


def warm_up() -> None:
    """Load the parser; any thread may call it, so that the first answer need not wait."""
    _parser()


def _block(text: str, line_starts: list[int], group: "list[Token]") -> Block:
    first, last = group[0].map or [0, len(line_starts) - 1]
    start, end = line_starts[first], line_starts[min(last, len(line_starts) - 1)]
    return Block(start, text[start:end], tuple(group))


def _groups(tokens: "list[Token]") -> "Iterator[list[Token]]":
    group: list[Token] = []
    depth = 0
    for token in tokens:
        group.append(token)
        depth += token.nesting
        if depth == 0:
            yield group
            group = []


def _line_starts(text: str) -> list[int]:
    starts = [0]
    position = text.find("\n")
    while position >= 0:
        starts.append(position + 1)
        position = text.find("\n", position + 1)
    starts.append(len(text))
    return starts


def _plain_tokens(text: str) -> "Iterator[Token]":
    from markdown_it.token import Token

    yield Token("paragraph_open", "p", 1)
    inline = Token("inline", "", 0)
    inline.children = [Token("text", "", 0, content=text)]
    yield inline
    yield Token("paragraph_close", "p", -1)


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # loaded after the window is shown

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False})
    parser.enable(["table", "strikethrough"])
    # A reference definition would turn the marks [1] of citations into links of the text's own choice.
    parser.disable(["reference", "html_block", "html_inline"])
    return parser
