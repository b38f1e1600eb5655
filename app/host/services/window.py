"""Passes what a second start of the program was to open on to the window that is there."""

import asyncio
import itertools
from collections.abc import Mapping

from app.core.errors import WorkerError
from app.host.services.ports import Handler, Offers, RequestContext
from app.protocol.body import Body
from app.protocol.system import Empty
from app.protocol.window import WINDOW, OpenInWindow, TakeOpening, WindowOpened

PATIENCE_S = 15.0


class WindowService:
    """Answers the requests `window.*`.

    A window that holds the data folder's `window.lock` may attach later: what is to be opened waits for it.
    """

    def __init__(self, offers: Offers, patience_s: float = PATIENCE_S) -> None:
        """Offer openings to windows; each waits for `patience_s`."""
        self._offers, self._patience_s = offers, patience_s
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Event] = {}

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {OpenInWindow: self._open, TakeOpening: self._take}

    async def _open(self, request: OpenInWindow, context: RequestContext) -> Empty:
        opening = WindowOpened(
            opening_id=str(next(self._numbers)),
            paths=request.paths,
            n_refused=request.n_refused,
            activation_token=request.activation_token,
        )
        taken = self._waiting[opening.opening_id] = asyncio.Event()
        try:
            with self._offers.offered(opening, WINDOW):
                await asyncio.wait_for(taken.wait(), self._patience_s)
        except TimeoutError as error:
            raise WorkerError(
                "window.no_answer",
                "h2oGPT is already open but does not answer.",
                "Look at its window, close it and start the program again. If it cannot be closed, end "
                "h2ogpt-desktop in the system's list of running programs; nothing saved is lost.",
            ) from error
        finally:
            del self._waiting[opening.opening_id]
        return Empty()

    async def _take(self, request: TakeOpening, context: RequestContext) -> Empty:
        if (taken := self._waiting.get(request.opening_id)) is not None:
            taken.set()
        return Empty()
