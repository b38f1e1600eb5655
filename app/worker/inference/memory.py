"""Will a model fit, and with how long a context: estimated from the file's head before anything is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.core.errors import ModelError
from app.core.gguf import GgufHead

# Where the user does not choose: the longest of these that costs at most a quarter of the memory left beside
# the weights. About 2,000 tokens of passages stand before each question and stay in the conversation, so
# 8,192 lasts for three or four questions over documents and 16,384 for eight; more would cost gigabytes on
# the models of 4 to 8 billion weights that this program is made for, and CPUs take minutes to read such a
# prompt.
CONTEXT_CHOICES = (16_384, 8_192, 4_096, 2_048)
_KV_SHARE = 0.25
_FALLBACK_TRAINED = 4_096
_KV_BYTES = 2  # float16
_RUNTIME_BYTES = 64 * 1024 * 1024  # interpreter, libraries, vocabulary
_GIB = 1024**3


@dataclass(frozen=True)
class MemoryPlan:
    """What a model will need, in bytes.

    Attributes:
        n_ctx: tokens of the context.
    """

    n_ctx: int
    weight_bytes: int
    kv_bytes: int
    compute_bytes: int

    @property
    def needed_bytes(self) -> int:
        """All of it."""
        return self.weight_bytes + self.kv_bytes + self.compute_bytes + _RUNTIME_BYTES


def plan_memory(
    head: GgufHead, weight_bytes: int, requested_ctx: int, n_batch: int, available_bytes: int
) -> MemoryPlan:
    """Choose the context (the requested one, never above the trained one) and check that the model fits.

    Args:
        head: of the (first) model file.
        weight_bytes: of all its files.
        requested_ctx: tokens; 0 chooses from CONTEXT_CHOICES.
        n_batch: tokens evaluated at once.
        available_bytes: memory that can be used without swapping.

    Raises:
        ModelError: `model.too_large`, with the numbers.
    """
    trained = head.context_trained or max(requested_ctx, _FALLBACK_TRAINED)
    if requested_ctx:
        plan = _plan(head, weight_bytes, min(requested_ctx, trained), n_batch)
    else:
        plan = _chosen_plan(head, weight_bytes, trained, n_batch, available_bytes)
    if plan.needed_bytes > available_bytes:
        raise _too_large(head, plan, available_bytes, shorter_helps=bool(requested_ctx))
    return plan


def _chosen_plan(
    head: GgufHead, weight_bytes: int, trained: int, n_batch: int, available_bytes: int
) -> MemoryPlan:
    for n_ctx in sorted({min(choice, trained) for choice in CONTEXT_CHOICES}, reverse=True):
        plan = _plan(head, weight_bytes, n_ctx, n_batch)
        if plan.kv_bytes <= _KV_SHARE * (available_bytes - weight_bytes):
            return plan
    return plan


def _plan(head: GgufHead, weight_bytes: int, n_ctx: int, n_batch: int) -> MemoryPlan:
    n_ctx = max(n_ctx, 1)
    width = head.number("embedding_length")
    inner = head.number("feed_forward_length")
    n_vocab = max(
        (tensor.shape[-1] for tensor in head.tensors if tensor.name == "token_embd.weight"), default=0
    )
    # Float32 activations of a batch (about eight of the model's width and three of the inner width live at
    # once), the attention mask, and the logits of one token twice.
    compute_bytes = 4 * (n_batch * (8 * width + 3 * inner + n_ctx) + 2 * n_vocab)
    return MemoryPlan(n_ctx, weight_bytes, n_ctx * kv_bytes_per_token(head), compute_bytes)


def kv_bytes_per_token(head: GgufHead) -> int:
    """Give the bytes of one token in the KV cache: keys and values of all layers, float16."""
    n_layers, n_heads = head.number("block_count"), head.number("attention.head_count")
    head_size = head.number("embedding_length") // n_heads if n_heads else 0
    key_size = head.number("attention.key_length", head_size)
    value_size = head.number("attention.value_length", head_size)
    per_layer = head.metadata.get(f"{head.architecture}.attention.head_count_kv")
    if isinstance(per_layer, list) and all(isinstance(n, int) for n in per_layer):
        n_kv_heads = sum(per_layer)
    else:
        n_kv_heads = n_layers * head.number("attention.head_count_kv", n_heads)
    return n_kv_heads * (key_size + value_size) * _KV_BYTES


def available_memory() -> int:
    """Give the bytes usable without swapping: the machine's, or the control group's if less."""
    return min([int(psutil.virtual_memory().available), *_own_rooms()])


def _own_rooms() -> list[int]:
    try:
        lines = Path("/proc/self/cgroup").read_text("ascii").splitlines()
    except OSError:  # not Linux
        return []
    return control_group_rooms(lines, Path("/sys/fs/cgroup"))


def control_group_rooms(lines: Sequence[str], root: Path) -> list[int]:
    """Give the memory left in each limited control group above a process.

    Args:
        lines: of its `/proc/PID/cgroup`.
        root: where the groups are mounted; version 1 stands in `memory` below it.

    Source: `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst` of the Linux kernel.
    """
    rooms = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            folder, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            folder = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = folder / path.lstrip("/")
        for level in (group, *group.parents):
            rooms.extend(_room(level, *names))
            if level == folder:
                break
    return rooms


def _room(group: Path, limit_name: str, usage_name: str, reclaimable_name: str) -> list[int]:
    """Give the room of one control group; nothing where it has no limit or does not exist."""
    try:
        limit = (group / limit_name).read_text("ascii").strip()
        if not limit.isdigit() or int(limit) >= 2**60:
            return []
        usage = int((group / usage_name).read_text("ascii"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text("ascii").splitlines())
        return [max(int(limit) - usage + int(stat.get(reclaimable_name, 0)), 0)]
    except (OSError, ValueError):
        return []


def _too_large(head: GgufHead, plan: MemoryPlan, available_bytes: int, *, shorter_helps: bool) -> ModelError:
    hint = "Close other programs, or choose a smaller model"
    return ModelError(
        "model.too_large",
        f"“{head.path.name}” needs about {plan.needed_bytes / _GIB:.1f} GB of memory with a context of "
        f"{plan.n_ctx:,} tokens, and {available_bytes / _GIB:.1f} GB are free.",
        f"{hint}, or set a shorter context." if shorter_helps else f"{hint}.",
        {
            "needed_bytes": plan.needed_bytes,
            "available_bytes": available_bytes,
            "weight_bytes": plan.weight_bytes,
            "kv_bytes": plan.kv_bytes,
            "compute_bytes": plan.compute_bytes,
            "n_ctx": plan.n_ctx,
        },
    )
