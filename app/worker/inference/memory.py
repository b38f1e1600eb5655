"""Planning how a model is loaded, before it is: `app.core.fit` on what this machine has free."""

import mmap

from app.core.errors import ModelError
from app.core.fit import Need, Placement, Room
from app.core.free_memory import available_memory as available_memory
from app.core.gguf import GgufHead
from app.protocol.hardware import Gpu
from app.worker.inference.ladder import Ladder, Step

_GIB = 1024**3
_GRAPHS_BYTES = 96 * 1024**2  # address space for the engine's graphs, of which little is used


def room_for(gpus: tuple[Gpu, ...]) -> Room:
    """Measure the free memory: the machine's and that of the GPUs that the engine would use.

    The engine takes all separate GPUs, and an integrated one only where there is no other.
    """
    separate = [gpu for gpu in gpus if not gpu.integrated]
    used = separate or gpus[:1]
    return Room(
        available_bytes=available_memory(),
        gpu_available_bytes=sum(gpu.memory_free_bytes for gpu in used),
        gpu_integrated=bool(used) and not separate,
    )


def plan_memory(head: GgufHead, ladder: Ladder, room: Room) -> Step:
    """Choose how to load a model so that it fits.

    Raises:
        ModelError: `model.too_large`, with the numbers.
    """
    steps = list(ladder.plan())
    for step in steps:
        if step.placement.fits:
            return step
    raise too_large(head, steps[-1].placement, room, shorter_helps=len(steps) > 1)


def ensure_allocatable(need: Need) -> None:
    """Ask the system whether it would give a context's memory, without using it.

    The engine ends the whole process where one of its smaller allocations is refused, so what comes after the
    weights is asked for at once before: KV cache, buffers and the engine's graphs.

    Raises:
        MemoryError: it would not.
    """
    n_bytes = need.kv_bytes + need.compute_bytes + _GRAPHS_BYTES
    try:
        mmap.mmap(-1, n_bytes).close()
    except (OSError, ValueError) as error:
        raise MemoryError(f"the system does not give {n_bytes} bytes") from error


def too_large(head: GgufHead, placement: Placement, room: Room, *, shorter_helps: bool) -> ModelError:
    """Say that a model does not fit, with the numbers."""
    hint = "Close other programs, or choose a smaller model"
    need = placement.need
    return ModelError(
        "model.too_large",
        f"“{head.path.name}” needs about {need.total_bytes / _GIB:.1f} GB of memory with a context of "
        f"{placement.n_ctx:,} tokens, and {room.total_bytes / _GIB:.1f} GB are free.",
        f"{hint}, or set a shorter context." if shorter_helps else f"{hint}.",
        {
            "needed_bytes": need.total_bytes,
            "available_bytes": room.total_bytes,
            "weight_bytes": need.weight_bytes,
            "kv_bytes": need.kv_bytes,
            "compute_bytes": need.compute_bytes,
            "n_ctx": placement.n_ctx,
        },
    )
