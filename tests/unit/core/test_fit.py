"""Whether a model fits, where its layers go and how fast it should be."""

from dataclasses import replace

import pytest

from app.core.fit import (
    LEAST_BATCH_TOKENS,
    LEAST_CONTEXT,
    Placement,
    Room,
    Wish,
    advise,
    advise_by_size,
    batch_tokens,
    compute_bytes,
    context_choices,
    kv_cache_bytes,
    kv_types_for,
    memory_need,
    place,
    tokens_per_s,
)
from app.core.model_shape import ModelShape, shape_of
from app.protocol.engine import Calibration
from tests.unit.core.test_model_shape import eight_billion

GIB = 1024**3
CALIBRATION = Calibration(cpu_bytes_per_s=40e9, cpu_flops=1e12, gpu_bytes_per_s=400e9, overhead_s=0.001)


def shape(**changes: object) -> ModelShape:
    """8 billion weights of 4 bits: 4.2 GiB."""
    return replace(shape_of(eight_billion()), **changes)  # type: ignore[arg-type]


def room(main: float, gpu: float = 0, *, integrated: bool = False) -> Room:
    return Room(
        available_bytes=int(main * GIB), gpu_available_bytes=int(gpu * GIB), gpu_integrated=integrated
    )


def placed(main: float, gpu: float = 0, **wish: object) -> Placement:
    return place(shape(), room(main, gpu), Wish(**wish))  # type: ignore[arg-type]


def test_cache_of_a_token() -> None:
    one = kv_cache_bytes(shape(), 256, "f16") // 256
    assert one == 32 * 8 * (128 + 128) * 2
    assert kv_cache_bytes(shape(), 256, "q8_0") == one * 256 * 34 // 64
    assert kv_cache_bytes(shape(), 256, "q4_0") == one * 256 * 18 // 64
    assert kv_cache_bytes(shape(), 257, "f16") == 512 * one, "the engine rounds up"


def test_need_is_the_sum_of_its_parts() -> None:
    need = memory_need(shape(), 8192, "f16", 64)
    parts = need.weight_bytes + need.kv_bytes + need.compute_bytes + need.runtime_bytes
    assert need.total_bytes == need.cpu_bytes == parts
    assert need.gpu_bytes == 0


@pytest.mark.parametrize("gpu_layers", [1, 16, 32, 99])
@pytest.mark.parametrize("tied", [False, True])
def test_need_with_a_gpu_is_the_sum_too(gpu_layers: int, tied: bool) -> None:
    model = shape(is_tied=tied)
    need = memory_need(model, 8192, "f16", 64, gpu_layers)
    parts = need.weight_bytes + need.kv_bytes + need.compute_bytes + need.runtime_bytes
    assert need.total_bytes == parts
    assert need.weight_bytes == model.weight_bytes + (model.output_bytes if tied else 0)
    assert need.gpu_bytes > memory_need(model, 8192, "f16", 64, gpu_layers - 1).gpu_bytes or gpu_layers > 32


def test_embeddings_stay_in_main_memory() -> None:
    need = memory_need(shape(), 2048, "f16", 64, 32)
    assert need.cpu_bytes >= shape().input_bytes
    assert need.gpu_bytes >= 32 * shape().layer_bytes + shape().output_bytes


def test_recurrent_states_count_once() -> None:
    recurrent = shape(n_kv_heads_total=0, state_bytes=1000)
    assert memory_need(recurrent, 2048, "f16", 64).kv_bytes == 1000
    assert memory_need(recurrent, 65_536, "f16", 64).kv_bytes == 1000


@pytest.mark.parametrize(("main", "n_ctx"), [(32, 16_384), (9, 8_192), (7, 4_096), (6, 2_048), (5.2, 2_048)])
def test_context_is_chosen_by_free_memory(main: float, n_ctx: int) -> None:
    placement = placed(main)
    assert (placement.n_ctx, placement.kv_type, placement.fits) == (n_ctx, "f16", True)


def test_context_is_never_above_the_trained_one() -> None:
    small = shape(context_trained=3000)
    assert place(small, room(32)).n_ctx == 3000
    assert place(small, room(32), Wish(context_length=100_000)).n_ctx == 3000


def test_file_that_does_not_tell_its_context() -> None:
    silent = shape(context_trained=0)
    assert place(silent, room(32)).n_ctx == 4096
    assert place(silent, room(32), Wish(context_length=10_000)).n_ctx == 10_000


def test_wished_context_is_kept() -> None:
    assert placed(32, context_length=65_536).n_ctx == 65_536


def test_short_memory_takes_a_smaller_cache() -> None:
    # 4.5 GiB of weights; 16,384 tokens are 2 GiB as f16 and 1.06 GiB as q8_0
    placement = placed(6, context_length=16_384)
    assert (placement.kv_type, placement.fits, placement.n_ctx) == ("q8_0", True, 16_384)
    assert placed(8, context_length=16_384).kv_type == "f16"


def test_wished_cache_is_kept() -> None:
    assert placed(32, kv_type="q4_0").kv_type == "q4_0"
    assert not placed(5, context_length=16_384, kv_type="f16").fits


def test_heads_that_are_no_whole_blocks_keep_float16() -> None:
    odd = shape(key_size=80, value_size=80)
    assert kv_types_for(odd) == ("f16",)
    assert place(odd, room(6), Wish(context_length=16_384, kv_type="q8_0")).kv_type == "f16"


def test_without_flash_attention_the_buffers_grow() -> None:
    with_it, without = compute_bytes(shape(), 16_384, 64), compute_bytes(shape(), 16_384, 64, flash=False)
    assert without > 4 * with_it
    assert without > 64 * 32 * 16_384 * 4, "scores of all heads"
    placement = placed(6, context_length=16_384, flash_attention=False)
    assert (placement.kv_type, placement.fits) == ("f16", False)
    assert placement.need.compute_bytes == without


def test_batches_shrink_as_models_grow() -> None:
    assert [batch_tokens(n) for n in (135_000_000, 3_000_000_000, 8_000_000_000)] == [512, 128, 64]
    assert placed(32, batch_tokens=256).n_batch == 256
    assert placed(32).n_batch == 64


def test_all_layers_go_to_a_gpu_that_holds_them() -> None:
    placement = placed(16, 24)
    assert (placement.gpu_layers, placement.n_ctx, placement.fits) == (32, 16_384, True)


def test_context_shrinks_so_that_all_layers_fit_on_the_gpu() -> None:
    placement = placed(16, 7)
    assert placement.gpu_layers == 32
    assert placement.n_ctx == 4096


def test_as_many_layers_as_fit_go_to_a_small_gpu() -> None:
    placement = placed(16, 4)
    assert 0 < placement.gpu_layers < 32
    assert placement.fits
    more = memory_need(shape(), placement.n_ctx, "f16", 64, placement.gpu_layers + 1)
    assert more.gpu_bytes > room(16, 4).gpu_usable_bytes


@pytest.mark.parametrize(("wish", "expected"), [(0, 0), (5, 5), (100, 32)])
def test_wished_layers_are_kept(wish: int, expected: int) -> None:
    assert placed(16, 24, gpu_layers=wish).gpu_layers == expected


def test_gpu_makes_room_for_what_main_memory_cannot_hold() -> None:
    assert not placed(3).fits
    assert placed(3, 6).fits


def test_a_tiny_gpu_is_left_alone() -> None:
    assert placed(16, 0.2).gpu_layers == 0


def test_integrated_gpu_takes_main_memory() -> None:
    assert place(shape(), room(12, 10, integrated=True)).gpu_layers == 32
    short = place(shape(), room(4, 10, integrated=True))
    assert not short.fits
    assert room(4, 10, integrated=True).total_bytes == 4 * GIB


def test_speed_follows_the_bytes() -> None:
    on_cpu = tokens_per_s(shape(), 0, "f16", CALIBRATION)
    on_gpu = tokens_per_s(shape(), 32, "f16", CALIBRATION)
    half = tokens_per_s(shape(), 16, "f16", CALIBRATION)
    assert on_cpu is not None and on_gpu is not None and half is not None
    assert on_cpu == pytest.approx(1 / (0.001 + (shape().active_bytes + 512 * 131_072) / 40e9))
    assert on_cpu < half < on_gpu
    cpu_only = replace(CALIBRATION, gpu_bytes_per_s=0.0)
    assert tokens_per_s(shape(), 32, "f16", cpu_only) == pytest.approx(on_cpu)


@pytest.mark.parametrize("calibration", [None, Calibration()])
def test_no_speed_without_a_calibration(calibration: Calibration | None) -> None:
    assert tokens_per_s(shape(), 0, "f16", calibration) is None
    fit = advise(shape(), room(32), calibration=calibration)
    assert (fit.verdict, fit.tokens_per_s) == ("good", None)
    assert fit.words == f"fits: needs {fit.needed_bytes / GIB:.1f} GB, 32.0 GB free"


@pytest.mark.parametrize(
    ("bytes_per_s", "verdict", "words"),
    [
        (80e9, "good", "runs well: about 14 words a second"),
        (20e9, "slow", "slow: about 3 words a second"),
        (6e9, "slow", "slow: about one word a second"),
        (2e9, "slow", "slow: about one word in 3 seconds"),
    ],
)
def test_speed_in_words(bytes_per_s: float, verdict: str, words: str) -> None:
    fit = advise(shape(), room(32), calibration=Calibration(cpu_bytes_per_s=bytes_per_s))
    assert (fit.verdict, fit.words) == (verdict, words)
    assert fit.placement == "cpu"


def test_model_that_does_not_fit() -> None:
    fit = advise(shape(), room(3), calibration=CALIBRATION)
    assert fit.verdict == "too_large"
    assert fit.words.startswith("will not fit: needs 4.") and fit.words.endswith(" GB, 3.0 GB free")
    assert fit.placement == ""
    assert fit.tokens_per_s is None
    assert fit.needed_bytes > fit.available_bytes


@pytest.mark.parametrize(("calibration", "end"), [(None, "stay free"), (CALIBRATION, " words a second")])
def test_model_that_leaves_little(calibration: Calibration | None, end: str) -> None:
    fit = advise(shape(), room(4.9), calibration=calibration)
    assert fit.verdict == "tight"
    assert fit.words.startswith("fits barely: 0.") and fit.words.endswith(end)


@pytest.mark.parametrize(("gpu", "placement"), [(24, "gpu"), (4, "partial"), (0, "cpu")])
def test_placement_is_told(gpu: float, placement: str) -> None:
    fit = advise(shape(), room(16, gpu), calibration=CALIBRATION)
    assert fit.placement == placement
    assert (fit.gpu_needed_bytes > 0) == (gpu > 0)
    assert fit.n_layers == 32
    assert fit.needed_bytes == fit.weight_bytes + fit.kv_bytes + fit.compute_bytes


def test_integrated_gpu_is_judged_by_main_memory() -> None:
    assert advise(shape(), room(7, 7, integrated=True)).verdict in ("tight", "good")
    assert advise(shape(), room(4, 7, integrated=True)).verdict == "too_large"


@pytest.mark.parametrize("nothing", [None, shape(weight_bytes=0)])
def test_unknown_model(nothing: ModelShape | None) -> None:
    fit = advise(nothing, room(8))
    assert fit.verdict == "unknown"
    assert fit.available_bytes == 8 * GIB


@pytest.mark.parametrize(
    ("size", "main", "gpu", "calibration", "verdict", "speed"),
    [
        (9.0, 8, 0, CALIBRATION, "too_large", None),
        (4.0, 16, 0, None, "good", None),
        (4.0, 16, 0, Calibration(), "good", None),
        (4.0, 16, 0, CALIBRATION, "good", 9.2),
        (4.0, 16, 12, CALIBRATION, "good", 85.2),
        (4.0, 16, 12, replace(CALIBRATION, gpu_bytes_per_s=0.0), "good", 9.2),
        (12.0, 16, 0, CALIBRATION, "slow", 3.1),
        (4.0, 4.8, 0, None, "tight", None),
    ],
)
def test_size_alone_gives_a_first_advice(
    size: float, main: float, gpu: float, calibration: Calibration | None, verdict: str, speed: float | None
) -> None:
    fit = advise_by_size(int(size * GIB), room(main, gpu), calibration)
    assert fit.verdict == verdict
    assert fit.tokens_per_s == (None if speed is None else pytest.approx(speed, abs=0.1))


def test_nothing_is_asked_of_the_engine_that_ends_it() -> None:
    smallest = placed(8.0, context_length=1, batch_tokens=1)
    assert (smallest.n_ctx, smallest.n_batch) == (LEAST_CONTEXT, LEAST_BATCH_TOKENS)
    assert context_choices(shape(context_trained=16), 0) == [LEAST_CONTEXT]
