"""The graphics processors that a model may be given to, and their test.

The test is a generation by a small model of random weights: the device must give the processor's tokens,
unless two were nearly tied.
"""

import ctypes
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.calibration import calibration_key
from app.protocol.hardware import Gpu
from app.worker.inference.backend import AbortFlag, has_gpu, take_errors
from app.worker.inference.gpu_trust import GpuTrust
from app.worker.inference.native import lib
from app.worker.inference.native_model import ALL_LAYERS, DECODED, NativeContext, NativeModel
from app.worker.inference.random_model import RandomModel
from app.worker.probe.devices import Devices
from app.worker.probe.processor import processor
from app.worker.runtime import Cancelled

log = logging.getLogger(__name__)

NEAR_TIE = 0.1
"""Two tokens whose logits differ by less may change places through rounding."""

_SOFTWARE = ("llvmpipe", "SwiftShader", "lavapipe")
_TESTED = RandomModel(
    n_layers=3,
    width=512,
    n_heads=8,
    n_kv_heads=4,
    inner=1024,
    n_vocab=2048,
    storage="Q4_K",
    output_storage="Q6_K",
)
_PROMPT = tuple(range(1, 33))
_N_WRITTEN = 12


def usable_gpus() -> tuple[Gpu, ...]:
    """Give the graphics processors that the engine found, with their free memory now."""
    if not has_gpu():
        return ()
    try:
        return Devices(lib).gpus()
    except AttributeError:  # an engine without these functions
        log.info("the engine cannot be asked for its devices", exc_info=True)
        return ()


def is_software(gpu: Gpu) -> bool:
    """Whether the driver computes on the processor: its memory is this process's."""
    return any(name in gpu.description for name in _SOFTWARE)


def trusted_gpus(
    gpus: tuple[Gpu, ...], trust: GpuTrust, abort: AbortFlag, is_cancelled: Callable[[], bool]
) -> tuple[str, str]:
    """Find out whether graphics processors may be used; tests them where that was not done before.

    Returns:
        The key that they are known by, and what speaks against them; empty for nothing.

    Raises:
        Cancelled: on request.
    """
    key = calibration_key(processor(), Devices(lib).engine(), gpus, 0)
    against = trust.reason_against(key)
    if not against and not trust.is_tested(key):
        with trust.trying(key, "test"):
            against = self_test(abort, is_cancelled)
        trust.note(key, against)
    return key, against


def self_test(abort: AbortFlag, is_cancelled: Callable[[], bool]) -> str:
    """Compare a generation on the graphics processors with the processor's; about a second.

    Returns:
        What speaks against them, in words; empty for nothing.

    Raises:
        Cancelled: on request.
    """
    with tempfile.TemporaryDirectory(prefix="h2ogpt-test-") as folder:
        try:
            path = _TESTED.write(Path(folder) / "test.gguf")
            expected = _generation(path, 0, abort)
        except (OSError, MemoryError) as error:
            log.info("the graphics processor could not be tested: %s", error)
            return ""  # says nothing about the device: the loading will show
        try:
            given = _generation(path, ALL_LAYERS, abort, expected.tokens)
        except (OSError, MemoryError) as error:
            if is_cancelled():
                raise Cancelled from error
            return f"it failed its test ({take_errors() or error})"
    return difference(expected, given)


@dataclass(frozen=True)
class Written:
    """A greedy generation.

    Attributes:
        tokens: (n,) picked, or forced.
        logits: (n, n_vocab) float32 before each.
    """

    tokens: Sequence[int]
    logits: np.ndarray


def difference(expected: Written, given: Written) -> str:
    """Say what is wrong with a generation, up to near-ties; empty for nothing.

    Args:
        expected: the processor's.
        given: the other device's, behind the same tokens.
    """
    if not np.isfinite(given.logits).all():
        return "it failed its test: it computed no numbers"
    for token, theirs, ours in zip(expected.tokens, given.logits, expected.logits, strict=True):
        other = int(theirs.argmax())
        if other != token and ours[token] - ours[other] >= NEAR_TIE:
            return "it failed its test: it wrote another text than the processor"
    return ""


def _generation(path: Path, gpu_layers: int, abort: AbortFlag, forced: Sequence[int] = ()) -> Written:
    """Write greedily, or along given tokens; raises OSError or MemoryError."""
    model = NativeModel(path, lambda _done: not abort.is_set(), gpu_layers=gpu_layers)
    try:
        context = NativeContext(model, 256, len(_PROMPT), 1, abort)
        try:
            tokens: list[int] = []
            rows = [_logits(context, _PROMPT)]
            while len(tokens) < _N_WRITTEN:
                tokens.append(forced[len(tokens)] if forced else int(rows[-1].argmax()))
                rows.append(_logits(context, (tokens[-1],)))
        finally:
            context.close()
    finally:
        model.close()
    return Written(tokens, np.stack(rows[:-1]))


def _logits(context: NativeContext, tokens: Sequence[int]) -> np.ndarray:
    code = context.decode(tokens)
    if code != DECODED:
        raise MemoryError(f"the engine ended with {code}")
    row = lib.llama_get_logits_ith(context.pointer, -1)
    address = ctypes.cast(row, ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(address, (_TESTED.n_vocab,)).copy()
