"""Whether a whole file is the one that the hub names, read back from the disk."""

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from app.core.errors import ModelError
from app.core.gguf import read_head
from app.host.services.download_store import Record
from app.host.services.network import NetworkError

BLOCK_BYTES = 4 * 1024 * 1024
_NO_MODEL = frozenset({"model.not_gguf", "model.damaged", "model.truncated"})


class Stopped(Exception):  # noqa: N818  # an outcome, not a fault
    """The check was broken off."""


def check_bytes(
    path: Path, record: Record, stop: threading.Event, on_progress: Callable[[int], None]
) -> None:
    """Read the whole file and compare its checksum with the hub's. A thread of the pool.

    hashlib lets other threads run meanwhile. The file is on the disk for good when this returns.

    Raises:
        NetworkError: `download.bad_checksum`.
        Stopped: `stop` was set.
        OSError: it cannot be read.
    """
    if record.sha256:
        digest, wanted = hashlib.sha256(), record.sha256
    else:  # Source: git's object format, `blob SIZE\\0` and the content
        digest, wanted = hashlib.sha1(usedforsecurity=False), record.git_sha1
        digest.update(f"blob {record.size_bytes}\0".encode())
    n_bytes = 0
    with path.open("r+b") as file:
        os.fsync(file.fileno())
        while block := file.read(BLOCK_BYTES):
            if stop.is_set():
                raise Stopped
            digest.update(block)
            n_bytes += len(block)
            on_progress(n_bytes)
    if n_bytes != record.size_bytes or digest.hexdigest() != wanted:
        raise NetworkError(
            "download.bad_checksum",
            f"“{record.name}” did not arrive as it is on the hub: its checksum is another.",
            "What came was deleted. Try again; if it happens again, choose another address of the hub in the "
            "settings.",
            {"size_bytes": n_bytes},
        )


def check_model(path: Path, record: Record) -> None:
    """Make sure that a GGUF file is a model; one of a kind too new for this program passes.

    Raises:
        ModelError: `download.not_a_model`.
    """
    if not record.name.casefold().endswith(".gguf"):
        return
    try:
        read_head(path)
    except ModelError as error:
        if error.code in _NO_MODEL:
            raise ModelError(
                "download.not_a_model",
                f"“{record.name}” came as it is on the hub, but it is no model that can be used.",
                "It was deleted. Choose another file or another repository.",
                {"reason": error.code},
            ) from error
