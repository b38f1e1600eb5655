"""Measuring a model on this machine: what was predicted beside what is."""

from collections.abc import Mapping

from app.core.errors import UsageError
from app.host.services.answer_queue import AnswerQueue, waiting_words
from app.host.services.fit import FitService
from app.host.services.models import ModelsService
from app.host.services.ports import EnginePort, Handler, RequestContext
from app.protocol.body import Body
from app.protocol.engine import MeasureSpeed
from app.protocol.models import BenchModel, BenchProgress, BenchResult

_LOADING_SHARE = 0.5
_MAX_TOKENS = 4096


class BenchService:
    """Answers `model.bench`; it waits for its turn like an answer, and can be cancelled like one."""

    def __init__(
        self, models: ModelsService, engine: EnginePort, fit: FitService, queue: AnswerQueue
    ) -> None:
        """Bind the services."""
        self._models, self._engine, self._fit, self._queue = models, engine, fit, queue

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {BenchModel: self._bench}

    async def _bench(self, request: BenchModel, context: RequestContext) -> BenchResult:
        if not (1 <= request.n_prompt <= _MAX_TOKENS and 1 <= request.n_generate <= _MAX_TOKENS):
            raise UsageError(
                "bench.bad_count",
                f"A measurement takes 1 to {_MAX_TOKENS:,} tokens of prompt and as many of answer.",
                "Give other numbers.",
            )
        await self._fit.know_speed(wait=True)
        async with self._queue.turn(
            lambda n_before: context.progress(BenchProgress(fraction=0.0, note=waiting_words(n_before)))
        ):
            return await self._measured(request, context)

    async def _measured(self, request: BenchModel, context: RequestContext) -> BenchResult:
        def on_progress(fraction: float) -> None:
            context.progress(BenchProgress(fraction=fraction * _LOADING_SHARE, note="loading"))

        loaded = await self._models.load(request.name, on_progress)
        context.progress(BenchProgress(fraction=_LOADING_SHARE, note="measuring"))
        speed = await self._engine.call(
            MeasureSpeed(handle=loaded.info.handle, n_prompt=request.n_prompt, n_generate=request.n_generate)
        )
        body, info = loaded.body(), loaded.info
        return BenchResult(
            name=loaded.candidate.entry.name,
            n_prompt=speed.n_prompt,
            n_generated=speed.n_generated,
            prompt_tokens_per_s=speed.prompt_tokens_per_s,
            tokens_per_s=speed.tokens_per_s,
            predicted_tokens_per_s=body.predicted_tokens_per_s,
            load_seconds=info.load_seconds,
            predicted_bytes=body.predicted_bytes,
            measured_bytes=speed.measured_bytes,
            device=info.device,
            n_gpu_layers=info.n_gpu_layers,
            n_layers=info.n_layers,
            context_length=info.context_length,
            kv_type=info.kv_type,
            n_threads=info.n_threads,
            notes=body.notes,
        )
