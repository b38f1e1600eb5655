"""One loaded model of llama.cpp and everything that belongs to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.protocol.engine import EngineInfo, LoadModel
from app.worker.inference.file_stamp import FileStamp, raise_if_changed
from app.worker.inference.measuring import MemoryMeter
from app.worker.inference.native_model import NativeContext, NativeModel
from app.worker.inference.prompt_cache import PromptCache
from app.worker.inference.template import ChatTemplate
from app.worker.inference.vocabulary import Vocabulary

if TYPE_CHECKING:
    from app.worker.inference.vision import ImageReader


@dataclass
class LoadedModel:
    """A model ready to generate.

    Attributes:
        n_batch: tokens of a prompt evaluated in one call.
        cache: mirror of the context's KV cache.
        meter: measures what it takes of the memory.
        reader: of images; None without a projector.
    """

    options: LoadModel
    stamps: dict[Path, FileStamp]
    model: NativeModel
    context: NativeContext
    vocabulary: Vocabulary
    template: ChatTemplate
    cache: PromptCache
    n_batch: int
    info: EngineInfo
    meter: MemoryMeter
    reader: "ImageReader | None" = None

    def raise_if_changed(self) -> None:
        """Check the files under the memory map.

        Raises:
            ModelError: `model.changed`.
        """
        raise_if_changed(self.stamps)

    def position(self, n_tokens: int) -> int:
        """Give the position behind the first `n_tokens`: their number, except behind some models' images."""
        return n_tokens if self.reader is None else self.reader.position(n_tokens)

    def close(self) -> None:
        """Free the native parts."""
        if self.reader is not None:
            self.reader.close()
        self.context.close()
        self.model.close()
