"""Measures how fast this machine computes models, with two models of random weights.

One is larger than the processor's caches, so that each token costs a pass over the main memory, as with real
models; the other is so small that what is left is the overhead of a token. Both are deleted afterwards.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.calibration import calibration_key
from app.core.errors import ModelError
from app.core.gguf import read_head
from app.core.model_shape import shape_of
from app.protocol.engine import Calibration
from app.worker.inference.backend import AbortFlag
from app.worker.inference.cores import generation_threads
from app.worker.inference.gpu import usable_gpus
from app.worker.inference.native import lib
from app.worker.inference.native_model import ABORTED, ALL_LAYERS, DECODED, NativeContext, NativeModel
from app.worker.inference.random_model import RandomModel
from app.worker.probe.devices import Devices
from app.worker.probe.processor import processor
from app.worker.runtime import Cancelled

# Q4_K, the storage of most models that people load. 250 MB are more than the last cache of any processor that
# this program is made for; on two cores writing, loading and measuring them takes about three seconds.
LARGE = RandomModel(
    n_layers=7, width=2048, n_heads=16, n_kv_heads=8, inner=8192, n_vocab=4096, storage="Q4_K"
)
SMALL = RandomModel(n_layers=24, width=256, n_heads=4, n_kv_heads=2, inner=512, n_vocab=512, storage="Q4_K")

_DISTURBED = 0.4
_N_CONTEXT = 512
_N_PROMPT = 64
_N_WRITTEN = 16
_ENOUGH_S = 0.5  # of writing: a fast model writes more tokens in it, and more tokens find a quiet moment


@dataclass(frozen=True)
class Timing:
    """What one model took.

    Attributes:
        active_bytes: weights read for a token.
        n_params: weights used for a token.
        token_s: of one token, written after the others: the quickest, for other programs only slow them.
        prompt_token_s: of one token, read together with others.
    """

    active_bytes: int
    n_params: int
    token_s: float
    prompt_token_s: float


def calibrate(
    n_threads: int,
    abort: AbortFlag,
    is_cancelled: Callable[[], bool],
    large: RandomModel = LARGE,
    small: RandomModel = SMALL,
) -> Calibration:
    """Measure this machine; the engine's thread calls it, a few seconds long.

    Args:
        n_threads: 0: as many as generation uses.
        abort: set where it was cancelled.
        is_cancelled: asked often.
        large: the model that fills no cache.
        small: the one whose weights cost nothing.

    Raises:
        Cancelled: on request.
        ModelError: `engine.failed`: no room on the disk or in memory, or the engine cannot compute.
    """
    n_threads = n_threads or generation_threads()
    gpus = usable_gpus()
    try:
        with tempfile.TemporaryDirectory(prefix="h2ogpt-calibration-") as folder:
            paths = [
                model.write(Path(folder) / f"{name}.gguf", is_cancelled=is_cancelled)
                for name, model in (("large", large), ("small", small))
            ]
            stopping = _Stopping(abort, is_cancelled)
            result = _from_timings(*(_timing(path, n_threads, 0, stopping) for path in paths))
            if gpus:
                on_gpu = _timing(paths[0], n_threads, ALL_LAYERS, stopping)
                result = replace(result, gpu_bytes_per_s=on_gpu.active_bytes / on_gpu.token_s)
    except (OSError, MemoryError) as error:
        if is_cancelled():
            raise Cancelled from error
        raise ModelError(
            "engine.failed",
            "The speed of this computer could not be measured.",
            "Free some memory and disk space (half a gigabyte of each), then try again.",
            {"error": str(error)},
        ) from error
    devices = Devices(lib)
    return replace(result, key=calibration_key(processor(), devices.engine(), gpus, n_threads))


def _from_timings(large: Timing, small: Timing) -> Calibration:
    """Part a token's time into what grows with the weights and what does not.

    Where the small model took a large part of the other's time, other programs had the cores: then all time
    is put down to the weights, which errs on the slow side for large models and on neither for the measured.
    """
    overhead_s = small.token_s if small.token_s < _DISTURBED * large.token_s else 0.0
    return Calibration(
        cpu_bytes_per_s=large.active_bytes / (large.token_s - overhead_s),
        cpu_flops=large.n_params / large.prompt_token_s,
        overhead_s=overhead_s,
    )


@dataclass(frozen=True)
class _Stopping:
    abort: AbortFlag
    is_cancelled: Callable[[], bool]

    def check(self, code: int = DECODED) -> None:
        if code == ABORTED or self.is_cancelled():
            raise Cancelled
        if code != DECODED:
            raise MemoryError(f"the engine ended with {code}")


def _timing(path: Path, n_threads: int, gpu_layers: int, stopping: _Stopping) -> Timing:
    """Load a model and time it; raises as `calibrate`."""
    shape = shape_of(read_head(path))
    model = NativeModel(path, lambda _done: not stopping.is_cancelled(), gpu_layers=gpu_layers)
    try:
        context = NativeContext(model, _N_CONTEXT, _N_PROMPT, n_threads, stopping.abort)
        room = context.n_tokens_max - _N_PROMPT - 8
        try:
            stopping.check(context.decode((1, 2)))  # brings the weights into memory
            started = time.perf_counter()
            stopping.check(context.decode(range(1, _N_PROMPT + 1)))
            prompt_s = time.perf_counter() - started
            times: list[float] = []
            while len(times) < _N_WRITTEN or (sum(times) < _ENOUGH_S and len(times) < room):
                started = time.perf_counter()
                stopping.check(context.decode_one(len(times) + 1))
                context.wait()
                times.append(time.perf_counter() - started)
        finally:
            context.close()
    finally:
        model.close()
    return Timing(shape.active_bytes, shape.n_params_active, min(times), prompt_s / _N_PROMPT)
