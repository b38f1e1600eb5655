"""Remember which steps are done, and redo one when what it was made from has changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


class Stamps:
    """Small files, one per finished step, each holding the hash of that step's inputs.

    A step that was killed has no stamp and runs again; a step whose inputs changed has another key.
    """

    def __init__(self, stamps_dir: Path) -> None:
        """Keep the stamps in ``stamps_dir``, which is made when the first one is written."""
        self._dir = stamps_dir

    def is_current(self, step: str, key: str) -> bool:
        """Return whether ``step`` finished with exactly these inputs."""
        try:
            return (self._dir / step).read_text(encoding="utf-8").strip() == key
        except OSError:
            return False

    def record(self, step: str, key: str) -> None:
        """Write down that ``step`` finished; the file appears whole or not at all."""
        self._dir.mkdir(parents=True, exist_ok=True)
        part_path = self._dir / f"{step}.part"
        part_path.write_text(key + "\n", encoding="utf-8")
        part_path.replace(self._dir / step)

    def forget(self, step: str) -> None:
        """Make ``step`` run again next time."""
        (self._dir / step).unlink(missing_ok=True)


def key_of(*inputs: object) -> str:
    """Return the hash of a step's inputs: file contents for paths, JSON for everything else.

    Raises:
        OSError: A path cannot be read.
    """
    digest = hashlib.sha256()
    for value in inputs:
        part = value.read_bytes() if isinstance(value, Path) else json.dumps(value, sort_keys=True).encode()
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()
