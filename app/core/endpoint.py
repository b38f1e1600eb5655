"""Where a host listens: the file `host.json`, and who stands at the other end of its socket.

The host writes the file when it is ready and removes it when it ends; a file left by a killed host is
harmless, because nobody answers at its address any more.
"""

import json
import os
import socket
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

_SOL_LOCAL = 0  # Source: sys/un.h of macOS and FreeBSD
_LOCAL_PEERCRED = 1  # Source: as above
_XUCRED = "II"  # Source: sys/ucred.h, the first two fields of struct xucred: cr_version, cr_uid
_UCRED = "3i"  # Source: unix(7), struct ucred: pid, uid, gid


@dataclass(frozen=True)
class Endpoint:
    """The address of a host.

    Attributes:
        pid: of the host.
        path: of its Unix socket; empty where it listens on a port.
        port: on 127.0.0.1; 0 where it listens on a Unix socket.
        token: what the hello must carry on a port; only the user can read it.
    """

    pid: int
    path: str = ""
    port: int = 0
    token: str = ""


def write_endpoint(path: Path, endpoint: Endpoint) -> None:
    """Store the address so that readers see the old file, none, or the whole new one.

    Raises:
        OSError: the data folder cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(endpoint), file)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_endpoint(path: Path) -> Endpoint | None:
    """Give the address; None where there is no file, or none that can be used."""
    try:
        value = json.loads(path.read_bytes())
        endpoint = Endpoint(int(value["pid"]), str(value["path"]), int(value["port"]), str(value["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return endpoint if endpoint.path or 0 < endpoint.port < 65536 else None


def peer_uid(connection: socket.socket) -> int | None:
    """Give the user id of the process at the other end of a Unix socket; None where nobody can tell."""
    system: str = sys.platform
    if system == "linux":
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_UCRED))
        return int(struct.unpack(_UCRED, data)[1])
    if system == "darwin":  # pragma: no cover  # this system only
        data = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 128)
        return int(struct.unpack_from(_XUCRED, data)[1])
    return None  # pragma: no cover  # other systems: the folder's mode 0700 protects the socket


def is_same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end of a Unix socket runs as this user (true where unknown)."""
    uid = peer_uid(connection)
    return uid is None or uid == os.getuid()
