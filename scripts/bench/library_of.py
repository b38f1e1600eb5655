"""Put texts into a real library without files or processes: the same chunker, store, vectors and search."""

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.worker.library.catalogue import Catalogue
from app.worker.library.chunking import chunk_document
from app.worker.library.database import Database
from app.worker.library.document_store import DocumentStore
from app.worker.library.embedding import Embedder, OnnxEmbedder, Vectors
from app.worker.library.new_document import NewDocument
from app.worker.library.pace import Pace, available_cores
from app.worker.library.schema import MIGRATIONS
from app.worker.library.search import SearchEngine
from app.worker.library.vectorizing import Vectorizer
from app.worker.parser.result import Parsed
from scripts.bench.corpora import Text


class RememberingEmbedder:
    """Gives a text's vector again without working it out again, for runs that build many libraries.

    Attributes:
        name: see Embedder.
        dim: see Embedder.
    """

    def __init__(self, embedder: Embedder) -> None:
        """Take the embedder that does the work."""
        self._embedder = embedder
        self.name, self.dim = embedder.name, embedder.dim
        self._vectors: dict[str, Vectors] = {}

    def embed(self, texts: Sequence[str], n_threads: int = 1) -> Vectors:
        """Give (len(texts), dim) float32."""
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            self._vectors.update(zip(new, self._embedder.embed(new, n_threads), strict=True))
        return np.stack([self._vectors[text] for text in texts])

    def count(self, texts: Sequence[str]) -> list[int]:
        """Give the number of tokens of each text."""
        return self._embedder.count(texts)

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        """Give the offsets at which pieces of at most `n_tokens` tokens end."""
        return self._embedder.cuts(text, n_tokens)


class TextLibrary:
    """A library over texts in a temporary folder; use as a context manager.

    Attributes:
        engine: its search.
        key_of: the text's key by document id.
        ids: the document id by the text's key.
        n_chunks: chunks of all texts.
    """

    def __init__(self, texts: Iterable[Text], embedder: Embedder | None = None) -> None:
        """Store, cut and embed all texts."""
        self._dir = Path(tempfile.mkdtemp(prefix="bench-library-"))
        self.database = Database(self._dir / "library.db", MIGRATIONS, self._dir / "backups")
        self.embedder = embedder or OnnxEmbedder()
        self.documents = DocumentStore(self.database)
        self.catalogue = Catalogue(self.database, self.documents, self.embedder.dim)
        self.engine = SearchEngine(self.database, self.documents, self.catalogue, self.embedder)
        self.ids: dict[str, int] = {}
        self._store(texts)
        self._embed()
        self.key_of = {document_id: key for key, document_id in self.ids.items()}
        self.n_chunks = self.documents.totals()[1]

    def __enter__(self) -> "TextLibrary":
        """Give the library."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete it."""
        self.database.close()
        shutil.rmtree(self._dir, ignore_errors=True)

    def _store(self, texts: Iterable[Text]) -> None:
        for text in texts:
            parsed = Parsed(text.text, "text", text.title, "bench")
            digest = hashlib.sha256(f"{text.key}\n{text.text}".encode()).digest()
            new = NewDocument(digest, parsed, chunk_document(parsed, self.embedder), 0.0)
            with self.database.write(durable=False):
                document_id = self.documents.store(new, threading.Event(), lambda *_: True)
            assert document_id is not None
            self.ids[text.key] = document_id

    def _embed(self) -> None:
        with self.database.write(durable=False) as connection:
            connection.execute("INSERT INTO models VALUES (1, ?, ?)", (self.embedder.name, self.embedder.dim))
        done = threading.Event()
        self.catalogue.loaded.set()
        vectorizer = Vectorizer(
            self.database,
            self.documents,
            self.catalogue,
            Pace(available_cores()),
            model_id=1,
            embedder=self.embedder,
            finished=lambda _ids: None,
            progressed=lambda _ids: done.set() if self._complete() else None,
            trouble=lambda error: print(f"trouble: {error}"),
        )
        vectorizer.start()
        done.wait()
        vectorizer.stop()

    def _complete(self) -> bool:
        _, n_chunks, n_embedded = self.documents.totals()
        return n_embedded == n_chunks
