"""A model hub on this computer that misbehaves on demand: its API on one port, its storage on another.

It speaks the paths of the hub that the program uses (search, files of a repository, `resolve` with a redirect
to the storage), and records every request with its headers. A fault is set for each repository and counts
down.

Started as a program it serves until it is ended: `python -m scripts.faults.hub_stand_in FILE…`.
"""

import argparse
import gzip
import hashlib
import http.server
import json
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
CHUNK = 16_384
MAX_RANDOM_BYTES = 64_000_000  # larger files repeat themselves


def gguf_bytes(n_bytes: int, seed: int = 0) -> bytes:
    """Make a well-formed GGUF file of about a size, with one tensor of random weights."""
    n_weights = max(32, n_bytes // 4)

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head += text("token_embd.weight") + struct.pack("<IQIQ", 1, n_weights, 0, 0)
    head += b"\0" * (-len(head) % 32)
    block = random.Random(seed).randbytes(min(n_weights * 4, MAX_RANDOM_BYTES))
    return (head + block * (n_weights * 4 // len(block) + 1))[: len(head) + n_weights * 4]


@dataclass
class Fault:
    """What goes wrong with a repository.

    Attributes:
        kind: name of a fault; see `Storage` and `Api`.
        left: how many requests it still meets; -1: all.
        after: bytes of the body that come before it, for those that strike within.
    """

    kind: str
    left: int = -1
    after: int = 0


@dataclass
class Repository:
    """A repository and what is wrong with it."""

    name: str
    files: dict[str, bytes]
    fault: Fault = field(default_factory=lambda: Fault("none"))
    gated: bool = False
    card: dict[str, Any] = field(default_factory=lambda: {"license": "apache-2.0"})
    seconds: float = 0.0

    def struck(self, *kinds: str) -> str:
        """Take one stroke of the fault if it is one of these; empty if not."""
        if self.fault.kind not in kinds or self.fault.left == 0:
            return ""
        self.fault.left -= self.fault.left > 0
        return self.fault.kind


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    server: str
    path: str
    headers: dict[str, str]


class HubStandIn:
    """Two servers on the loopback: the hub, and the storage that it redirects to.

    Attributes:
        requests: all that came, in order.
        token: wanted for gated repositories.
    """

    def __init__(self) -> None:
        """Bind the ports; `start` serves."""
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Seen] = []
        self.token = "hf_canary_0123456789"  # noqa: S105  # of the stand-in
        self.ending = threading.Event()
        self._servers = [_Server(_Api, self), _Server(_Storage, self)]
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,)) for server in self._servers
        ]

    @property
    def endpoint(self) -> str:
        """Address of the hub."""
        return f"http://127.0.0.1:{self._servers[0].server_address[1]}"

    @property
    def storage(self) -> str:
        """Address of the storage, under another name of this computer."""
        return f"http://localhost:{self._servers[1].server_address[1]}"

    def add(
        self, name: str, files: dict[str, bytes], fault: Fault | None = None, **values: Any
    ) -> Repository:
        """Add a repository."""
        repository = Repository(name, files, fault or Fault("none"), **values)
        self.repositories[name] = repository
        return repository

    def __enter__(self) -> Self:
        """Serve."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every answer and stop."""
        self.ending.set()
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, handler: "type[_Handler]", hub: HubStandIn) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that leave are part of the game."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    title = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Record the request and answer it."""
        self.close_connection = True
        self.hub.requests.append(Seen(self.title, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.answer()

    @property
    def hub(self) -> HubStandIn:
        """The stand-in."""
        return self.server.hub

    def answer(self) -> None:
        """Answer the request."""
        raise NotImplementedError

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send a whole answer; header names with underscores for hyphens."""
        self.send_response(status)
        values = {"Content_Length": str(len(body))} | headers
        for name, value in values.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.send_header("Set-Cookie", "track=me; Path=/")
        self.end_headers()
        self.wfile.write(body)

    def hang(self, seconds: float = 60.0) -> None:
        """Send nothing for a while."""
        self.wfile.flush()
        self.hub.ending.wait(seconds)

    def drip(self, data: bytes) -> None:
        """Send a byte now and then, so that the connection is never silent."""
        for at in range(len(data)):
            self.wfile.write(data[at : at + 1])
            self.wfile.flush()
            if self.hub.ending.wait(0.05):
                return

    def reset(self) -> None:
        """Break the connection off with a reset."""
        self.wfile.flush()
        time.sleep(0.05)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class _Api(_Handler):
    title = "hub"

    def answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if path == "/api/models":
            self._search(parse_qs(parts.query))
        elif path.startswith("/api/models/"):
            self._repository(path.removeprefix("/api/models/").partition("/revision/")[0])
        elif "/resolve/" in path:
            name, _, rest = path.lstrip("/").partition("/resolve/")
            self._resolve(name, rest.partition("/")[2])
        else:
            self.reply(404)

    def _search(self, query: dict[str, list[str]]) -> None:
        text = query.get("search", [""])[0].casefold()
        found = [item for item in self.hub.repositories.values() if text in item.name.casefold()]
        limit = int(query.get("limit", ["10"])[0])
        for repository in found:
            if self._api_fault(repository):
                return
        values = [self._described(item) for item in found[:limit]]
        self.reply(200, json.dumps(values).encode(), Content_Type="application/json")

    def _described(self, item: Repository) -> dict[str, Any]:
        return {
            "id": item.name,
            "modelId": item.name,
            "downloads": 1234,
            "gated": "manual" if item.gated else False,
            "cardData": item.card,
            "tags": ["gguf", "region:us"],
            "gguf": {"total": 134_515_008, "architecture": "llama", "context_length": 2048},
        }

    def _repository(self, name: str) -> None:
        item = self.hub.repositories.get(name)
        if item is None:
            self.reply(401, b"{}", X_Error_Code="RepoNotFound")
            return
        if self._api_fault(item) or self._refused(item):
            return
        value = self._described(item) | {"sha": REVISION, "siblings": self._siblings(item)}
        if item.struck("api_no_commit"):
            value["sha"] = "main"
        self.reply(200, json.dumps(value).encode(), Content_Type="application/json")

    def _siblings(self, item: Repository) -> list[dict[str, Any]]:
        siblings: list[dict[str, Any]] = []
        for path, data in item.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            value: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": blob}
            if path.endswith((".gguf", ".bin")):
                sha256 = hashlib.sha256(data).hexdigest()
                value["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
            siblings.append(value)
        if item.struck("missing_sha256"):
            for value in siblings:
                value.pop("lfs", None)
                value.pop("blobId", None)
        lies = {
            "wrong_sha256": {"sha256": "ab" * 32},
            "odd_sha256": {"sha256": "../../evil"},
            "huge_size": {"size": 2**43},
        }
        if kind := item.struck(*lies):
            for value in siblings:
                value["lfs"] = value["lfs"] | lies[kind]
        return siblings

    def _refused(self, item: Repository) -> bool:
        if not item.gated or self.headers.get("Authorization") == f"Bearer {self.hub.token}":
            return False
        self.reply(403 if self.headers.get("Authorization") else 401, b"{}", X_Error_Code="GatedRepo")
        return True

    def _api_fault(self, item: Repository) -> bool:
        """Answer with a fault of the API; False where it has none."""
        statuses = {
            "api_404": 404,
            "api_401": 401,
            "api_403": 403,
            "api_429": 429,
            "api_500": 500,
            "api_503": 503,
        }
        bodies = {
            "api_html": b"<html>log in</html>",
            "api_list": b"[1, 2]",
            "api_deep": b"[" * 100_000,
            "api_binary": bytes(range(256)),
        }
        if kind := item.struck(*statuses):
            self.reply(statuses[kind], b"{}", Retry_After="7" if kind == "api_429" else "")
        elif kind := item.struck(*bodies):
            self.reply(200, bodies[kind])
        elif item.struck("api_reset"):
            self.reset()
        elif item.struck("api_drip"):
            self.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[" + b" " * 99_999)
        else:
            return False
        return True

    def _resolve(self, name: str, path: str) -> None:
        item = self.hub.repositories.get(name)
        if item is None or path not in item.files:
            self.reply(404, X_Error_Code="EntryNotFound")
        elif not self._refused(item) and not self._resolve_fault(item):
            self._redirect(f"{self.hub.storage}/{quote(name)}/{quote(path)}?X-Signed=1", item.files[path])

    def _redirect(self, location: str, data: bytes = b"") -> None:
        self.reply(
            302,
            Location=location,
            X_Repo_Commit=REVISION,
            X_Linked_Size=str(len(data)),
            X_Linked_ETag=f'"{hashlib.sha256(data).hexdigest()}"',
        )

    def _resolve_fault(self, item: Repository) -> bool:
        places = {
            "redirect_loop": self.path,
            "redirect_to_http": "http://example.org/model.gguf",
            "redirect_to_file": "file:///etc/passwd",
            "redirect_to_ftp": "ftp://127.0.0.1/model.gguf",
            "redirect_to_nonsense": "http://[",
            "redirect_with_password": "http://me:secret@127.0.0.1:9/x",
            "redirect_to_share": "\\\\server\\share\\model.gguf",
            "redirect_to_nobody": "http://127.0.0.1:9/model.gguf",
        }
        statuses = {"file_404": 404, "file_401": 401, "file_403": 403, "hub_500": 500, "hub_429": 429}
        if kind := item.struck(*places):
            self._redirect(places[kind])
        elif kind := item.struck(*statuses):
            self.reply(statuses[kind], b"{}")
        elif item.struck("redirect_to_nowhere"):
            self.reply(302)
        else:
            return False
        return True


class _Storage(_Handler):
    title = "storage"
    rest = b""

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        name = "/".join(path.split("/")[:2])
        item = self.hub.repositories.get(name)
        data = item.files.get(path.removeprefix(f"{name}/")) if item else None
        if item is None or data is None:
            self.reply(404)
            return
        fault = getattr(self, f"_fault_{item.fault.kind}", None)
        if fault is not None and item.struck(item.fault.kind):
            fault(item, data)
        else:
            self.send_file(item, data)

    def send_file(
        self,
        item: Repository,
        data: bytes,
        *,
        etag: str = "",
        claimed: int | None = None,
        whole: bool = False,
        headers: dict[str, str] | None = None,
        cut: Callable[[], None] | None = None,
    ) -> None:
        """Send the part that was asked for, or a version of it that lies.

        Args:
            item: the repository.
            data: the whole file.
            etag: of this version.
            claimed: Content-Length, if it is to be wrong.
            whole: ignore the range.
            headers: in place of the true ones; an empty one is left out.
            cut: is called after `item.fault.after` bytes in place of the rest.
        """
        etag = etag or f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        start = 0 if whole else self._wanted_start(etag)
        if start is None or start > len(data):
            self.reply(416, Content_Range=f"bytes */{len(data)}")
            return
        body = data[start:]
        values = {"Content-Length": str(len(body) if claimed is None else claimed), "ETag": etag}
        values |= {"Content-Type": "application/octet-stream"}
        if start:
            values["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.send_response(206 if start else 200)
        for name, value in (values | (headers or {})).items():
            if value:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.send_header("Set-Cookie", "track=me")
        self.end_headers()
        self._send_body(item, body, cut)

    def _wanted_start(self, etag: str) -> int | None:
        wanted = self.headers.get("Range", "")
        if not wanted or self.headers.get("If-Range", etag) != etag:
            return 0
        return int(wanted.removeprefix("bytes=").split("-")[0])

    def _send_body(self, item: Repository, body: bytes, cut: Callable[[], None] | None) -> None:
        if cut is not None:
            self.wfile.write(body[: item.fault.after])
            self.wfile.flush()
            self.rest = body[item.fault.after :]
            cut()
            return
        pause = item.seconds * CHUNK / max(1, len(body))
        for at in range(0, len(body), CHUNK):
            self.wfile.write(body[at : at + CHUNK])
            if pause and self.hub.ending.wait(pause):
                return

    def _fault_flipped_byte(self, item: Repository, data: bytes) -> None:
        at = len(data) // 2
        self.send_file(item, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], etag='"the same"')

    def _fault_flipped_first_byte(self, item: Repository, data: bytes) -> None:
        self.send_file(item, bytes([data[0] ^ 1]) + data[1:])

    def _fault_zeros(self, item: Repository, data: bytes) -> None:
        self.send_file(item, b"\0" * len(data))

    def _fault_short_body(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data, cut=lambda: None)

    def _fault_reset(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data, cut=self.reset)

    def _fault_stall(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data, cut=self.hang)

    def _fault_stall_at_once(self, item: Repository, data: bytes) -> None:
        self.hang()

    def _fault_drip(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data, cut=lambda: self.drip(self.rest))

    def _fault_drip_head(self, item: Repository, data: bytes) -> None:
        self.drip(b"HTTP/1.1 200 OK\r\nX-Pad: " + b"a" * 10_000)

    def _fault_early_hints(self, item: Repository, data: bytes) -> None:
        """Promise an answer for ever."""
        while not self.hub.ending.wait(0.05):
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            self.wfile.flush()

    def _fault_odd_etag(self, item: Repository, data: bytes) -> None:
        """A mark that cannot be sent back."""
        self._marked(item, data, '"\xe9\xff"')

    def _fault_long_etag(self, item: Repository, data: bytes) -> None:
        """A mark so long that the server refuses to hear it again."""
        self._marked(item, data, f'"{"e" * 60_000}"')

    def _marked(self, item: Repository, data: bytes, etag: str) -> None:
        self.send_file(item, data, headers={"ETag": etag}, cut=lambda: None)

    def _fault_wrong_range(self, item: Repository, data: bytes) -> None:
        self._ranged(item, data, start=7)

    def _fault_wrong_total(self, item: Repository, data: bytes) -> None:
        self._ranged(item, data, total=len(data) + 5)

    def _fault_no_range(self, item: Repository, data: bytes) -> None:
        self._ranged(item, data, header="")

    def _fault_nonsense_range(self, item: Repository, data: bytes) -> None:
        self._ranged(item, data, header="bytes lots/many")

    def _ranged(
        self,
        item: Repository,
        data: bytes,
        start: int | None = None,
        total: int = 0,
        header: str | None = None,
    ) -> None:
        """Answer a range with a wrong one; the first connection only gets half, so that there is a range."""
        wanted = self.headers.get("Range", "")
        if not wanted:
            item.fault.left += item.fault.left >= 0
            self.send_file(item, data, cut=lambda: None)
            return
        at = int(wanted.removeprefix("bytes=").split("-")[0]) if start is None else start
        true = f"bytes {at}-{len(data) - 1}/{total or len(data)}"
        self.send_response(206)
        if header != "":
            self.send_header("Content-Range", header or true)
        self.send_header("Content-Length", str(len(data) - at))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data[at:])

    def _fault_whole_for_part(self, item: Repository, data: bytes) -> None:
        wanted = self.headers.get("Range", "")
        self.send_file(item, data, whole=True, cut=None if wanted else lambda: None)

    def _fault_range_refused(self, item: Repository, data: bytes) -> None:
        if self.headers.get("Range"):
            self.reply(416, Content_Range=f"bytes */{len(data)}")
        else:
            item.fault.left += item.fault.left >= 0
            self.send_file(item, data, cut=lambda: None)

    def _fault_changed_etag(self, item: Repository, data: bytes) -> None:
        """The first half comes from another version of the file with another mark."""
        other = bytes(byte ^ 0xFF for byte in data[: item.fault.after]) + data[item.fault.after :]
        self.send_file(item, other, etag='"version 1"', cut=lambda: None)

    def _fault_changed_quietly(self, item: Repository, data: bytes) -> None:
        """As before, but the server has no marks at all, so that only the checksum tells."""
        other = bytes(byte ^ 0xFF for byte in data[: item.fault.after]) + data[item.fault.after :]
        item.fault.left = 0
        self.send_file(item, other, headers={"ETag": ""}, cut=lambda: None)

    def _fault_if_range_ignored(self, item: Repository, data: bytes) -> None:
        if not self.headers.get("Range"):
            item.fault.left += item.fault.left >= 0
            self.send_file(item, data, etag='"version 1"', cut=lambda: None)
            return
        del self.headers["If-Range"]
        self.send_file(item, data, etag='"version 2"')

    def _fault_larger(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data + b"more", whole=True)

    def _fault_smaller(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data[:-100], whole=True)

    def _fault_longer_than_said(self, item: Repository, data: bytes) -> None:
        """No length, and more than the hub names."""
        self.send_file(item, data + b"more", whole=True, headers={"Content-Length": ""})

    def _fault_shorter_than_said(self, item: Repository, data: bytes) -> None:
        """No length, and less than the hub names: an end that looks right."""
        self.send_file(item, data[:-100], whole=True, headers={"Content-Length": ""})

    def _fault_endless(self, item: Repository, data: bytes) -> None:
        def pour() -> None:
            while not self.hub.ending.is_set():
                self.wfile.write(b"\0" * CHUNK)

        self.send_file(item, data, whole=True, headers={"Content-Length": ""}, cut=pour)

    def _fault_length_too_large(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data, claimed=len(data) + 1000)

    def _fault_length_too_small(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data, claimed=len(data) - 1000)

    def _fault_length_nonsense(self, item: Repository, data: bytes) -> None:
        self.send_file(item, data, headers={"Content-Length": "many"})

    def _fault_gzip(self, item: Repository, data: bytes) -> None:
        packed = gzip.compress(data, 1)
        self.reply(200, packed, Content_Encoding="gzip", ETag='"packed"')

    def _fault_html(self, item: Repository, data: bytes) -> None:
        self.reply(200, b"<html>Please log in</html>", Content_Type="text/html; charset=utf-8")

    def _fault_html_of_right_size(self, item: Repository, data: bytes) -> None:
        self.reply(200, b"<html>".ljust(len(data)), Content_Type="application/octet-stream")

    def _fault_empty(self, item: Repository, data: bytes) -> None:
        self.reply(200)

    def _fault_nothing(self, item: Repository, data: bytes) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def _fault_garbage(self, item: Repository, data: bytes) -> None:
        self.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")

    def _fault_many_headers(self, item: Repository, data: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-Pad: " + b"a" * 200_000 + b"\r\n\r\n")

    def _status(self, status: int, **headers: str) -> None:
        self.reply(status, b"trouble" if status != 204 else b"", **headers)

    def _fault_status_204(self, item: Repository, data: bytes) -> None:
        self._status(204, Content_Length="")

    def _fault_status_206_unasked(self, item: Repository, data: bytes) -> None:
        self.reply(206, data, Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}")

    def _fault_status_403(self, item: Repository, data: bytes) -> None:
        self._status(403)

    def _fault_status_404(self, item: Repository, data: bytes) -> None:
        self._status(404)

    def _fault_status_429(self, item: Repository, data: bytes) -> None:
        self._status(429, Retry_After="1")

    def _fault_status_503_odd(self, item: Repository, data: bytes) -> None:
        self._status(503, Retry_After="\xb2")  # a digit to Python, and none to HTTP

    def _fault_status_500(self, item: Repository, data: bytes) -> None:
        self._status(500)

    def _fault_status_503(self, item: Repository, data: bytes) -> None:
        self._status(
            503, Retry_After=time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 1))
        )

    def _fault_redirects_on(self, item: Repository, data: bytes) -> None:
        self.reply(307, Location=f"{self.path}&again=1")


def main() -> int:
    """Serve files as repositories `stand-in/NAME` until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0, help="how long the body of each file takes")
    parser.add_argument(
        "--megabytes", type=int, default=2, help="size of the model made where no file is named"
    )
    options = parser.parse_args()
    with HubStandIn() as hub:
        files = {path.name: path.read_bytes() for path in options.files}
        for name, data in (files or {"tiny-Q4_K_M.gguf": gguf_bytes(options.megabytes * 1_000_000)}).items():
            hub.add(f"stand-in/{Path(name).stem}", {name: data}, seconds=options.seconds)
            print(f"stand-in/{Path(name).stem}  {name}  {len(data)} bytes")
        print(f"hub: {hub.endpoint}  storage: {hub.storage}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(hub.requests)} requests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
