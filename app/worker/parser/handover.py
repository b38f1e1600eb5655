"""How an open file gets from the library worker to the preloaded parent: over a Unix socket."""

import json
import socket
import struct
from typing import NamedTuple

from app.worker.parser.result import ParserLimits

_LENGTH = struct.Struct("<I")
_MAX_REQUEST_BYTES = 64 * 1024


class FileRequest(NamedTuple):
    """A file to read.

    Attributes:
        file_fd: open for reading.
        result_fd: a socket for the frames.
    """

    file_fd: int
    result_fd: int
    name: str
    limits: ParserLimits


def send_request(control: socket.socket, request: FileRequest) -> None:
    """Hand a file to the parent.

    Raises:
        OSError: the parent is gone.
    """
    body = json.dumps({"name": request.name, "limits": vars(request.limits)}).encode()
    data = _LENGTH.pack(len(body)) + body
    sent = socket.send_fds(control, [data], [request.file_fd, request.result_fd])
    control.sendall(data[sent:])


def receive_request(control: socket.socket) -> FileRequest | None:
    """Wait for a file; None at the end of the socket, which is also what nonsense is taken for."""
    try:
        head, fds, _, _ = socket.recv_fds(control, _LENGTH.size, 2)
        if len(head) < _LENGTH.size or len(fds) != 2:
            return None
        (length,) = _LENGTH.unpack(head)
        if length > _MAX_REQUEST_BYTES:
            return None
        body = json.loads(_receive(control, length))
    except (ConnectionError, EOFError):
        return None
    return FileRequest(fds[0], fds[1], body["name"], ParserLimits(**body["limits"]))


def _receive(stream: socket.socket, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        part = stream.recv(n_bytes - len(data))
        if not part:
            raise EOFError
        data += part
    return data
