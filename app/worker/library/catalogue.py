"""What is searchable now: the vectors in memory and the documents of each scope."""

import logging
import threading
from collections.abc import Collection, Sequence

import numpy as np

from app.worker.library.chroma_cache import ChromaCache
from app.worker.library.database import Database
from app.worker.library.document_store import DocumentStore
from app.worker.library.embedding import Vectors
from app.worker.library.schema import ORDINAL_BITS, chunk_id
from app.worker.library.vectors import DenseHits, Scores, VectorMatrix

log = logging.getLogger(__name__)


class Catalogue:
    """Kept in step with the database by whoever commits; any thread.

    Attributes:
        matrix: all vectors of live documents of the current model.
        index: Chroma, or None.
        loaded: set when the vectors of the database are in memory.
    """

    def __init__(self, database: Database, documents: DocumentStore, dim: int) -> None:
        """Start empty; `load` fills it."""
        self._database, self._documents = database, documents
        self._lock = threading.Lock()
        self._scopes: dict[frozenset[int] | None, frozenset[int]] = {}
        self._version = 0
        self._gone: set[int] = set()
        self.matrix = VectorMatrix(dim)
        self.index: ChromaCache | None = None
        self.loaded = threading.Event()

    def load(self, model_id: int) -> None:
        """Read the vectors of all live documents. Runs once, before any vector is added."""
        try:
            for document_id in self._documents.live_ids():
                rows = self._database.rows(
                    "SELECT ordinal, vector FROM embeddings WHERE document_id = ? AND model_id = ?",
                    (document_id, model_id),
                )
                if rows:
                    array = np.frombuffer(b"".join(row[1] for row in rows), "<f2").astype(np.float32)
                    ids = [chunk_id(document_id, row[0]) for row in rows]
                    self.add_vectors(ids, array.reshape(len(ids), self.matrix.dim))
        finally:
            self.loaded.set()
        log.info("%d vectors are in memory", len(self.matrix))

    def add_vectors(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Take vectors that were committed just now; those of documents removed meanwhile are dropped."""
        with self._lock:
            kept = [i for i, value in enumerate(ids) if value >> ORDINAL_BITS not in self._gone]
            if kept:
                self.matrix.add([ids[i] for i in kept], vectors[kept])

    def nearest(
        self, query: Scores, limit: int, document_ids: Collection[int] | None, asked: Collection[int]
    ) -> DenseHits:
        """Give the nearest chunks, from the index where it is in use and in step, else by exact search."""
        if self.index is not None:
            found = self.index.search(query, limit, document_ids, asked)
            if found is not None:
                return found
        return self.matrix.search(query, limit, document_ids, asked)

    def changed(self) -> None:
        """Note that documents or locations were committed, moved or removed."""
        with self._lock:
            self._version += 1
            self._scopes.clear()

    def documents_removed(self, document_ids: Collection[int]) -> None:
        """Forget the vectors of documents that no location holds any more."""
        with self._lock:
            self._version += 1
            self._scopes.clear()
            self._gone.update(document_ids)  # ids are never used again
            self.matrix.remove_documents(document_ids)

    def documents_in(self, collection_ids: Collection[int] | None) -> frozenset[int]:
        """Give the documents of these collections (None: of all)."""
        key = None if collection_ids is None else frozenset(collection_ids)
        with self._lock:
            known, version = self._scopes.get(key), self._version
        if known is not None:
            return known
        found = frozenset(self._documents.documents_in(key))
        with self._lock:
            if version == self._version:
                self._scopes[key] = found
        return found

    def is_everything(self, document_ids: Collection[int]) -> bool:
        """Tell whether these are all documents that the indexes hold, so that no filter is needed."""
        return len(document_ids) == self._documents.n_indexed()
