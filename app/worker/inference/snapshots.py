"""KV caches of conversations on the disk, so that a conversation opened again need not be read again.

One file holds one conversation as one model saw it:

    the engine's own state file (its tokens and KV cells, `llama_state_seq_save_file`)
    our head: JSON with what it belongs to and the prompt cache's marks
    trailer: length of the head, SHA-256 of all before it, magic

The engine trusts what it reads, so a file is given to it only after its digest was compared. Files are
written beside their place, flushed to the disk and renamed; they hold what the conversation says and are
readable by their owner alone.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from app.worker.inference.native_model import NativeContext
from app.worker.inference.prompt_cache import PromptCache

log = logging.getLogger(__name__)

MIN_TOKENS = 256
"""Fewer are read again about as fast as a file is written and checked."""

_VERSION = 1
_MAGIC = b"h2oKVcc1"
_TRAILER = struct.Struct("<Q32s8s")
_MAX_HEAD_BYTES = 64 * 1024 * 1024
_SPARE_BYTES = 256 * 1024 * 1024  # of the disk are left alone
_STEP_BYTES = 4 * 1024 * 1024
_SUFFIX, _TEMPORARY = ".kv", ".kv.part"


@dataclass(frozen=True)
class Snapshot:
    """A file that was found and whose head was read; its content is not checked yet."""

    path: Path
    cache: PromptCache


class SnapshotStore:
    """The snapshots of one model's conversations in a folder that it shares with other models. One thread."""

    def __init__(self, directory: Path, limit_bytes: int, model_key: str) -> None:
        """Take the folder, and remove what writers that died left there.

        Args:
            directory: made where it is missing.
            limit_bytes: of all files in it together.
            model_key: names everything that the content depends on.
        """
        self._directory, self._limit_bytes, self._model_key = directory, limit_bytes, model_key
        with contextlib.suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _remove_leftovers(directory)

    def path_of(self, conversation: str) -> Path:
        """Give where a conversation's file is."""
        return self._directory / f"{_digest(conversation)}-{self._model_key[:16]}{_SUFFIX}"

    # ------------------------------------------------------------------ write

    def save(self, conversation: str, context: NativeContext, cache: PromptCache) -> bool:
        """Write the cache of a conversation; False, with a line in the log, where that cannot be.

        It is no error of anything else: without a snapshot the conversation is read again.
        """
        path = self.path_of(conversation)
        part = path.with_name(f"{path.stem}-{os.getpid()}{_TEMPORARY}")
        try:
            if not self._make_room(context.state_bytes, path):
                return False
            self._write(part, conversation, context, cache)
            os.replace(part, path)  # noqa: PTH105
            _sync_directory(self._directory)
        except OSError as error:
            log.info("the conversation's state was not kept: %s", error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            return False
        return True

    def _make_room(self, n_bytes: int, path: Path) -> bool:
        """Delete the least recently used files until `n_bytes` fit beside the others."""
        free_bytes = shutil.disk_usage(self._directory).free
        if n_bytes > self._limit_bytes or n_bytes + _SPARE_BYTES > free_bytes:
            log.info("the conversation's state (%d bytes) is not kept: too little room", n_bytes)
            return False
        others = sorted(
            ((file.stat().st_mtime_ns, file.stat().st_size, file) for file in self._files() if file != path),
        )
        total = sum(size for _, size, _ in others)
        for _, size, file in others:
            if total + n_bytes <= self._limit_bytes:
                break
            file.unlink(missing_ok=True)
            total -= size
        return True

    def _files(self) -> list[Path]:
        return list(self._directory.glob(f"*{_SUFFIX}"))

    def _write(self, part: Path, conversation: str, context: NativeContext, cache: PromptCache) -> None:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # the engine keeps the mode
        n_state = context.save_state(part, cache.tokens)
        if not n_state or part.stat().st_size != n_state:
            raise OSError("the engine could not write all of it")
        head = json.dumps(self._head(conversation, n_state, cache)).encode()
        with part.open("r+b") as file:
            digest = _sha256(file, n_state)
            digest.update(head)
            file.seek(n_state)
            file.write(head + _TRAILER.pack(len(head), digest.digest(), _MAGIC))
            file.flush()
            os.fsync(file.fileno())

    def _head(self, conversation: str, n_state: int, cache: PromptCache) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "conversation": conversation,
            "model": self._model_key,
            "state_bytes": n_state,
            "cache": cache.to_json(),
        }

    # ------------------------------------------------------------------ read

    def find(self, conversation: str) -> Snapshot | None:
        """Give a conversation's snapshot, if there is one of this model; one that is damaged is deleted."""
        path = self.path_of(conversation)
        try:
            with path.open("rb") as file:
                head = _read_head(file)
            if head["version"] != _VERSION or head["model"] != self._model_key:
                raise ValueError("of another model")
            if head["conversation"] != conversation:
                raise ValueError("of another conversation")
            return Snapshot(path, PromptCache.from_json(head["cache"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._discard(path, error)
            return None

    def load(self, snapshot: Snapshot, context: NativeContext) -> bool:
        """Fill the empty context from a snapshot; False, and it is deleted, where it is damaged.

        The context may hold parts of it then: clear it.
        """
        path = snapshot.path
        try:
            with path.open("rb") as file:
                _check_digest(file)
            tokens = context.load_state(path, len(snapshot.cache.tokens))
            if tokens != snapshot.cache.tokens:
                raise ValueError("the engine does not take it")
            os.utime(path)  # used just now
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._discard(path, error)
            return False
        return True

    def _discard(self, path: Path, error: Exception) -> None:
        log.info("a kept conversation's state is of no use and is deleted: %s", error)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def forget_snapshots(directory: Path, conversation: str) -> None:
    """Delete a conversation's files of all models; of all conversations where it is empty.

    Raises:
        OSError: one cannot be deleted.
    """
    pattern = f"{_digest(conversation)}-*" if conversation else "*"
    for suffix in (_SUFFIX, _TEMPORARY):
        for path in directory.glob(f"{pattern}{suffix}"):
            path.unlink(missing_ok=True)


def _digest(conversation: str) -> str:
    return hashlib.sha256(conversation.encode()).hexdigest()[:32]


def _sha256(file: Any, n_bytes: int) -> Any:
    digest, left = hashlib.sha256(), n_bytes
    file.seek(0)
    while left:
        data = file.read(min(left, _STEP_BYTES))
        if not data:
            raise ValueError("it is shorter than it says")
        digest.update(data)
        left -= len(data)
    return digest


def _read_trailer(file: Any) -> tuple[int, int, bytes]:
    """Give where the head begins, its length and the digest of everything up to its end."""
    n_bytes = file.seek(0, os.SEEK_END)
    if n_bytes < _TRAILER.size:
        raise ValueError("it is too short")
    file.seek(n_bytes - _TRAILER.size)
    n_head, digest, magic = _TRAILER.unpack(file.read(_TRAILER.size))
    start = n_bytes - _TRAILER.size - n_head
    if magic != _MAGIC or start < 0 or n_head > _MAX_HEAD_BYTES:
        raise ValueError("it does not end as it should")
    return start, n_head, digest


def _read_head(file: Any) -> dict[str, Any]:
    start, n_head, _ = _read_trailer(file)
    file.seek(start)
    head = json.loads(file.read(n_head))
    if not isinstance(head, dict) or head.get("state_bytes") != start:
        raise ValueError("its parts do not fit")
    return head


def _check_digest(file: Any) -> None:
    start, n_head, digest = _read_trailer(file)
    if _sha256(file, start + n_head).digest() != digest:
        raise ValueError("its content was changed")


def _sync_directory(directory: Path) -> None:
    """Make a rename outlast a power cut, where the system can."""
    if os.name == "nt":
        return
    number = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _remove_leftovers(directory: Path) -> None:
    """Remove the temporary files of processes that are gone."""
    for path in directory.glob(f"*{_TEMPORARY}"):
        owner = path.name.removesuffix(_TEMPORARY).rpartition("-")[2]
        if not owner.isdigit() or int(owner) == os.getpid() or not psutil.pid_exists(int(owner)):
            path.unlink(missing_ok=True)
