"""Reading a model file into the system's file cache before the engine maps it.

The engine maps the file and lets the system fetch all of it in one call that can neither report progress nor
be stopped. Reading ahead can do both, and leaves that call nothing to wait for.
"""

import os
from collections.abc import Callable
from pathlib import Path

from app.worker.runtime import Cancelled

_STEP_BYTES = 8 * 1024 * 1024
_CAN_ASK_CACHE = hasattr(os, "preadv") and hasattr(os, "RWF_NOWAIT")


def read_ahead(path: Path, on_progress: Callable[[float], None], is_cancelled: Callable[[], bool]) -> None:
    """Read a file once; where the system can tell (Linux), parts that are in its cache are passed over.

    Raises:
        Cancelled: on request.
    """
    buffer = memoryview(bytearray(_STEP_BYTES))
    with path.open("rb", buffering=0) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        for at in range(0, n_bytes, _STEP_BYTES):
            if is_cancelled():
                raise Cancelled
            if not _is_cached(file.fileno(), at, min(at + _STEP_BYTES, n_bytes) - 1):
                file.seek(at)
                file.readinto(buffer)
            on_progress(min(at + _STEP_BYTES, n_bytes) / n_bytes)


def _is_cached(file_number: int, first: int, last: int) -> bool:
    """Tell from both ends whether a part of the file is in the cache."""
    if not _CAN_ASK_CACHE:
        return False
    byte = bytearray(1)
    try:
        return all(os.preadv(file_number, [byte], at, os.RWF_NOWAIT) == 1 for at in (first, last))
    except OSError:  # not there (EAGAIN), or a file system that cannot tell
        return False
