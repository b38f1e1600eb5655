"""The inference worker as services use it, with words for what it was doing if it dies."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, TypeVar

from app.host.supervision import Worker
from app.protocol.body import Body, Request
from app.protocol.engine import Generate, LoadModel

R = TypeVar("R", bound=Body)


class EngineService:
    """Requests to the inference worker (ports.EnginePort)."""

    def __init__(self, worker: Worker) -> None:
        """Bind the worker."""
        self._worker = worker

    def stream(self, request: Request[R], payload: bytes = b"") -> AsyncGenerator[Body, None]:
        """Send a request with raw bytes; yield its progress, and last its result. Raises AppError."""
        return self._worker.stream(request, payload, activity=_activity(request))

    async def call(self, request: Request[R]) -> R:
        """Send a request and return its result. Raises AppError."""
        return await self._worker.call(request, activity=_activity(request))

    @property
    def generation(self) -> int:
        """Counts the worker's starts: a model loaded in an earlier one is gone."""
        return self._worker.generation

    @property
    def is_ready(self) -> bool:
        """Whether the worker runs."""
        return self._worker.is_ready

    def forgive(self) -> None:
        """Forget earlier crashes: another model is tried."""
        self._worker.forgive()


def _activity(request: Request[Any]) -> str:
    if isinstance(request, LoadModel):
        return f"while loading the model {Path(request.path).stem}"
    return "while writing an answer" if isinstance(request, Generate) else ""
