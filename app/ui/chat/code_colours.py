"""Colours for code in answers."""

from collections.abc import Iterator
from typing import Any

from app.ui.tokens import Palette

MAX_HIGHLIGHTED_CHARACTERS = 20_000

# Contrast of at least 4.5 on Palette.code, light and dark.
_LIGHT = {
    "Keyword": "#8a1fb0",
    "Name.Builtin": "#0f5fd0",
    "Name.Function": "#0f5fd0",
    "Name.Class": "#835200",
    "Name.Decorator": "#835200",
    "Name.Tag": "#8a1fb0",
    "Name.Attribute": "#835200",
    "Literal.String": "#146c3f",
    "Literal.Number": "#a33b00",
    "Comment": "#5b6775",
    "Operator.Word": "#8a1fb0",
    "Generic.Deleted": "#b0241c",
    "Generic.Inserted": "#146c3f",
    "Generic.Heading": "#0f5fd0",
}
_DARK = {
    "Keyword": "#d7a1f9",
    "Name.Builtin": "#7fb8ff",
    "Name.Function": "#7fb8ff",
    "Name.Class": "#ecba58",
    "Name.Decorator": "#ecba58",
    "Name.Tag": "#d7a1f9",
    "Name.Attribute": "#ecba58",
    "Literal.String": "#7ed6a5",
    "Literal.Number": "#ffb088",
    "Comment": "#97a3b0",
    "Operator.Word": "#d7a1f9",
    "Generic.Deleted": "#ff9a92",
    "Generic.Inserted": "#7ed6a5",
    "Generic.Heading": "#7fb8ff",
}


def coloured(code: str, language: str, palette: Palette) -> Iterator[tuple[str, str | None]]:
    """Give the code as (piece, colour) pairs; no colours where the language is unknown or the code long."""
    lexer = _lexer(language) if language and len(code) <= MAX_HIGHLIGHTED_CHARACTERS else None
    if lexer is None:
        yield code, None
        return
    colours = _DARK if palette.is_dark else _LIGHT
    for kind, piece in lexer.get_tokens(code):
        yield piece, _colour(str(kind), colours)


def warm_up() -> None:
    """Load the highlighter and a common language; any thread may call it, so that no answer need wait."""
    _lexer("python")


def _colour(kind: str, colours: dict[str, str]) -> str | None:
    name = kind.removeprefix("Token.")
    while name:
        if name in colours:
            return colours[name]
        name = name.rpartition(".")[0]
    return None


def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name  # loaded after the window is shown
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
