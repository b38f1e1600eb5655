"""The ledger of the network: what was opened, when, to where, why, and what went over it.

One JSON object a line in `network.jsonl`: a line before a connection opens, another when it ends, one for a
refusal. Past its size the file becomes `network.jsonl.1`, and the one before that is forgotten.
"""

import json
import os
import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.protocol.network import LedgerEntry

MAX_FILE_BYTES = 1_000_000
MAX_TEXT = 300
_BROKEN_OFF = "The program ended before the connection did."


@dataclass(frozen=True)
class Totals:
    """Sums over the whole ledger."""

    n_entries: int
    n_sent_bytes: int
    n_received_bytes: int


class Ledger:
    """Writes and reads the ledger's files. Any thread, one call at a time."""

    def __init__(self, path: Path, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        """Name the file; it is made with the first entry, readable by the user alone."""
        self._path, self._max_file_bytes = path, max_file_bytes
        self._older_path = path.with_name(f"{path.name}.1")

    def open_entry(self, host: str, why: str) -> tuple[str, LedgerEntry]:
        """Write that a connection is about to open; gives its key and entry.

        Raises:
            OSError: it cannot be written; then nothing may be opened.
        """
        key = secrets.token_hex(6)
        entry = LedgerEntry(when=round(time.time(), 3), host=_plain(host), why=_plain(why), outcome="open")
        self._write(key, entry)
        return key, entry

    def end_entry(self, key: str, entry: LedgerEntry) -> None:
        """Write how a connection ended.

        Raises:
            OSError: it cannot be written.
        """
        self._write(key, entry)

    def refuse(self, host: str, why: str) -> LedgerEntry:
        """Write that the switch refused a connection.

        Raises:
            OSError: it cannot be written.
        """
        when = round(time.time(), 3)
        entry = LedgerEntry(when=when, host=_plain(host), why=_plain(why), outcome="refused")
        self._write(secrets.token_hex(6), entry)
        return entry

    def read(self, open_keys: frozenset[str] = frozenset()) -> list[LedgerEntry]:
        """Give the entries, the oldest first; one that never ended and is not open was broken off."""
        entries: dict[str, LedgerEntry] = {}
        for path in (self._older_path, self._path):
            try:
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            for line in lines:
                _take(line, entries)
        return [
            replace(entry, outcome="failed", detail=_BROKEN_OFF)
            if entry.outcome == "open" and key not in open_keys
            else entry
            for key, entry in entries.items()
        ]

    def clear(self) -> None:
        """Forget every entry.

        Raises:
            OSError: the files cannot be removed.
        """
        for path in (self._path, self._older_path):
            path.unlink(missing_ok=True)

    def _write(self, key: str, entry: LedgerEntry) -> None:
        line = {
            "key": key,
            "when": entry.when,
            "host": entry.host,
            "why": entry.why,
            "outcome": entry.outcome,
            "sent": entry.n_sent_bytes,
            "received": entry.n_received_bytes,
            "seconds": entry.seconds,
            "detail": entry.detail,
        }
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            size = file.tell()
        if size > self._max_file_bytes:
            self._path.replace(self._older_path)


def totals(entries: list[LedgerEntry]) -> Totals:
    """Add up entries."""
    return Totals(
        len(entries),
        sum(entry.n_sent_bytes for entry in entries),
        sum(entry.n_received_bytes for entry in entries),
    )


def _take(line: str, entries: dict[str, LedgerEntry]) -> None:
    """Read one line; one that a crash cut, or that somebody wrote into the file, is passed over."""
    try:
        value: Any = json.loads(line)
        key = str(value["key"])
        seconds = value.get("seconds")
        entry = LedgerEntry(
            when=float(value["when"]),
            host=str(value["host"]),
            why=str(value["why"]),
            outcome=str(value["outcome"]),
            n_sent_bytes=int(value.get("sent", 0)),
            n_received_bytes=int(value.get("received", 0)),
            seconds=None if seconds is None else float(seconds),
            detail=str(value.get("detail", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return
    entries[key] = entry


def _plain(text: str) -> str:
    """Make one printable line of a text that may come from the hub."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:MAX_TEXT]
