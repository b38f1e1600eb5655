"""One line on standard error that says how far something is, where a person looks at it."""

import sys

from app.cli.output import plain


class ProgressLine:
    """A line that is written over itself; silent where standard error is no terminal."""

    def __init__(self, shown: bool | None = None) -> None:
        """Start with nothing; `shown` None: where standard error is a terminal."""
        self._shown = sys.stderr.isatty() if shown is None else shown
        self._width = 0

    def show(self, text: str) -> None:
        """Write it over what stood there."""
        if self._shown:
            sys.stderr.write(f"\r{plain(text).ljust(self._width)}")
            sys.stderr.flush()
            self._width = len(text)

    def clear(self) -> None:
        """Take it away, so that other lines can be written."""
        if self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            sys.stderr.flush()
            self._width = 0

    def end(self) -> None:
        """Leave it, and go on below."""
        if self._width:
            sys.stderr.write("\n")
            self._width = 0
