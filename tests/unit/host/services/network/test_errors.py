"""Each way in which a connection ends has its words."""

import socket
import ssl

import pytest

from app.host.services.network.errors import connection_failed, proxy_unreachable


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


def test_a_proxy_that_is_not_there_is_named_and_not_the_server_behind_it() -> None:
    for kind, error, words in (
        ("ConnectError", caused(ConnectionRefusedError()), "nothing answers"),
        ("ConnectError", caused(socket.gaierror(-2, "unknown")), "name was not found"),
        ("ConnectTimeout", RuntimeError("?"), "no answer in time"),
    ):
        failure = proxy_unreachable("http://p.example:8080", "hub.example", kind, error)
        assert failure is not None and words in failure.user_message
        assert failure.user_message.startswith("The proxy http://p.example:8080")
        assert "proxy" in failure.hint and failure.code == "network.failed"
    behind = caused(ssl.SSLCertVerificationError(1, "self-signed"))
    assert proxy_unreachable("http://p.example:8080", "hub.example", "ConnectError", behind) is None
