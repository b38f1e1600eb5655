"""Whether the files of a loaded model are still the ones that were loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import ModelError


@dataclass(frozen=True)
class FileStamp:
    """What tells that a file is still the one that was loaded."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileStamp":
        """Read it; raises OSError."""
        status = os.stat(path)  # noqa: PTH116
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def raise_if_changed(stamps: Mapping[Path, FileStamp]) -> None:
    """Check files that may be memory-mapped: one that was overwritten gives garbage without an error.

    Raises:
        ModelError: `model.changed`.
    """
    for path, stamp in stamps.items():
        try:
            same = FileStamp.of(path) == stamp
        except OSError:
            same = False
        if not same:
            raise ModelError(
                "model.changed",
                f"The model file “{path.name}” was changed or removed while the model was in use.",
                "Load the model again, or choose another one.",
            )
