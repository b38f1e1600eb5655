"""Opening a model file to look at its head, with words for a file that cannot be had."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.core.errors import ModelError

_BUFFER_BYTES = 1024 * 1024


@contextmanager
def opened(path: Path, no_file: ModelError) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file and give it with its size in bytes; blocks for disk work.

    Args:
        path: of the file.
        no_file: raised for what is no regular file.

    Raises:
        ModelError: `model.not_found`, `model.unreadable` (also for what is read while the context lasts).
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # a FIFO would block open()
            raise no_file
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            yield file, os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise ModelError(
            "model.not_found",
            f"The model file “{path.name}” is not there any more.",
            "Put it back, or choose another model.",
        ) from error
    except OSError as error:
        raise ModelError(
            "model.unreadable",
            f"The model file “{path.name}” cannot be read: {error.strerror or type(error).__name__}.",
            "Check that you may read the file and that its drive is connected.",
            {"errno": error.errno},
        ) from error
