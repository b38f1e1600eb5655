"""Fill the templates of `installer/` with values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


def filled(template_path: Path, values: Mapping[str, str]) -> str:
    """Return a template's text with each ``@NAME@`` replaced.

    Args:
        template_path: The template.
        values: By name, without the signs.

    Raises:
        KeyError: The template names a value that was not given.
    """
    text = template_path.read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], text)
