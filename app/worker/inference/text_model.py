"""What the inference worker needs of a loaded model, whichever engine runs it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from app.protocol.engine import (
    CountTokens,
    EngineInfo,
    Generate,
    Generation,
    LoadModel,
    MeasuredSpeed,
    MeasureSpeed,
    PromptProgress,
    TokenCounts,
)
from app.worker.inference.backend import AbortFlag
from app.worker.inference.gpu_trust import GpuTrust
from app.worker.inference.template import Renderer


@dataclass
class Sink:
    """Where a generation reports to.

    Attributes:
        on_prompt: told of prompt evaluation, at most ten times a second.
        on_text: told of text, whole code points.
    """

    on_prompt: Callable[[PromptProgress], None]
    on_text: Callable[[str], None]


@dataclass(frozen=True)
class Surroundings:
    """What a model is loaded into, the same for every model of the worker.

    Attributes:
        abort: set to stop what the engine evaluates.
        renderer: renders chat templates.
        vocabulary_lock: held while tokens are counted, and while vocabularies are freed.
        on_progress: told 0 to 1 of the loading and, where something else is tried, what, in words.
        is_cancelled: asked often while loading.
        gpu_trust: what is known of the graphics processors.
        without_gpu: why they must not be used this time, in words; empty where they may be.
    """

    abort: AbortFlag
    renderer: Renderer
    vocabulary_lock: threading.Lock
    on_progress: Callable[[float, str], None]
    is_cancelled: Callable[[], bool]
    gpu_trust: GpuTrust = field(default_factory=GpuTrust)
    without_gpu: str = ""


class TextModel(Protocol):
    """A model ready to write. The engine's thread calls everything but `count`."""

    @property
    def options(self) -> LoadModel:
        """As it was asked for."""

    @property
    def info(self) -> EngineInfo:
        """As it was loaded."""

    def raise_if_changed(self) -> None:
        """Check the files under it.

        Raises:
            ModelError: `model.changed`.
        """

    def generate(self, request: Generate, payload: bytes, abort: AbortFlag, sink: Sink) -> Generation:
        """Continue a conversation; `payload` holds the pixels of its images.

        Raises:
            Cancelled: with the Generation so far.
            AppError: codes of `Generate`.
        """

    def count(self, request: CountTokens) -> TokenCounts:
        """Count tokens; any thread, while the vocabulary's lock is held.

        Raises:
            RenderStopped: a cancelled answer took the template process along.
        """

    def measure(self, request: MeasureSpeed, abort: AbortFlag) -> MeasuredSpeed:
        """Measure its speed. Raises Cancelled."""

    def save_snapshot(self) -> None:
        """Keep the KV cache of the conversation that it holds, where that is wanted and worth it."""

    def forget(self, conversation: str) -> None:
        """Drop a conversation from memory, so that it is not written any more; any, where it is empty."""

    def close(self) -> None:
        """Free it; the vocabulary's lock is held."""
