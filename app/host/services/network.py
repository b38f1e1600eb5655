"""The only module that opens connections to the world: it obeys the user's switch and keeps the ledger.

Only what the user starts may call it (downloads, update checks, remote models). Each attempt is written to
`network.jsonl` before the connection opens, and again with what went over it when it ends.
"""

import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from app.core.errors import AppError, UsageError
from app.core.paths import DataPaths

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TIMEOUT_S = 30.0


class NetworkError(AppError):
    """A connection that the user asked for was refused or failed."""


class Network:
    """Opens connections that the user started, on the record.

    Used from threads of the pool; calls block.
    """

    def __init__(self, ledger_path: Path, is_allowed: Callable[[], bool]) -> None:
        """Name the ledger and the switch that allows connections at all."""
        self._ledger_path, self._is_allowed = ledger_path, is_allowed

    @contextlib.contextmanager
    def open_url(self, url: str, why: str, headers: Mapping[str, str] | None = None) -> "Iterator[Download]":
        """Open a URL for reading, for as long as the context lasts.

        Args:
            url: `https`, or `http` to this computer.
            why: what the user started, for the ledger: `download of the model X`.
            headers: sent with the request.

        Raises:
            UsageError: `network.bad_url`.
            NetworkError: `network.off`, `network.failed`.
        """
        host = _checked_host(url)
        if not self._is_allowed():
            self._note(host, why, 0, "refused")
            raise NetworkError(
                "network.off", "Connections to the network are switched off.", "Allow them in the settings."
            )
        self._note(host, why, 0, "opened")
        request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310  # checked
        opener = urllib.request.build_opener(_CheckedRedirects)
        try:
            with opener.open(request, timeout=TIMEOUT_S) as response:
                download = Download(response)
                try:
                    yield download
                finally:
                    self._note(host, why, download.n_bytes, "closed")
        except (urllib.error.URLError, OSError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it is the server's answer as well
            self._note(host, why, 0, "failed")
            reason = getattr(error, "reason", error)
            raise NetworkError(
                "network.failed",
                f"The connection to {host} failed ({reason}).",
                "Check the connection and try again.",
            ) from error

    def _note(self, host: str, why: str, n_bytes: int, event: str) -> None:
        line = {"when": round(time.time(), 3), "host": host, "why": why, "bytes": n_bytes, "event": event}
        descriptor = os.open(self._ledger_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as ledger:
            ledger.write(json.dumps(line, ensure_ascii=False) + "\n")


class Download:
    """What is read from an open connection.

    Attributes:
        n_bytes: read so far.
    """

    def __init__(self, response: IO[bytes]) -> None:
        """Wrap a response."""
        self._response = response
        self.n_bytes = 0

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes; empty at the end."""
        data = self._response.read(size)
        self.n_bytes += len(data)
        return data


def network_of(paths: DataPaths, is_allowed: Callable[[], bool]) -> Network:
    """Give the network of a data folder."""
    return Network(paths.network_ledger_path, is_allowed)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where `open_url` itself would go."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Check the new address."""
        try:
            _checked_host(newurl)
        except UsageError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _checked_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme, host = "", ""
    if host and (scheme == "https" or (scheme == "http" and host in LOOPBACK)):
        return host
    raise UsageError("network.bad_url", "This is not an address that can be opened.")
