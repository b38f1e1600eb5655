"""Which addresses may be opened, and through which proxy."""

import urllib.request

import pytest

from app.core.errors import UsageError
from app.host.services.network.addresses import Address, address_of, redirected
from app.host.services.network.proxy import proxy_for, without_password


def test_places() -> None:
    assert address_of("https://Hub.example/a?b") == Address("https", "hub.example", 443)
    assert address_of("https://hub.example:444/").label == "hub.example:444"
    assert address_of("https://hub.example./").label == "hub.example"
    assert address_of("http://127.0.0.1:80/").label == "127.0.0.1"
    assert address_of("http://[::1]:8/").label == "[::1]:8" and address_of("http://[::1]:8/").is_here


@pytest.mark.parametrize(
    "url",
    [
        *(
            "file:///etc/passwd",
            "http://example.org/",
            "ftp://127.0.0.1/",
            "https://",
            "nonsense",
            "http://[",
            "",
        ),
        *(
            "https://me:secret@example.org/",
            "https://example.org:x/",
            "https://exa mple.org/",
            "https://a/\nb",
        ),
        *("http://127.0.0.1.example.org/", "https://example.org\\@127.0.0.1/"),
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"network\.bad_url"):
        address_of(url)


def test_where_a_redirect_leads() -> None:
    assert redirected("https://a.example/x/y", "/z?q") == "https://a.example/z?q"
    assert redirected("https://a.example/x", "https://b.example/") == "https://b.example/"
    assert redirected("http://127.0.0.1:5/x", "http://localhost:6/") == "http://localhost:6/"
    refused = (
        "http://b.example/",
        "file:///x",
        "http://127.0.0.1/x",
        "https://localhost/",
        "\\\\s\\x",
        "http://[",
    )
    for location in refused:
        with pytest.raises(UsageError, match=r"network\.bad_url"):
            redirected("https://a.example/x", location)


def test_the_proxy_of_the_settings() -> None:
    assert proxy_for("none", "a.example") == ""
    assert proxy_for("http://proxy:3128", "a.example") == "http://proxy:3128"
    assert proxy_for("proxy:3128", "a.example") == "http://proxy:3128"
    assert proxy_for("http://me:p@ss%2Fw:rd@proxy:1", "a") == "http://me:p%40ss%2Fw%3Ard@proxy:1"
    assert proxy_for("http://me@proxy", "a") == "http://me:@proxy"
    for bad in ("socks5://proxy:1", "http://", "http://proxy:x", "http://proxy:0", "http://[", "http://a\nb"):
        with pytest.raises(UsageError, match=r"network\.bad_proxy"):
            proxy_for(bad, "a.example")


def test_the_proxy_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(urllib.request, "getproxies", urllib.request.getproxies_environment)
    assert proxy_for("", "a.example") == ""
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy:8")
    monkeypatch.setenv("no_proxy", "b.example")
    assert proxy_for("", "a.example") == "http://me:secret@proxy:8"
    assert proxy_for("", "b.example") == ""


def test_a_proxy_is_shown_without_its_password() -> None:
    assert without_password("http://me:secret@proxy:8") == "http://proxy:8"
    assert without_password("https://me:secret@proxy") == "https://proxy"
    assert without_password("http://me:secret@[::1]:8") == "http://[::1]:8"
