"""Requests about the network: the switch, the ledger, the hub's token."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from app.core.errors import AppError, UsageError
from app.host.services.network.access_token import AccessToken
from app.host.services.network.addresses import address_of
from app.host.services.network.ledger import totals
from app.host.services.network.proxy import proxy_for, without_password
from app.host.services.network.seam import Network
from app.host.services.ports import Handler, RequestContext, SettingsPort
from app.protocol.body import Body
from app.protocol.network import ClearLedger, GetNetwork, NetworkStatus, SetHubToken
from app.protocol.system import Empty

MAX_TOKEN_CHARS = 500
DEFAULT_LIMIT = 200


class NetworkService:
    """Answers what went over the network; opens nothing itself."""

    def __init__(self, network: Network, token: AccessToken, settings: SettingsPort) -> None:
        """Take the seam and where the token is kept."""
        self._network, self._token, self._settings = network, token, settings

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {GetNetwork: self._get, ClearLedger: self._clear, SetHubToken: self._set_token}

    async def _get(self, request: GetNetwork, context: RequestContext) -> NetworkStatus:
        return await self._status(max(0, request.limit))

    async def _clear(self, request: ClearLedger, context: RequestContext) -> Empty:
        await self._network.forget_entries()
        return Empty()

    async def _set_token(self, request: SetHubToken, context: RequestContext) -> NetworkStatus:
        token = request.token.strip()
        if len(token) > MAX_TOKEN_CHARS or not all("!" <= sign <= "~" for sign in token):
            raise UsageError(
                "network.bad_token",
                "This is not an access token: it holds signs that none has.",
                "Copy it again from your account's page on the hub.",
            )
        await self._token.set(token)
        return await self._status(DEFAULT_LIMIT)

    async def _status(self, limit: int) -> NetworkStatus:
        entries = await self._network.entries()
        sums = totals(entries)
        settings = self._settings.current()
        has_token = bool(await self._token.get())
        return NetworkStatus(
            offline=settings.offline,
            entries=tuple(entries[::-1][:limit]),
            n_entries=sums.n_entries,
            n_sent_bytes=sums.n_sent_bytes,
            n_received_bytes=sums.n_received_bytes,
            has_token=has_token,
            token_place=self._token.place,
            proxy=_proxy_in_words(settings.proxy, settings.hub_endpoint),
            endpoint=settings.hub_endpoint,
        )


def _proxy_in_words(setting: str, endpoint: str) -> str:
    """Give the proxy on the way to the hub, without its password; empty for none or a bad one."""
    try:
        if address_of(endpoint).is_here:
            return ""
        proxy = proxy_for(setting, urlsplit(endpoint).hostname or "")
    except AppError:
        return ""
    return without_password(proxy) if proxy else ""
