"""The proxy that connections go through: the setting's, the system's, or none."""

import urllib.request
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from app.core.errors import UsageError

NONE = "none"
_SCHEMES = ("http", "https")


def proxy_for(setting: str, host: str) -> str:
    """Give the proxy's URL for a connection over TLS to a host; empty for none.

    Args:
        setting: the user's: empty for the system's, `none`, or a URL.
        host: that the connection goes to; the system may name hosts that are reached without a proxy.

    Raises:
        UsageError: `network.bad_proxy`.
    """
    if setting.strip() == NONE:
        return ""
    if setting.strip():
        return _checked(setting.strip(), "the settings")
    system = urllib.request.getproxies().get("https", "")
    if not system or urllib.request.proxy_bypass(host):
        return ""
    return _checked(system, "the settings of this computer")


def without_password(proxy: str) -> str:
    """Give a proxy's URL for people: without name and password."""
    parts = urlsplit(proxy)
    host = parts.hostname or ""
    place = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, f"{place}:{parts.port}" if parts.port else place, "", "", ""))


def _checked(proxy: str, origin: str) -> str:
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or not url.isprintable():
        raise UsageError(
            "network.bad_proxy",
            f"The proxy in {origin} is not an address that can be used.",
            "Write it as http://host:port, or `none` for no proxy.",
        )
    if parts.username is None:
        return url
    # A password may hold signs that a URL must escape; written either way it means the same.
    name, password = quote(unquote(parts.username), ""), quote(unquote(parts.password or ""), "")
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{name}:{password}@{place}", "", "", ""))
