"""The child that holds Chroma open: `python -P -m app.worker index --directory DIR`.

Chroma has a process of its own, because a folder that a kill left half written can crash or hang whoever
opens it, and because it takes 80 MB before its first vector. It is only ever a cache: nothing is lost with
it.

Requests and replies are messages of `app.protocol.envelope`; vectors and ids travel as payload, little-endian
float32 and int64.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from app.protocol.envelope import Message, encode, read_message
from app.protocol.system import DONE, ERROR
from app.worker.library.without_telemetry import leave_out_telemetry
from app.worker.runtime import take_stdio

log = logging.getLogger(__name__)

COLLECTION = "chunks"
MAX_ADD = 5000
"""More in one call is refused by Chroma on some systems (SQLite's limit of variables)."""
_IDS_A_READ = 50_000
_HNSW = {"space": "cosine", "ef_construction": 150, "ef_search": 300, "max_neighbors": 16}
"""Source: with Chroma's own ef_search of 100 the recall was 0.93 over 100,000 vectors; design section 6."""


class IndexProcess:
    """Serves one Chroma folder until its input ends."""

    def __init__(self, directory: Path) -> None:
        """Open the folder.

        Raises:
            Exception: whatever Chroma raises for a damaged one.
        """
        leave_out_telemetry()
        import chromadb  # here, because it takes most of a second
        from chromadb.config import Settings

        settings = Settings(anonymized_telemetry=False, allow_reset=False, is_persistent=True)
        self._client = chromadb.PersistentClient(path=str(directory), settings=settings)
        self._collection: Any = self._client.get_or_create_collection(
            COLLECTION, embedding_function=None, configuration={"hnsw": _HNSW}
        )
        self._handlers: dict[str, Callable[[Message], Message]] = {
            "index.ids": self._ids,
            "index.add": self._add,
            "index.delete": self._delete,
            "index.query": self._query,
        }

    def count(self) -> int:
        """Give the number of vectors; a folder that is wedged already fails here."""
        return int(self._collection.count())

    def serve(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Answer each message in order; an exception becomes an error and ends the process."""
        while (message := read_message(source)) is not None:
            reply = self._handlers[message.type](message)
            sink.write(encode(Message(reply.type, reply.body, parent_id=message.id, payload=reply.payload)))
            sink.flush()

    def _ids(self, _message: Message) -> Message:
        found: list[int] = []
        while True:
            part = self._collection.get(include=[], limit=_IDS_A_READ, offset=len(found))["ids"]
            found += [int(value) for value in part]
            if len(part) < _IDS_A_READ:
                return Message(DONE, {}, payload=np.array(found, "<i8").tobytes())

    def _add(self, message: Message) -> Message:
        count = int(message.body["count"])
        ids = np.frombuffer(message.payload[: 8 * count], "<i8")
        vectors = np.frombuffer(message.payload[8 * count :], "<f4").reshape(count, -1)
        self._collection.upsert(ids=[str(value) for value in ids.tolist()], embeddings=vectors)
        return Message(DONE, {})

    def _delete(self, message: Message) -> Message:
        ids = np.frombuffer(message.payload, "<i8").tolist()
        self._collection.delete(ids=[str(value) for value in ids])
        return Message(DONE, {})

    def _query(self, message: Message) -> Message:
        vectors = np.frombuffer(message.payload, "<f4").reshape(int(message.body["count"]), -1)
        found = self._collection.query(
            query_embeddings=vectors, n_results=int(message.body["limit"]), include=[]
        )
        return Message(DONE, {"ids": [[int(value) for value in row] for row in found["ids"]]})


def main(arguments: list[str]) -> int:
    """Run the child; give the exit code."""
    parser = argparse.ArgumentParser(prog="index")
    parser.add_argument("--directory", type=Path, required=True)
    directory = parser.parse_args(arguments).directory
    source, sink = take_stdio()
    try:
        process = IndexProcess(directory)
        sink.write(encode(Message("index.opened", {"count": process.count()})))
        sink.flush()
        process.serve(source, sink)
    except (
        Exception
    ) as error:  # the border of a process: Chroma raises many kinds; the parent heals the folder
        log.warning("the index failed: %s: %s", type(error).__name__, error)
        sink.write(encode(Message(ERROR, {"kind": type(error).__name__})))
        sink.flush()
        return 1
    return 0
