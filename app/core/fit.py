"""Whether a model fits into memory, where its layers go, and how fast it should write.

One formula for the advice before a download, the choice at loading and the figures shown after it. Nothing is
read or measured here: the shape comes from a file's head or a catalogue, the room from the system, the speed
from a short calibration on this machine.

Source: llama.cpp (`llama-kv-cache.cpp`, `llama-model.cpp`, `llama-context.cpp`): what it allocates and which
    layers go to a GPU; docs/decisions/0050-memory-formula.md: how the constants were fitted.
"""

from dataclasses import dataclass

from app.core.model_shape import ModelShape as ModelShape
from app.core.model_shape import shape_from_facts as shape_from_facts
from app.core.model_shape import shape_of as shape_of
from app.protocol.engine import Calibration
from app.protocol.models import Fit

# The engine ends its process where it gets more tokens at once than it was opened for: first tokens, guesses
# that are checked together and the shortest prompt must find room.
LEAST_CONTEXT, LEAST_BATCH_TOKENS = 128, 32
# Where the user does not choose: the longest of these that costs at most a quarter of the memory left beside
# the weights. About 2,000 tokens of passages stand before each question and stay in the conversation, so
# 8,192 lasts for three or four questions over documents and 16,384 for eight; more would cost gigabytes on
# the models of 4 to 8 billion weights that this program is made for, and CPUs take minutes to read such a
# prompt.
CONTEXT_CHOICES = (16_384, 8_192, 4_096, 2_048)
_KV_SHARE = 0.25
_FALLBACK_TRAINED = 4_096
_SHORTEST_FOR_GPU = 4_096  # a shorter context is no price for having all layers on the GPU

# Bytes of one number in the KV cache, and how many are stored together.
# Source: ggml's block sizes: 32 numbers in 34 bytes (q8_0) or 18 (q4_0).
KV_TYPES = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
_KV_BLOCK = 32
_CELLS = 256  # the engine makes contexts of whole multiples of this

# What the engine keeps besides: its graphs, and each token's text, score, merges and places in hash tables.
_ENGINE_BYTES = 12 * 1024**2
_BYTES_PER_TOKEN = 380

_MIB = 1024**2
_GIB = 1024**3
# Of the GPU's free memory: room for the window's own surfaces and the driver's working memory.
_GPU_RESERVE_BYTES = 256 * _MIB
_GPU_RESERVE_SHARE = 0.05
# Below this much free memory beside the model, other programs start to be pushed out.
_TIGHT_BYTES = 512 * _MIB
_TIGHT_SHARE = 0.1

# An English word is 1.3 tokens with the vocabularies of today: the usual rule of thumb.
WORDS_PER_TOKEN = 0.75
# People read 238 words a minute silently. A model that writes more slowly than that keeps its reader waiting.
# Source: Brysbaert, "How many words do we read per minute?", Journal of Memory and Language 109 (2019).
READING_WORDS_PER_S = 4.0
_TYPICAL_POSITION = 512  # tokens of the KV cache read for each token of an answer, for the estimate


@dataclass(frozen=True, kw_only=True)
class Room:
    """Memory that is free for a model, with what the model that it replaces gives back.

    Attributes:
        available_bytes: of the main memory, without swapping.
        gpu_available_bytes: on the graphics processor; 0 where there is none to be used.
        gpu_integrated: its memory is a share of the main memory.
    """

    available_bytes: int
    gpu_available_bytes: int = 0
    gpu_integrated: bool = False

    @property
    def total_bytes(self) -> int:
        """Both together, nothing counted twice."""
        return self.available_bytes + (0 if self.gpu_integrated else self.gpu_available_bytes)

    @property
    def gpu_usable_bytes(self) -> int:
        """What a model may take of the graphics processor's memory."""
        reserve = max(_GPU_RESERVE_BYTES, int(self.gpu_available_bytes * _GPU_RESERVE_SHARE))
        return max(self.gpu_available_bytes - reserve, 0)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user chose; defaults leave the choice to `place`.

    Attributes:
        context_length: tokens; 0: chosen.
        kv_type: a key of KV_TYPES; empty: chosen.
        gpu_layers: -1: as many as fit; 0: none.
        batch_tokens: prompt tokens evaluated at once; 0: chosen from the model's size.
        flash_attention: allowed; without it the KV cache stays float16 and the buffers grow with the context.
        flash_always: used wherever it is allowed, also where `uses_flash` would do without.
    """

    context_length: int = 0
    kv_type: str = ""
    gpu_layers: int = -1
    batch_tokens: int = 0
    flash_attention: bool = True
    flash_always: bool = False


@dataclass(frozen=True, kw_only=True)
class Need:
    """Memory that a model takes, in bytes.

    Attributes:
        weight_bytes: weights, with the second copy of tied embeddings where a GPU needs one.
        kv_bytes: KV cache and recurrent states.
        compute_bytes: intermediate results of a batch, in main memory and on the GPU.
        runtime_bytes: the vocabulary as the engine keeps it, and its tables.
        gpu_bytes: the part of the sum on the GPU.
        cpu_bytes: the part in main memory.
    """

    weight_bytes: int
    kv_bytes: int
    compute_bytes: int
    runtime_bytes: int
    gpu_bytes: int
    cpu_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.cpu_bytes + self.gpu_bytes


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How a model would be loaded.

    Attributes:
        n_ctx: tokens of the context.
        gpu_layers: repeating layers on the GPU; with the first, the output matrix goes there too.
        fits: the need is not above the room.
    """

    n_ctx: int
    kv_type: str
    gpu_layers: int
    n_batch: int
    need: Need
    fits: bool


def batch_tokens(n_params: int) -> int:
    """Choose how many prompt tokens are evaluated in one call.

    Large batches are faster (512: 430 tokens a second on two cores with the starter model, 128: 415, 32:
    310), small ones make progress visible and let the abort flag be read: the engine reads it between the
    nodes of a graph, and one matrix product of 512 tokens takes half a second on two cores with a model of 8
    billion weights. The choice depends on the model alone, so that the same prompt is always cut, and
    therefore rounded, in the same way.
    """
    if n_params < 1_000_000_000:
        return 512
    return 128 if n_params < 4_000_000_000 else 64


def memory_need(
    shape: ModelShape,
    n_ctx: int,
    kv_type: str,
    n_batch: int,
    gpu_layers: int = 0,
    *,
    flash: bool = True,
) -> Need:
    """Compute what a model takes, loaded with these options (as in Placement) and after its first answer."""
    n_gpu = max(0, min(gpu_layers, shape.n_layers))
    copy_bytes = shape.output_bytes if n_gpu and shape.is_tied else 0
    gpu_weights = n_gpu * shape.layer_bytes + (shape.output_bytes if n_gpu else 0)
    kv_bytes = kv_cache_bytes(shape, n_ctx, kv_type) + shape.state_bytes
    gpu_kv = kv_bytes * n_gpu // max(shape.n_layers, 1)
    buffer_bytes = compute_bytes(shape, n_ctx, n_batch, flash=flash)
    gpu_buffers = buffer_bytes if n_gpu else 0
    runtime_bytes = _runtime_bytes(shape)
    weight_bytes = shape.weight_bytes + copy_bytes
    return Need(
        weight_bytes=weight_bytes,
        kv_bytes=kv_bytes,
        compute_bytes=buffer_bytes + gpu_buffers,
        runtime_bytes=runtime_bytes,
        gpu_bytes=gpu_weights + gpu_kv + gpu_buffers,
        cpu_bytes=weight_bytes - gpu_weights + kv_bytes - gpu_kv + buffer_bytes + runtime_bytes,
    )


def kv_cache_bytes(shape: ModelShape, n_ctx: int, kv_type: str) -> int:
    """Give the bytes of the KV cache: keys and values of all layers for each token of the context."""
    n_cells = (max(n_ctx, 1) + _CELLS - 1) // _CELLS * _CELLS
    return int(n_cells * shape.n_kv_heads_total * (shape.key_size + shape.value_size) * KV_TYPES[kv_type])


def compute_bytes(shape: ModelShape, n_ctx: int, n_batch: int, *, flash: bool = True) -> int:
    """Give the bytes of a batch's intermediate results, for a context that is full.

    The widest moments of a layer are the feed-forward part (gate, up and their product beside four vectors of
    the model's width) and, without flash attention, the scores of every head over the whole context.
    """
    kv_width = shape.n_kv_heads_total // max(shape.n_layers, 1) * shape.key_size
    numbers = 3 * shape.inner + 4 * shape.width
    mask_bytes = 2 * n_ctx
    if not flash:
        numbers = max(numbers, shape.n_heads * n_ctx + 5 * shape.width + 2 * kv_width)
        mask_bytes = 4 * n_ctx
    copied = max(shape.inner, shape.width)  # a product's operand, converted to the weights' kind of numbers
    logits = 4 * 2 * shape.n_vocab
    return n_batch * (4 * numbers + mask_bytes + copied) + logits


def _runtime_bytes(shape: ModelShape) -> int:
    return _ENGINE_BYTES + _BYTES_PER_TOKEN * shape.n_vocab


def uses_flash(wish: Wish, kv_type: str, gpu_layers: int) -> bool:
    """Whether flash attention is used: on a GPU and for a quantized KV cache.

    On the processor it adds up a float16 KV cache's values in float16 for single tokens and in float32 for
    batches: 0.2 logit apart with the starter model, so that guessing ahead changed the text. Without it both
    are the same to the bit, and single tokens come 1.1 times as fast.

    Source: `ggml_compute_forward_flash_attn_ext_f16` of ggml's processor part; scripts/bench/speculation.py.
    """
    return wish.flash_attention and (wish.flash_always or gpu_layers > 0 or kv_type != "f16")


def kv_types_for(shape: ModelShape) -> tuple[str, ...]:
    """Give the types that this model's KV cache can be stored in: heads must be whole blocks."""
    whole = shape.key_size % _KV_BLOCK == 0 and shape.value_size % _KV_BLOCK == 0
    return tuple(KV_TYPES) if whole else ("f16",)


def place(shape: ModelShape, room: Room, wish: Wish = Wish()) -> Placement:
    """Choose context, KV type and layers on the GPU: all layers there if they fit, else as many as do.

    A context that the user chose is kept (never above the trained one). Where it, or the shortest automatic
    one, does not fit with a KV cache of float16, q8_0 is taken, which costs half.
    """
    n_batch = (
        max(wish.batch_tokens, LEAST_BATCH_TOKENS) if wish.batch_tokens else batch_tokens(shape.n_params)
    )
    possible = kv_types_for(shape) if wish.flash_attention else ("f16",)
    kv_types = (wish.kv_type,) if wish.kv_type in possible else possible[:2]
    placement = _placed(shape, room, wish, kv_types[0], n_batch)
    for kv_type in kv_types[1:]:
        if not placement.fits:
            placement = _placed(shape, room, wish, kv_type, n_batch)
    return placement


def _placed(shape: ModelShape, room: Room, wish: Wish, kv_type: str, n_batch: int) -> Placement:
    contexts = context_choices(shape, wish.context_length)
    wanted = wish.gpu_layers if wish.gpu_layers >= 0 else shape.n_layers
    wanted = min(wanted, shape.n_layers) if room.gpu_usable_bytes else 0

    def at(n_ctx: int, gpu_layers: int) -> Placement:
        need = memory_need(
            shape, n_ctx, kv_type, n_batch, gpu_layers, flash=uses_flash(wish, kv_type, gpu_layers)
        )
        return Placement(
            n_ctx=n_ctx,
            kv_type=kv_type,
            gpu_layers=gpu_layers,
            n_batch=n_batch,
            need=need,
            fits=fits(need, room),
        )

    if wanted == shape.n_layers:
        whole = at(_affordable(shape, contexts, kv_type, room.gpu_usable_bytes), wanted)
        if whole.fits and whole.n_ctx >= min(_SHORTEST_FOR_GPU, contexts[0]):
            return whole
    n_ctx = _affordable(shape, contexts, kv_type, room.total_bytes)
    for gpu_layers in range(wanted, 0, -1):
        placement = at(n_ctx, gpu_layers)
        if placement.fits:
            return placement
    return at(n_ctx, 0)


def context_choices(shape: ModelShape, wished: int) -> list[int]:
    """Give the contexts to choose from, the longest first: the wished one, or CONTEXT_CHOICES.

    None is shorter than LEAST_CONTEXT.
    """
    trained = shape.context_trained or max(wished, _FALLBACK_TRAINED)
    choices = (wished,) if wished else CONTEXT_CHOICES
    return sorted({max(LEAST_CONTEXT, min(choice, trained)) for choice in choices}, reverse=True)


def _affordable(shape: ModelShape, contexts: list[int], kv_type: str, room_bytes: int) -> int:
    """Choose the longest context whose cache is a fair share of what the weights leave."""
    spare = _KV_SHARE * (room_bytes - shape.weight_bytes)
    for n_ctx in contexts:
        if kv_cache_bytes(shape, n_ctx, kv_type) <= spare:
            return n_ctx
    return contexts[-1]


def fits(need: Need, room: Room) -> bool:
    """Whether a need is not above the room, on the GPU and in main memory."""
    if need.gpu_bytes > room.gpu_usable_bytes:
        return False
    main_bytes = need.total_bytes if room.gpu_integrated else need.cpu_bytes
    return main_bytes <= room.available_bytes


def tokens_per_s(
    shape: ModelShape, gpu_layers: int, kv_type: str, calibration: Calibration | None
) -> float | None:
    """Estimate the speed of writing: a token costs a pass over the weights and the KV cache.

    Returns:
        None where this machine was not calibrated.
    """
    if calibration is None or calibration.cpu_bytes_per_s <= 0:
        return None
    n_read = shape.active_bytes + kv_cache_bytes(shape, _TYPICAL_POSITION, kv_type)
    share = min(gpu_layers, shape.n_layers) / max(shape.n_layers, 1)
    gpu_speed = calibration.gpu_bytes_per_s or calibration.cpu_bytes_per_s
    seconds = (1 - share) * n_read / calibration.cpu_bytes_per_s + share * n_read / gpu_speed
    return 1 / max(seconds + calibration.overhead_s, 1e-6)


def advise(
    shape: ModelShape | None, room: Room, wish: Wish = Wish(), calibration: Calibration | None = None
) -> Fit:
    """Say whether a model fits into the room, where its layers would go and how fast it should write.

    A shape of None is a model of which too little is known. Any thread or process.
    """
    if shape is None or not shape.weight_bytes:
        return Fit(
            verdict="unknown",
            words="not known: too little is known of this model",
            available_bytes=room.available_bytes,
            gpu_available_bytes=room.gpu_available_bytes,
        )
    placement = place(shape, room, wish)
    speed = tokens_per_s(shape, placement.gpu_layers, placement.kv_type, calibration)
    main_bytes = placement.need.total_bytes if room.gpu_integrated else placement.need.cpu_bytes
    left_bytes = room.available_bytes - main_bytes if placement.fits else -1
    verdict, words = _judged(placement.need, room, left_bytes, speed)
    n_gpu = placement.gpu_layers
    where = "cpu" if not n_gpu else "gpu" if n_gpu == shape.n_layers else "partial"
    need = placement.need
    return Fit(
        verdict=verdict,
        words=words,
        placement=where if placement.fits else "",
        n_gpu_layers=n_gpu,
        n_layers=shape.n_layers,
        context_length=placement.n_ctx,
        kv_type=placement.kv_type,
        weight_bytes=need.weight_bytes,
        kv_bytes=need.kv_bytes,
        compute_bytes=need.compute_bytes + need.runtime_bytes,
        needed_bytes=need.total_bytes,
        available_bytes=room.available_bytes,
        gpu_needed_bytes=need.gpu_bytes,
        gpu_available_bytes=room.gpu_available_bytes,
        tokens_per_s=speed if placement.fits else None,
    )


def advise_by_size(weight_bytes: int, room: Room, calibration: Calibration | None = None) -> Fit:
    """Give a first advice where only a file's size is known, as in the list of a repository.

    The context's memory is not known then: a tenth of the weights is added for it and the buffers.
    """
    need = Need(
        weight_bytes=weight_bytes,
        kv_bytes=0,
        compute_bytes=weight_bytes // 10,
        runtime_bytes=64 * _MIB,
        gpu_bytes=0,
        cpu_bytes=weight_bytes + weight_bytes // 10 + 64 * _MIB,
    )
    fits = need.total_bytes <= room.total_bytes
    speed = None
    if calibration is not None and calibration.cpu_bytes_per_s > 0:
        on_gpu = need.total_bytes <= room.gpu_usable_bytes and calibration.gpu_bytes_per_s > 0
        rate = calibration.gpu_bytes_per_s if on_gpu else calibration.cpu_bytes_per_s
        speed = 1 / (weight_bytes / rate + calibration.overhead_s)
    verdict, words = _judged(need, room, room.total_bytes - need.total_bytes, speed)
    return Fit(
        verdict=verdict,
        words=words,
        weight_bytes=weight_bytes,
        compute_bytes=need.compute_bytes + need.runtime_bytes,
        needed_bytes=need.total_bytes,
        available_bytes=room.available_bytes,
        gpu_available_bytes=room.gpu_available_bytes,
        tokens_per_s=speed if fits else None,
    )


def _judged(need: Need, room: Room, left_bytes: int, speed: float | None) -> tuple[str, str]:
    """Give the verdict and its words for what leaves `left_bytes` of the main memory free; below 0: none."""
    if left_bytes < 0:
        return "too_large", f"will not fit: needs {_gib(need.total_bytes)}, {_gib(room.total_bytes)} free"
    pace = "" if speed is None else f"about {_words(speed * WORDS_PER_TOKEN)}"
    if left_bytes < max(_TIGHT_BYTES, _TIGHT_SHARE * room.available_bytes):
        return "tight", f"fits barely: {_gib(left_bytes)} would stay free" + (f", {pace}" if pace else "")
    if speed is None:
        return "good", f"fits: needs {_gib(need.total_bytes)}, {_gib(room.total_bytes)} free"
    if speed * WORDS_PER_TOKEN < READING_WORDS_PER_S:
        return "slow", f"slow: {pace}"
    return "good", f"runs well: {pace}"


def _words(words_per_s: float) -> str:
    """Spell a speed: `12 words a second`, `one word in 4 seconds`."""
    if words_per_s >= 1.5:
        return f"{words_per_s:.0f} words a second"
    if words_per_s >= 0.75:
        return "one word a second"
    return f"one word in {1 / max(words_per_s, 0.001):.0f} seconds"


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / _GIB:.1f} GB"
