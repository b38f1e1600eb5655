"""Turn text into vectors: all-MiniLM-L6-v2 on ONNX Runtime, or any model of sentence-transformers."""

import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from app.core.errors import ModelError
from app.core.frozen import repair_hint
from app.core.paths import resources_dir, starter_models_dir

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]

MODEL_NAME = "all-MiniLM-L6-v2/int8"
DIM = 384
MAX_TOKENS = 256

# WORKAROUND(onnxruntime): it warns about every CPU detail that it cannot read inside containers; remove when
# it does so at the level "info". Errors still come as exceptions.
onnxruntime.set_default_logger_severity(3)


class Embedder(Protocol):
    """Makes vectors; any thread.

    Attributes:
        name: of the model and its precision; vectors of different names are never compared.
        dim: length of a vector.
    """

    name: str
    dim: int

    def embed(self, texts: Sequence[str], n_threads: int = 1) -> Vectors:
        """Give (len(texts), dim) float32, rows L2-normalised; run as one batch."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Give the number of tokens of each text, without the model's start and end marks."""

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        """Give the offsets in `text` at which pieces of at most `n_tokens` tokens end."""


class OnnxEmbedder:
    """The bundled model on ONNX Runtime; one session for each number of threads, made when first needed.

    Attributes:
        name: see Embedder.
        dim: see Embedder.
    """

    name = MODEL_NAME
    dim = DIM

    def __init__(self, model_dir: Path | None = None) -> None:
        """Load the tokenizer and one session (0.2 s).

        Args:
            model_dir: holds `model.int8.onnx` and `tokenizer.json`; None for the bundled one.

        Raises:
            ModelError: `embedding.missing` or `embedding.broken`.
        """
        directory = model_dir or starter_models_dir() / "embedding" / "all-MiniLM-L6-v2"
        self._model_path = directory / "model.int8.onnx"
        if not self._model_path.is_file() or not (directory / "tokenizer.json").is_file():
            raise ModelError(
                "embedding.missing",
                "The model that finds passages by meaning is not installed.",
                f"{repair_hint()} Until then search works by words.",
            )
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()
        try:
            self._counter = Tokenizer.from_file(str(directory / "tokenizer.json"))
            self._counter.no_padding()
            self._counter.no_truncation()
            self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(max_length=MAX_TOKENS)
            self._session(1)
        except Exception as error:  # both libraries raise bare Exception for a damaged file
            raise ModelError(
                "embedding.broken",
                "The model that finds passages by meaning cannot be loaded.",
                "Run `python3 scripts/fetch_models.py`; until then search works by words.",
            ) from error

    def embed(self, texts: Sequence[str], n_threads: int = 1) -> Vectors:
        """Give (len(texts), dim) float32, rows L2-normalised; run as one batch."""
        if not texts:
            return np.empty((0, DIM), np.float32)
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        width = max(len(item.ids) for item in encodings)
        ids = np.zeros((len(encodings), width), np.int64)
        mask = np.zeros_like(ids)
        for row, item in enumerate(encodings):
            ids[row, : len(item.ids)] = item.ids
            mask[row, : len(item.ids)] = 1
        outputs = self._session(n_threads).run(["embedding"], {"input_ids": ids, "attention_mask": mask})
        vectors: Vectors = outputs[0]
        return vectors

    def count(self, texts: Sequence[str]) -> list[int]:
        """Give the number of tokens of each text, without the model's start and end marks."""
        encodings = self._counter.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(item.ids) for item in encodings]

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        """Give the offsets in `text` at which pieces of at most `n_tokens` tokens end."""
        offsets = self._counter.encode(text, add_special_tokens=False).offsets
        cuts = [offsets[i][0] for i in range(n_tokens, len(offsets), n_tokens)]
        return [*(cut for cut in cuts if cut), len(text)]

    def _session(self, n_threads: int) -> onnxruntime.InferenceSession:
        with self._lock:
            if n_threads not in self._sessions:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = n_threads
                # Idle threads sleep instead of spinning: an answer may be streaming beside them.
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                self._sessions[n_threads] = onnxruntime.InferenceSession(
                    str(self._model_path), options, providers=["CPUExecutionProvider"]
                )
            return self._sessions[n_threads]


class TorchEmbedder:
    """Any model of sentence-transformers (extra `torch`); imported only when one is made.

    Attributes:
        name: see Embedder.
        dim: see Embedder.
    """

    def __init__(self, model_name_or_path: str, device: str = "cpu") -> None:
        """Load the model from disk; the hub is never asked.

        Raises:
            ModelError: `embedding.no_torch`, or `embedding.broken`.
        """
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as transformers_logging
        except ImportError as error:
            raise ModelError(
                "embedding.no_torch",
                "This embedding model needs the extra `torch`, which is not installed.",
                "Install it with `pip install h2ogpt-desktop[torch]`, or use the bundled model.",
            ) from error
        transformers_logging.disable_progress_bar()
        try:
            self._model: Any = SentenceTransformer(model_name_or_path, device=device, local_files_only=True)
        except (OSError, ValueError) as error:
            raise ModelError(
                "embedding.broken",
                "The embedding model cannot be loaded.",
                "Choose a folder that holds a sentence-transformers model, or use the bundled one.",
            ) from error
        self.name = f"{Path(model_name_or_path).name}/torch"
        self.dim = int(self._model.encode([""], show_progress_bar=False).shape[1])

    def embed(self, texts: Sequence[str], n_threads: int = 1) -> Vectors:
        """Give (len(texts), dim) float32, rows L2-normalised; `n_threads` is set for the whole process."""
        import torch

        if torch.get_num_threads() != n_threads:
            torch.set_num_threads(n_threads)
        vectors = self._model.encode(
            list(texts), batch_size=max(1, len(texts)), normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Give the number of tokens of each text, without the model's start and end marks."""
        rows = self._model.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [len(row) for row in rows]

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        """Give the offsets in `text` at which pieces of at most `n_tokens` tokens end."""
        encoding = self._model.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        offsets = encoding["offset_mapping"]
        cuts = [offsets[i][0] for i in range(n_tokens, len(offsets), n_tokens)]
        return [*(cut for cut in cuts if cut), len(text)]


def text_to_embed(title: str, heading: str, text: str) -> str:
    """Put the title and heading path before a chunk's text; stored offsets never count them."""
    parts = [part for part in (title, heading) if part]
    return f"{' › '.join(parts)}\n{text}" if parts else text


def read_reference() -> list[tuple[str, Vectors]]:
    """Give the stored (text, (384,) float32 vector) pairs that the bundled model must reproduce."""
    content = json.loads((resources_dir() / "embedding_reference.json").read_text(encoding="utf-8"))
    return [(row["text"], np.array(row["vector"], np.float32)) for row in content["rows"]]
