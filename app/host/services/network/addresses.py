"""Addresses that may be opened, and where a redirect may lead."""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from app.core.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Address:
    """The place that a connection goes to; two equal ones are the same server.

    Attributes:
        scheme: `https`, or `http` for this computer.
        host: lower case, without brackets.
    """

    scheme: str
    host: str
    port: int

    @property
    def label(self) -> str:
        """The host for people, with the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is this computer."""
        return self.host in LOOPBACK


def address_of(url: str) -> Address:
    """Give the place of a URL: `https`, or `http` to this computer, without a name and password in it.

    Raises:
        UsageError: `network.bad_url`.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, (parts.hostname or "").rstrip("."), parts.port
        has_user = parts.username is not None or parts.password is not None
    except ValueError:
        scheme, host, port, has_user = "", "", None, False
    allowed = scheme == "https" or (scheme == "http" and host in LOOPBACK)
    if not host or not allowed or has_user or not url.isprintable() or set(" \\") & set(url):
        raise UsageError(
            "network.bad_url",
            "This is not an address that can be opened: it must start with https.",
            "Check the address of the model hub in the settings.",
        )
    return Address(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port)


def redirected(url: str, location: str) -> str:
    """Give the URL that a redirect leads to.

    A server of the world may not send the program to this computer: what listens here is no business of its.

    Raises:
        UsageError: `network.bad_url`.
    """
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    if "\\" in location:  # some systems read a network share out of it
        target = ""
    if address_of(target).is_here and not address_of(url).is_here:
        raise UsageError("network.bad_url", "The server sent the program to this computer itself.")
    return target
