"""What can go wrong with a connection, in words."""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator

from app.core.errors import AppError

_CHECK = "Check the connection and try again."


class NetworkError(AppError):
    """A connection that the user asked for was refused or failed."""


@contextlib.asynccontextmanager
async def whole_within(limit_s: float, host: str) -> AsyncIterator[None]:
    """End what waits for a host's answer after so long, however steadily it drips.

    Raises:
        NetworkError: `network.failed`.
    """
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise connection_failed(host, "SlowAnswer", error) from error


def switched_off() -> NetworkError:
    """Give the refusal of the user's own switch."""
    return NetworkError(
        "network.off", "Connections to the network are switched off.", "Allow them in the settings."
    )


def refused_redirect(host: str, why: str) -> NetworkError:
    """Give the refusal to follow a redirect."""
    return NetworkError(
        "network.bad_redirect",
        f"{host} sent the program on to {why}; that was not followed.",
        "Check the address of the model hub in the settings, or try again later.",
        {"host": host},
    )


def proxy_unreachable(proxy: str, host: str, kind: str, error: BaseException) -> NetworkError | None:
    """Give the failure to reach the proxy itself; None where something behind it failed.

    Args:
        proxy: for people.
        host: that was to be reached through it.
        kind: as `connection_failed` takes it.
        error: it, with its causes.
    """
    unreached = (socket.gaierror, ConnectionRefusedError)
    if kind != "ConnectTimeout" and not any(isinstance(cause, unreached) for cause in _causes(error)):
        return None
    reason, _ = _reason(kind, error)
    return NetworkError(
        "network.failed",
        f"The proxy {proxy}, through which {host} is reached, failed: {reason}.",
        _PROXY,
        {"host": host, "kind": kind},
    )


def connection_failed(host: str, kind: str, error: BaseException) -> NetworkError:
    """Give the failure of a connection.

    Args:
        host: for people.
        kind: name of the client library's exception, which tells the phase; `SlowAnswer` where our own
            patience ended.
        error: it, with its causes.
    """
    reason, hint = _reason(kind, error)
    return NetworkError(
        "network.failed", f"The connection to {host} failed: {reason}.", hint, {"host": host, "kind": kind}
    )


def _reason(kind: str, error: BaseException) -> tuple[str, str]:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                "its certificate is not valid",
                "Check the date of this computer; a company's network may need its own certificate.",
            )
        if isinstance(cause, socket.gaierror):
            return "its name was not found", _CHECK
        if isinstance(cause, ConnectionRefusedError):
            return "nothing answers there", _CHECK
        if isinstance(cause, ConnectionResetError):
            return "it was broken off", _CHECK
    if kind == "RemoteProtocolError" and not _ENDED.search(str(error)):
        return "what answers there makes no sense", _CHECK
    return _BY_KIND.get(kind, "it broke off"), _PROXY if kind == "ProxyError" else _CHECK


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error to what caused it, each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions


_ENDED = re.compile("closed|disconnected")  # the client library tells the two apart in its text alone
_PROXY = "Check the proxy in the settings."
_BY_KIND = {
    "ConnectError": "it could not be opened",
    "ConnectTimeout": "there was no answer in time",
    "ReadTimeout": "it went silent",
    "SlowAnswer": "its answer did not come whole in time",
    "WriteTimeout": "it took nothing more",
    "ProxyError": "the proxy refused it",
    "RemoteProtocolError": "it ended before everything had come",
    "ReadError": "it broke off",
    "DecodingError": "what came could not be unpacked",
}
