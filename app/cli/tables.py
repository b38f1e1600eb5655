"""Tables and quantities for people in a terminal."""

from collections.abc import Sequence

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(n_bytes: int | None) -> str:
    """Spell a size: `4.7 GB`; `-` where it is not known."""
    if n_bytes is None:
        return "-"
    value, unit = float(n_bytes), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit < 2 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def memory(n_bytes: int) -> str:
    """Spell an amount of memory as the fit advice does, in units of 1,024: `1.2 GB`, `96 MB`."""
    return f"{n_bytes / 1024**3:.1f} GB" if n_bytes >= 1024**3 else f"{n_bytes / 1024**2:.0f} MB"


def count(n_params: int | None) -> str:
    """Spell a number of weights: `7.6 B`, `135 M`; `-` where it is not known."""
    if not n_params:
        return "-"
    if n_params >= 1e9:
        return f"{n_params / 1e9:.1f} B"
    return f"{n_params / 1e6:.0f} M"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Give lines with columns of equal width; the last one is as wide as it is, and each row one line."""
    lines = [tuple(head), *(tuple(" ".join(cell.splitlines()) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        ).rstrip()
        for line in lines
    )
