"""Tool tips of words that others wrote: file names, titles, quotes."""

from html import escape

from PySide6.QtGui import Qt


def plain_tooltip(text: str) -> str:
    """Give a text so that a tool tip shows it as it is: what looks like HTML is never taken for it.

    As HTML a name could draw pictures of other files, or fetch them from other machines.
    """
    if not Qt.mightBeRichText(text):
        return text
    return f"<p style='white-space:pre-wrap'>{escape(text)}</p>"
