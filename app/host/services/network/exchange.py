"""One request to one server over HTTP: no cookies, no environment, no redirects of its own.

Imported in a thread when the first connection is wanted: the libraries take a quarter of a second.
"""

import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

import anyio._backends._asyncio  # noqa: F401  # the client would import them in the host's loop, at first use
import httpcore  # noqa: F401
import httpx

from app import __version__
from app.host.services.network.addresses import Address
from app.host.services.network.answer import Answer
from app.host.services.network.errors import connection_failed, proxy_unreachable, whole_within
from app.host.services.network.proxy import without_password

# They write the whole address of each request into the log: what the user searched for, and signed links.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

USER_AGENT = f"h2oGPT-Desktop/{__version__}"


class HttpClient:
    """Sends requests, each over a connection of its own. Made in a thread; used by tasks of one loop."""

    def __init__(self) -> None:
        """Read the certificates of the system (a company's own included) and those that come with httpx."""
        self._trust = httpx.create_ssl_context(trust_env=False)
        self._trust.load_default_certs()
        self._trusts_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    @contextlib.asynccontextmanager
    async def get(
        self,
        url: str,
        address: Address,
        headers: Mapping[str, str],
        proxy: str,
        silence_s: tuple[float, float],
        head_s: float,
        note_sent: Callable[[int], None],
    ) -> AsyncIterator[Answer]:
        """Open a connection and send a request; the answer can be read for as long as the context lasts.

        Args:
            url: as checked.
            address: of the URL.
            headers: beside those that every request has.
            proxy: its URL; empty for none.
            silence_s: until the connection stands, and between two pieces of the answer.
            head_s: until the head of the answer is whole, however often a piece of it comes.
            note_sent: gets the bytes of the request.

        Raises:
            NetworkError: `network.failed`.
        """
        try:
            async with self._client(address, proxy, silence_s) as client:
                request = client.build_request("GET", url, headers=dict(headers))
                note_sent(_request_bytes(request))
                async with whole_within(head_s, address.label):
                    response = await client.send(request, stream=True)
                try:
                    body = _Body(response, address.label)
                    yield Answer(response.status_code, dict(response.headers), address.label, body)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            kind = type(error).__name__
            at_proxy = (
                proxy_unreachable(without_password(proxy), address.label, kind, error) if proxy else None
            )
            raise (at_proxy or connection_failed(address.label, kind, error)) from error

    def _client(self, address: Address, proxy: str, silence_s: tuple[float, float]) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self._trust if address.scheme == "https" else self._trusts_nobody,
            proxy=proxy or None,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(silence_s[1], connect=silence_s[0]),
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
        )


class _Body:
    """The body of a response (answer.AnswerBody)."""

    def __init__(self, response: httpx.Response, host: str) -> None:
        self._response, self._host = response, host

    @property
    def n_bytes(self) -> int:
        return self._response.num_bytes_downloaded

    async def pieces(self, unpacked: bool) -> AsyncGenerator[bytes, None]:
        source = self._response.aiter_bytes() if unpacked else self._response.aiter_raw()
        try:
            async for piece in source:
                yield piece
        except httpx.HTTPError as error:
            raise connection_failed(self._host, type(error).__name__, error) from error


def _request_bytes(request: httpx.Request) -> int:
    line = len(request.method) + len(request.url.raw_path) + len(" HTTP/1.1\r\n") + 1
    return line + sum(len(name) + len(value) + 4 for name, value in request.headers.raw) + 2
