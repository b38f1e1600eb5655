"""Which addresses in answers may be opened."""

import re
from urllib.parse import urlsplit

_OPENABLE = frozenset({"http", "https", "mailto"})


def is_openable(href: str) -> bool:
    """Tell whether an address may be offered for opening: http, https, mailto; no control characters."""
    if re.search(r"[\x00-\x20\x7f\\]", href):
        return False
    try:
        parts = urlsplit(href)
    except ValueError:  # malformed brackets
        return False
    return parts.scheme.lower() in _OPENABLE and bool(parts.netloc or parts.scheme.lower() == "mailto")
