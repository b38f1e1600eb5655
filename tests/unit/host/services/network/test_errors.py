"""Each way in which a connection ends has its words."""

import socket
import ssl

import pytest

from app.host.services.network.errors import connection_failed


def caused(error: Exception) -> Exception:
    outer = RuntimeError("of the client library")
    outer.__cause__ = ExceptionGroup("two addresses", [OSError("first"), error])
    outer.__context__ = outer.__cause__
    return outer


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("ConnectError", caused(ssl.SSLCertVerificationError(1, "self-signed")), "certificate"),
        ("ConnectError", caused(socket.gaierror(-2, "unknown")), "name was not found"),
        ("ConnectError", caused(ConnectionRefusedError()), "nothing answers"),
        ("ReadError", caused(ConnectionResetError()), "broken off"),
        ("ConnectError", RuntimeError("?"), "could not be opened"),
        ("ConnectTimeout", RuntimeError("?"), "no answer in time"),
        ("RemoteProtocolError", RuntimeError("peer closed connection"), "before everything had come"),
        ("RemoteProtocolError", RuntimeError("illegal header line"), "makes no sense"),
        ("ProxyError", RuntimeError("407"), "proxy refused"),
        ("SomethingNew", RuntimeError("?"), "broke off"),
    ],
)
def test_words(kind: str, error: Exception, words: str) -> None:
    failure = connection_failed("hub.example", kind, error)
    assert words in failure.user_message and "hub.example" in failure.user_message and failure.hint
    assert failure.context == {"host": "hub.example", "kind": kind}
