"""Chroma as a cache of the vectors: kept in step when idle, checked, thrown away and rebuilt when in doubt.

The folder `index/` is used only while its manifest says that it holds exactly the vectors of library.db. A
marker stands in it while it is being opened, so a folder that took everything down with it is known at the
next start. What is found wrong is moved aside and built anew; after two failures exact search serves until
the next start.
"""

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from app.worker.library.index_client import IndexBroken, IndexClient
from app.worker.library.index_process import MAX_ADD
from app.worker.library.pace import INDEXING_STEPS, lower_priority
from app.worker.library.vectors import DenseHits, Ids, Scores, VectorMatrix

log = logging.getLogger(__name__)

MODES = ("auto", "chroma", "exact")
USE_ABOVE_CHUNKS = 200_000
"""With `auto`: below, exact search is fast enough and misses nothing."""
MAX_REBUILDS = 2
MIN_RECALL = 0.85
"""Share of probed vectors that must find themselves among their ten nearest."""
IDLE_S = 20.0
"""The library must have been idle for so long before the index is worked on."""
_FORMAT = 1
_N_PROBES = 40
_POLL_S = 1.0
_EXTRA = 4
"""Times the candidates asked for where only some documents count."""
_MANIFEST, _MARKER = "manifest.json", "opening"


class ChromaCache:
    """Keeps the folder in step with the vectors in memory and answers from it while it is.

    Attributes:
        trouble: why the index is not used for the rest of this run, in words; empty while all is well.
    """

    def __init__(
        self,
        directory: Path,
        matrix: VectorMatrix,
        model_name: str,
        *,
        mode: str,
        is_idle: Callable[[], bool],
        idle_s: float = IDLE_S,
    ) -> None:
        """Take the parts; `start` begins.

        Args:
            directory: `index/` in the data folder; made when first needed.
            matrix: the vectors that library.db holds.
            model_name: of the embedding model.
            mode: one of MODES; `chroma` uses the index for any number of chunks.
            is_idle: tells whether nothing more urgent runs.
            idle_s: how long that must have been so.
        """
        self._directory, self._matrix, self._model_name = directory, matrix, model_name
        self._mode, self._is_idle, self._idle_s = mode, is_idle, idle_s
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._client: IndexClient | None = None
        self._in_step_with = ""
        self._n_failures = 0
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="index-keeper", daemon=True)

    def start(self) -> None:
        """Begin to keep the folder in step."""
        if self._mode != "exact":
            self._thread.start()

    def stop(self) -> None:
        """Close the folder."""
        self._stopping.set()
        client = self._client
        if client is not None:
            client.kill()  # whatever it does is done again at the next start
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._close()

    @property
    def is_wanted(self) -> bool:
        """Whether searches are to use the index."""
        return self._mode == "chroma" or (self._mode == "auto" and len(self._matrix) > USE_ABOVE_CHUNKS)

    @property
    def is_ready(self) -> bool:
        """Whether the folder is open and holds what library.db holds."""
        client = self._client
        return client is not None and self._in_step_with == self._state()

    def search(
        self, query: Scores, limit: int, document_ids: Collection[int] | None, asked: Collection[int]
    ) -> DenseHits | None:
        """Give the nearest chunks as VectorMatrix.search does; None where exact search must serve."""
        client = self._client
        if client is None or not self.is_wanted or not self.is_ready:
            return None
        wanted = limit if document_ids is None else limit * _EXTRA
        try:
            (found,) = client.query(query[None, :], min(wanted, len(self._matrix)))
        except (IndexBroken, ValueError) as error:
            self._fail(f"a search failed: {error}")
            return None
        if document_ids is not None:
            allowed = frozenset(document_ids)
            found = [chunk for chunk in found if chunk >> 20 in allowed]
        if len(found) < min(limit, len(self._matrix)):
            return None  # too few in this scope: exact search finds them all
        ids = np.array(found[:limit], np.int64)
        scores = self._matrix.scores_of(query, ids)
        order = np.lexsort((ids, -scores))
        extra = self._matrix.scores_of(query, np.fromiter(asked, np.int64, len(asked)))
        return DenseHits(ids[order], scores[order], extra)

    def check(self) -> tuple[str, str]:
        """Give (`ok` or `warning`, detail) for the doctor."""
        if self.trouble:
            return "warning", self.trouble
        manifest = self._read_manifest()
        if manifest is None:
            return "ok", "The index is not built yet; exact search serves."
        held = manifest.get("state")
        step = "holds every vector" if held == self._state() else "is behind and is caught up when idle"
        use = "answers searches" if self.is_wanted and self.is_ready else "is not in use now"
        return "ok", f"The index {step} ({manifest.get('count', 0)} vectors) and {use}."

    def _run(self) -> None:
        lower_priority(INDEXING_STEPS)
        idle_since: float | None = None
        while not self._stopping.wait(min(_POLL_S, self._idle_s / 2)):
            if self.trouble or not self._is_idle() or not self._needs_work():
                idle_since = None
                continue
            idle_since = idle_since or time.monotonic()
            if time.monotonic() - idle_since >= self._idle_s:
                self._work()
                idle_since = None

    def _needs_work(self) -> bool:
        if self.is_wanted:
            return not self.is_ready
        if not len(self._matrix):
            return self._directory.is_dir()
        manifest = self._read_manifest()
        return manifest is None or manifest.get("state") != self._state()

    def _work(self) -> None:
        """Bring the folder in step; on any doubt throw it away and build it anew."""
        try:
            if not len(self._matrix):
                self._close()
                self._remove()
                return
            self._set_aside_if_suspect()
            self._sync()
            self._n_failures = 0
            shutil.rmtree(self._aside, ignore_errors=True)
        except KeyError:
            log.info("the library changed while the index was brought in step; it is tried again")
        except (IndexBroken, OSError, ValueError) as error:
            if not self._stopping.is_set():
                self._fail(str(error))
        finally:
            if not self.is_wanted or self._stopping.is_set():
                self._close()

    def _sync(self) -> None:
        client = self._open()
        state, ids = self._state(), self._matrix.chunk_ids()
        held = client.ids()
        gone, new = np.setdiff1d(held, ids), np.setdiff1d(ids, held)
        for part in _parts(gone):
            self._yield_or_stop()
            client.delete(part)
        for part in _parts(new):
            self._yield_or_stop()
            client.add(part, self._matrix.rows(part))
        self._probe(client, ids)
        if state != self._state():
            raise KeyError("the library changed meanwhile")
        self._write_manifest(state, len(ids))
        self._in_step_with = state
        log.info("the index holds %d vectors", len(ids))

    def _probe(self, client: IndexClient, ids: Ids) -> None:
        """Look up stored vectors: each must be found by itself.

        Raises:
            IndexBroken: too few are.
        """
        probes = np.random.default_rng(len(ids)).choice(ids, min(_N_PROBES, len(ids)), replace=False)
        found = client.query(self._matrix.rows(probes), min(10, len(ids)), timeout_s=30.0)
        hits = sum(int(probe) in row for probe, row in zip(probes.tolist(), found, strict=True))
        if hits < MIN_RECALL * len(probes):
            raise IndexBroken(f"only {hits} of {len(probes)} vectors were found by themselves")

    def _open(self) -> IndexClient:
        if self._client is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._directory / _MARKER).touch()
            self._client = IndexClient(self._directory)
            (self._directory / _MARKER).unlink(missing_ok=True)
        return self._client

    def _close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        self._in_step_with = ""
        if client is not None:
            client.close()

    def _set_aside_if_suspect(self) -> None:
        """Move a folder away that crashed its process, is of another format or model, or is not ours."""
        if self._client is not None or not self._directory.is_dir():
            return
        manifest = self._read_manifest()
        is_ours = manifest is not None and (manifest.get("format"), manifest.get("model")) == (
            _FORMAT,
            self._model_name,
        )
        if not is_ours or (self._directory / _MARKER).exists():
            log.info("the index folder is set aside and built anew")
            self._set_aside()

    @property
    def _aside(self) -> Path:
        return self._directory.with_name(f"{self._directory.name}.damaged")

    def _set_aside(self) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)
        self._directory.replace(self._aside)

    def _remove(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        shutil.rmtree(self._aside, ignore_errors=True)

    def _fail(self, why: str) -> None:
        """Throw the folder away; give up after the second time."""
        log.info("the index is built anew: %s", why)
        client = self._client
        if client is not None:
            client.kill()
        self._close()
        self._n_failures += 1
        if self._directory.is_dir():
            self._set_aside()
        if self._n_failures > MAX_REBUILDS:
            self.trouble = "The search index failed three times; exact search serves until the next start."

    def _yield_or_stop(self) -> None:
        """Wait while something more urgent runs.

        Raises:
            IndexBroken: the worker ends.
        """
        while not self._is_idle() and not self._stopping.is_set():
            self._stopping.wait(0.5)
        if self._stopping.is_set():
            raise IndexBroken("the worker ends")

    def _state(self) -> str:
        return f"{self._model_name} {self._matrix.fingerprint()}"

    def _read_manifest(self) -> dict[str, Any] | None:
        try:
            content = json.loads((self._directory / _MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def _write_manifest(self, state: str, count: int) -> None:
        content = {"format": _FORMAT, "model": self._model_name, "count": count, "state": state}
        temporary = self._directory / f"{_MANIFEST}.tmp"
        temporary.write_text(json.dumps(content), "utf-8")
        temporary.replace(self._directory / _MANIFEST)


def _parts(ids: Ids) -> list[Ids]:
    return [ids[first : first + MAX_ADD] for first in range(0, len(ids), MAX_ADD)]
