"""What the pages that could connect must say before: to whom, and whether they may."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from PySide6.QtCore import Signal, Slot

from app.protocol.network import GetNetwork, NetworkStatus
from app.ui.models.requests import Asker

_DEFAULT_HOST = "huggingface.co"


@dataclass(frozen=True)
class HubStatus:
    """The hub as this program would reach it.

    Attributes:
        host: that would be connected to.
        offline: the switch is on; nothing connects.
        has_token: an access token is kept.
    """

    host: str = _DEFAULT_HOST
    offline: bool = False
    has_token: bool = False


class HubStatusController(Asker):
    """Keeps the HubStatus; asks again whenever a page is shown.

    Signals:
        changed: HubStatus.
    """

    changed = Signal(object)
    status = HubStatus()

    @Slot()
    def load(self) -> None:
        """Ask how things stand."""
        self.ask_latest("network", GetNetwork(limit=1), self._take)

    def _take(self, answer: NetworkStatus) -> None:
        host = urlsplit(answer.endpoint).hostname or _DEFAULT_HOST
        self.status = HubStatus(host=host, offline=answer.offline, has_token=answer.has_token)
        self.changed.emit(self.status)
