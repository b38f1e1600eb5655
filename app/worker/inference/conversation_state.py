"""Whose conversation a model's context holds, and when its KV cache goes to the disk and comes back."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.errors import ModelError
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.native import lib
from app.worker.inference.prompt_cache import PromptCache
from app.worker.inference.snapshots import MIN_TOKENS, SnapshotStore

_HEAD_BYTES = 64 * 1024
_WORTH_LOADING = 64  # tokens more than the context holds already


class ConversationState:
    """Keeps the conversation that a context holds as a snapshot, at the right moments. The engine's thread.

    Without a folder for snapshots it does nothing.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        """Take the model."""
        self._loaded = loaded
        options = loaded.options
        self._store = (
            SnapshotStore(Path(options.snapshot_dir), options.snapshot_limit_bytes, model_key(loaded))
            if options.snapshot_dir and options.snapshot_limit_bytes > 0
            else None
        )
        self._owner = ""
        self._is_new = False

    def enter(self, conversation: str, n_reused: Callable[[PromptCache], int]) -> bool:
        """Prepare the context for a prompt of a conversation; True where its snapshot was loaded.

        Args:
            conversation: whose prompt comes; empty for none.
            n_reused: tells how many tokens of a cache the prompt would reuse.
        """
        if conversation != self._owner:
            self.save()
        restored = bool(self._store and conversation) and self._restore(conversation, n_reused)
        self._owner, self._is_new = conversation, True
        return restored

    def _restore(self, conversation: str, n_reused: Callable[[PromptCache], int]) -> bool:
        loaded, store = self._loaded, self._store
        snapshot = store.find(conversation) if store else None
        if not store or not snapshot:
            return False
        if n_reused(snapshot.cache) < n_reused(loaded.cache) + _WORTH_LOADING:
            return False
        loaded.context.clear()
        loaded.cache.clear()
        if not store.load(snapshot, loaded.context):
            loaded.context.clear()
            return False
        loaded.cache = snapshot.cache
        if loaded.reader is not None:
            loaded.reader.keep_first(0)
        return True

    def save(self) -> None:
        """Write the conversation that the context holds, if it is worth it and not written yet."""
        cache = self._loaded.cache
        if self._store is None or not self._owner or not self._is_new or len(cache.tokens) < MIN_TOKENS:
            return
        if cache.n_reusable < len(cache.tokens) or not cache.is_text:
            return  # what follows a dropped part is of use to this answer only; images are not in the file
        try:
            self._loaded.raise_if_changed()
        except ModelError:
            return  # made of weights that are not those any more
        self._is_new = False
        self._store.save(self._owner, self._loaded.context, cache)

    def forget(self, conversation: str) -> None:
        """Forget a conversation in memory (any, where it is empty), so that it is not written again."""
        if conversation in ("", self._owner):
            self._owner, self._is_new = "", False
            self._loaded.context.clear()
            self._loaded.cache.clear()
            if self._loaded.reader is not None:
                self._loaded.reader.keep_first(0)


def model_key(loaded: LoadedModel) -> str:
    """Name everything that decides what the cells of a KV cache hold and how they are laid out."""
    options, info = loaded.options, loaded.info
    parts: dict[str, Any] = {
        "files": [
            (path.name, stamp.size_bytes, stamp.modified_ns, _head_digest(path))
            for path, stamp in loaded.stamps.items()
        ],
        "loras": [(adapter.path, adapter.scale) for adapter in options.loras],
        "context": info.context_length,
        "kv_type": info.kv_type,
        "flash_attention": options.flash_attention,
        "device": info.device,
        "gpu_layers": info.n_gpu_layers,
        "engine": str(lib.__version__),
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _head_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(_HEAD_BYTES)).hexdigest()
