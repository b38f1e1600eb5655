"""Requests about the host itself: its state, whether it is alive, its end."""

import os
from collections.abc import Awaitable, Callable, Mapping

from app import __version__
from app.host.services.ports import Handler, RequestContext
from app.host.supervision import Worker, workers_status
from app.protocol.body import Body
from app.protocol.system import Empty, GetHostStatus, HostStatus, Ping, Shutdown


class SystemService:
    """Answers what the host is doing."""

    def __init__(
        self,
        data_dir: str,
        workers: Mapping[str, Worker],
        is_busy: Callable[[], Awaitable[bool]],
        n_clients: Callable[[], int],
        end: Callable[[bool], None],
    ) -> None:
        """Take the facts; `end` gets whether work is broken off."""
        self._data_dir, self._workers = data_dir, workers
        self._is_busy, self._n_clients, self._end = is_busy, n_clients, end

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {GetHostStatus: self._status, Ping: self._ping, Shutdown: self._shut_down}

    async def _status(self, request: GetHostStatus, context: RequestContext) -> HostStatus:
        return HostStatus(
            pid=os.getpid(),
            version=__version__,
            data_dir=self._data_dir,
            busy=await self._is_busy(),
            n_clients=self._n_clients(),
            workers=workers_status(self._workers),
        )

    async def _ping(self, request: Ping, context: RequestContext) -> Empty:
        return Empty()

    async def _shut_down(self, request: Shutdown, context: RequestContext) -> Empty:
        self._end(request.force)
        return Empty()
