"""The title of a conversation: its first question, shortened at a word."""

MAX_TITLE_CHARS = 60
_MIN_CUT = 20


def title_of(question: str) -> str:
    """Shorten a question to a title of at most MAX_TITLE_CHARS characters; empty for an empty question."""
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in question).split())
    if len(words) <= MAX_TITLE_CHARS:
        return words
    cut = words.rfind(" ", 0, MAX_TITLE_CHARS)
    if cut < _MIN_CUT:  # one long word, or a script without spaces
        cut = MAX_TITLE_CHARS - 1
    return words[:cut].rstrip(" ,;:-–—(") + "…"
