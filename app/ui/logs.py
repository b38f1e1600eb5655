"""The window's log: a small rotating file in the data folder; no user text."""

import logging
from logging.handlers import RotatingFileHandler

from app.core.paths import DataPaths

_MAX_BYTES = 500_000
_N_KEPT = 2


def start_log(paths: DataPaths) -> logging.Handler | None:
    """Write the log to `logs/window.log`; None where the folder is not there (the host makes it)."""
    if not paths.logs_dir.is_dir():
        return None
    try:
        handler = RotatingFileHandler(
            paths.logs_dir / "window.log",
            maxBytes=_MAX_BYTES,
            backupCount=_N_KEPT,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError:  # a full or read-only disk: the window works without a log
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return handler
