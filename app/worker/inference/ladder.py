"""What is tried instead when a model cannot be loaded as it was planned, in order and in words.

GPU → fewer layers on it → the processor → a KV cache of half the size → a shorter context.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.core.fit import KV_TYPES, Placement, Room, Wish, fits, kv_types_for, memory_need, place, uses_flash
from app.core.model_shape import ModelShape

SHORTEST_CONTEXT = 512
_FEWEST_SHARE = 8  # with less than an eighth of the layers, a GPU's help is not worth another try


@dataclass(frozen=True, kw_only=True)
class Step:
    """One way to load a model.

    Attributes:
        note: what was given up before it, in words; empty for the plan itself.
    """

    placement: Placement
    note: str = ""


class Ladder:
    """The steps for one model on this machine."""

    def __init__(self, shape: ModelShape, wish: Wish, room: Room) -> None:
        """Take what the plan depends on."""
        self._shape, self._wish, self._room = shape, wish, room

    def plan(self) -> Iterator[Step]:
        """Give what was wished, then shorter contexts for one that was wished and does not fit."""
        first = place(self._shape, self._room, self._wish)
        yield Step(placement=first)
        n_ctx = first.n_ctx // 2
        while self._wish.context_length and n_ctx >= SHORTEST_CONTEXT:
            placement = place(self._shape, self._room, replace(self._wish, context_length=n_ctx))
            yield Step(placement=placement, note=_shorter(first.n_ctx, placement.n_ctx))
            n_ctx //= 2

    def below(self, failed: Placement, *, of_weights: bool) -> Step | None:
        """Give the step below one that failed; None where there is none.

        Args:
            failed: as it was tried.
            of_weights: the weights could not be loaded; else the context could not be made or used.
        """
        if failed.gpu_layers:
            return self._less_gpu(failed)
        if of_weights:
            return None
        return self._smaller_cache(failed) or self._shorter_context(failed)

    def _less_gpu(self, failed: Placement) -> Step:
        n_layers, n_less = self._shape.n_layers, failed.gpu_layers // 2
        if n_less * _FEWEST_SHARE >= n_layers and n_less:
            note = f"The graphics processor could not take {failed.gpu_layers} of {n_layers} layers"
            return Step(placement=self._with(failed, gpu_layers=n_less), note=f"{note}: {n_less} are tried.")
        on_cpu = replace(self._wish, gpu_layers=0)
        return Step(
            placement=place(self._shape, self._room, on_cpu),
            note="The graphics processor could not be used: the model runs on the processor.",
        )

    def _smaller_cache(self, failed: Placement) -> Step | None:
        smaller = "q8_0"
        possible = self._wish.flash_attention and smaller in kv_types_for(self._shape)
        if self._wish.kv_type or not possible or KV_TYPES[failed.kv_type] <= KV_TYPES[smaller]:
            return None
        note = "Memory was short: the KV cache is kept in half the space (q8_0)."
        return Step(placement=self._with(failed, kv_type=smaller), note=note)

    def _shorter_context(self, failed: Placement) -> Step | None:
        n_ctx = failed.n_ctx // 2
        if n_ctx < SHORTEST_CONTEXT:
            return None
        return Step(placement=self._with(failed, n_ctx=n_ctx), note=_shorter(failed.n_ctx, n_ctx))

    def _with(
        self, old: Placement, *, n_ctx: int = 0, kv_type: str = "", gpu_layers: int | None = None
    ) -> Placement:
        """Change a placement; its need follows."""
        new = replace(
            old,
            n_ctx=n_ctx or old.n_ctx,
            kv_type=kv_type or old.kv_type,
            gpu_layers=old.gpu_layers if gpu_layers is None else gpu_layers,
        )
        flash = uses_flash(self._wish, new.kv_type, new.gpu_layers)
        need = memory_need(self._shape, new.n_ctx, new.kv_type, new.n_batch, new.gpu_layers, flash=flash)
        return replace(new, need=need, fits=fits(need, self._room))


def _shorter(before: int, after: int) -> str:
    return f"Memory was short: the context holds {after:,} tokens instead of {before:,}."
