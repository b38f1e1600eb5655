"""How a citation is told: where it stands, its quote, and whether it was verified."""

from PySide6.QtCore import QCoreApplication

from app.protocol.chat import Citation
from app.ui.elements.clock import clock

_QUOTE_CHARS = 300


def citation_place(citation: Citation, seconds: float | None = None) -> str:
    """Give page or time of a citation in words, after its document's name; empty where it has neither.

    Args:
        citation: what is told.
        seconds: of a transcript: when its words are said.
    """
    if seconds is not None:
        return _tr(" · at {0}").format(clock(seconds))
    return "" if citation.page is None else _tr(" · page {0}").format(citation.page)


def citation_tooltip(citation: Citation, seconds: float | None = None) -> str:
    """Give the words that explain a citation; `seconds` as in `citation_place`."""
    place = citation.name
    if seconds is not None:
        place += _tr(", at {0}").format(clock(seconds))
    elif citation.page is not None:
        place += _tr(", page {0}").format(citation.page)
    quote = " ".join(citation.quote.split())
    if len(quote) > _QUOTE_CHARS:
        quote = quote[:_QUOTE_CHARS] + "…"
    state = (
        _tr("Verified: these words stand in the document.")
        if citation.verified
        else _tr("Not verified: the nearest place found. Check it yourself.")
    )
    return f"{place}\n“{quote}”\n{state}"


def _tr(text: str) -> str:
    return QCoreApplication.translate("Citation", text)
