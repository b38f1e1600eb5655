"""Images in prompts: where they stand, which of their work is reused, and their evaluation.

A mark stands in the rendered prompt where an image does; it names the image by its file's sha256 and size.
In the list of tokens an image is a run of negative numbers made from the same: no vocabulary has them, they
are the same wherever the same image of the same size stands, and so the prompt cache
(`prompt_cache.PromptCache`), which compares numbers and text alone, reuses an image's evaluation exactly
where the same image stands at the same place. The first number of a run is odd, the others are even: a run
is reused whole or not at all.
"""

import hashlib
import logging
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import ModelError, UsageError
from app.core.gguf import GgufHead, read_head
from app.protocol.engine import ImagePixels, LoadModel, PromptMessage
from app.worker.inference.backend import has_gpu, take_errors
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.memory import available_memory
from app.worker.inference.native_model import DECODED
from app.worker.inference.projector import FAILED, Chunks, Part, Projector
from app.worker.inference.text_model import Surroundings
from app.worker.inference.vocabulary import Vocabulary
from app.worker.runtime import Cancelled

log = logging.getLogger(__name__)

_MARK = re.compile(r"<__image_[0-9a-f]{64}_\d{1,6}x\d{1,6}__>")
_MARK_BEGINS = "<__image_"
_BREAK = "\u2060"  # word joiner: no width, no break
_ID_BITS = 29
_MEMORY_SHARE = 1.25  # of the projector's weights: with what its encoder computes in
_GIB = 1024**3


def check_projector(options: LoadModel) -> GgufHead:
    """Look at a projector file before the engine does.

    Raises:
        ModelError: `projector.bad`.
    """
    path = Path(options.projector)
    try:
        head = read_head(path)
    except ModelError as error:
        raise ModelError(
            "projector.bad",
            f"The projector file cannot be used: {error.user_message}",
            "Download the projector (its name contains “mmproj”) again, or choose the model without it.",
            {"code": error.code},
        ) from error
    if head.architecture != "clip" or head.metadata.get("clip.has_vision_encoder") is False:
        raise _bad(path, "is no projector for images")
    width = head.number("vision.projection_dim")
    model_width = read_head(Path(options.path)).number("embedding_length")
    if head.metadata.get("general.type") == "mmproj" and width and model_width and width != model_width:
        raise _bad(path, f"belongs to another model: it gives {width:,} numbers a place, this model takes "
                   f"{model_width:,}")  # fmt: skip
    return head


def load_reader(loaded: LoadedModel, head: GgufHead, around: Surroundings) -> "ImageReader":
    """Load the projector of a loaded model; the engine's thread.

    Raises:
        ModelError: `projector.bad`, `model.too_large`.
        Cancelled: on request.
    """
    needed, available = int(head.weight_bytes * _MEMORY_SHARE), available_memory()
    if needed > available:
        raise ModelError(
            "model.too_large",
            f"The projector “{head.path.name}” needs about {needed / _GIB:.1f} GB of memory beside the "
            f"model, and {available / _GIB:.1f} GB are free.",
            "Close other programs, choose a smaller model, or use this one without images.",
            {"needed_bytes": needed, "available_bytes": available},
        )
    around.on_progress(1.0, "")
    for use_gpu in (True, False) if has_gpu() and loaded.options.gpu_layers else (False,):
        take_errors()
        try:
            projector = Projector(
                head.path,
                loaded.model,
                loaded.info.n_threads,
                around.abort,
                around.is_cancelled,
                use_gpu=use_gpu,
            )
        except OSError as error:
            words = take_errors()
            if around.is_cancelled():
                raise Cancelled from error
            if not use_gpu:
                raise _refused(head.path, words) from error
            log.info("the projector could not be loaded onto the GPU and goes to the processor: %s", words)
            continue
        if not projector.reads_images:
            projector.close()
            raise _bad(head.path, "is no projector for images")
        return ImageReader(projector)
    raise AssertionError("the processor is always tried")  # pragma: no cover


def _refused(path: Path, engine_words: str) -> ModelError:
    if "mismatch between text model" in engine_words:  # the engine has no codes
        return _bad(path, "belongs to another model")
    return _bad(path, "could not be loaded by the engine", engine_words[:500])


def _bad(path: Path, what: str, engine_words: str = "") -> ModelError:
    return ModelError(
        "projector.bad",
        f"“{path.name}” {what}.",
        "Choose the projector that belongs to this model (its name contains “mmproj”), or none.",
        {"engine": engine_words} if engine_words else {},
    )


@dataclass(frozen=True)
class Span:
    """An image part that the cache holds: where it stands and how far it moved positions."""

    start: int
    n_tokens: int
    n_positions: int


class ImageReader:
    """A loaded projector and where images stand in its model's context; the engine's thread.

    Attributes:
        projector: the native part.
        moves_positions: behind an image, positions are no count of tokens.
    """

    def __init__(self, projector: Projector) -> None:
        """Begin with an empty context."""
        self.projector = projector
        self.moves_positions = projector.moves_positions
        self._spans: list[Span] = []

    def close(self) -> None:
        """Free the native part, before its model."""
        self.projector.close()

    def position(self, n_tokens: int) -> int:
        """Give the position of the token behind the first `n_tokens` of the context."""
        moved = sum(span.n_positions - span.n_tokens for span in self._spans if span.start < n_tokens)
        return n_tokens + moved

    def keep_first(self, n_tokens: int) -> None:
        """Forget the images that begin behind the first `n_tokens`."""
        self._spans = [span for span in self._spans if span.start < n_tokens]

    def add(self, start: int, part: Part) -> None:
        """Note an evaluated part."""
        self._spans.append(Span(start, part.n_tokens, part.n_positions))


class PromptImages:
    """The images of one request: marks, tokens, evaluation. `close` it where it may evaluate."""

    def __init__(
        self,
        reader: ImageReader | None,
        words: Vocabulary,
        images: Sequence[ImagePixels] = (),
        payload: bytes | None = None,
    ) -> None:
        """Take the images; nothing is computed yet.

        Args:
            reader: of the model; None where it has no projector.
            words: its vocabulary.
            images: of the request.
            payload: their pixels; None where tokens are only counted.

        Raises:
            ModelError: `model.no_images`.
            UsageError: `image.bad`, the pixels do not fit the sizes.
        """
        if images and reader is None:
            raise ModelError(
                "model.no_images",
                "This model cannot read images.",
                "Choose a model that reads images and has its projector file, or ask without the image.",
            )
        self._reader, self._words, self._images = reader, words, tuple(images)
        self._pixels = _cut(images, payload) if payload is not None else None
        self._numbers = {_mark(image): number for number, image in enumerate(images)}
        self._starts: dict[int, tuple[int, int, Part]] = {}
        self._chunks: dict[int, Chunks] = {}

    def close(self) -> None:
        """Free what was prepared."""
        while self._chunks:
            self._chunks.popitem()[1].close()

    # ------------------------------------------------------------------ text

    def marked(self, message: PromptMessage, defuse: Callable[[str], str]) -> PromptMessage:
        """Give a message with its images' marks before its text, in which marks mean nothing any more.

        Raises:
            UsageError: `image.bad`, it names an image that the request does not bring.
        """
        content = defuse(message.content).replace(
            _MARK_BEGINS, f"{_MARK_BEGINS[0]}{_BREAK}{_MARK_BEGINS[1:]}"
        )
        if any(not 0 <= number < len(self._images) for number in message.images):
            raise UsageError("image.bad", "The question names an image that did not come with it.")
        marks = "".join(_mark(self._images[n]) for n in message.images)
        return PromptMessage(role=message.role, content=marks + content)

    # ------------------------------------------------------------------ tokens

    def tokenize_prompt(self, text: str) -> list[int]:
        """Give the tokens of a whole prompt, images as negative numbers; see Vocabulary."""
        return self._tokenize(text, self._words.tokenize_prompt)

    def tokenize_continuation(self, text: str) -> list[int]:
        """Give the tokens of a text that follows others; see Vocabulary."""
        return self._tokenize(text, self._words.tokenize_continuation)

    def _tokenize(self, text: str, first: Callable[[str], list[int]]) -> list[int]:
        tokens: list[int] = []
        tokenize, at = first, 0
        for match in _MARK.finditer(text):
            number = self._numbers.get(match[0])
            if number is None:
                continue
            tokens += tokenize(text[at : match.start()])
            tokens += self._tokens_of(number)
            tokenize, at = self._words.tokenize_continuation, match.end()
        return tokens + tokenize(text[at:])

    def _tokens_of(self, number: int) -> list[int]:
        image = self._images[number]
        assert self._reader is not None  # images without a reader were refused
        try:
            parts = self._reader.projector.parts(image.width, image.height)
        except ValueError as error:
            raise UsageError(
                "image.bad",
                f"The model cannot read an image of {image.width} × {image.height} pixels.",
                "Attach a larger one, or one of another shape.",
            ) from error
        tokens: list[int] = []
        for n, part in enumerate(parts):
            if part.is_pixels:
                run = image_tokens(image, n, part.n_tokens)
                self._starts[run[0]] = number, n, part
                tokens += run
            else:
                tokens += part.tokens
        return tokens

    # ------------------------------------------------------------------ evaluation

    def evaluate(self, loaded: LoadedModel, token: int, at: int) -> tuple[int, int]:
        """Evaluate the part that begins with a negative token; give the engine's code and the part's length.

        Args:
            loaded: the model.
            token: the first of the part.
            at: its place in the context, in tokens.
        """
        reader, found = self._reader, self._starts.get(token)
        if reader is None or found is None or self._pixels is None:
            return FAILED, 0
        number, n, part = found
        if number not in self._chunks:
            image = self._images[number]
            self._chunks[number] = reader.projector.chunks(image.width, image.height, self._pixels[number])
        chunk = self._chunks[number].all()[n]
        code = reader.projector.evaluate(chunk, loaded.context, reader.position(at), loaded.n_batch)
        if code == DECODED:
            reader.add(at, part)
        return code, part.n_tokens


def _mark(image: ImagePixels) -> str:
    return f"{_MARK_BEGINS}{image.sha256}_{image.width}x{image.height}__>"


def image_tokens(image: ImagePixels, part: int, n_tokens: int) -> list[int]:
    """Give the numbers that stand for a part of an image: negative, the first odd, the others even."""
    seed = f"{image.sha256} {image.width} {image.height} {part}".encode()
    digest = hashlib.shake_128(seed).digest(4 * n_tokens)
    values = [value >> (32 - _ID_BITS) for value in struct.unpack(f"<{n_tokens}I", digest)]
    return [-(2 * value + (1 if n == 0 else 2)) for n, value in enumerate(values)]


def whole_images(tokens: Sequence[int], n_tokens: int) -> int:
    """Lower a number of tokens so that none of them belongs to an image that goes on behind them."""
    while 0 < n_tokens < len(tokens) and tokens[n_tokens] < 0 and tokens[n_tokens] % 2 == 0:
        n_tokens -= 1
    return n_tokens


def n_text(tokens: Sequence[int], start: int) -> int:
    """Count the tokens from `start` on that come before an image."""
    n = 0
    while start + n < len(tokens) and tokens[start + n] >= 0:
        n += 1
    return n


def _cut(images: Iterable[ImagePixels], payload: bytes) -> list[bytes]:
    """Give the pixels of each image. Raises UsageError `image.bad`."""
    cut, at = [], 0
    for image in images:
        n_bytes = image.width * image.height * 3
        cut.append(payload[at : at + n_bytes])
        at += n_bytes
        if image.width < 1 or image.height < 1 or at > len(payload):
            raise UsageError("image.bad", "The pixels of an image did not come whole.", "Attach it again.")
    return cut


def attach_reader(loaded: LoadedModel, head: GgufHead, around: Surroundings) -> None:
    """Give a loaded model its projector; frees the model where that fails. Raises as `load_reader`."""
    try:
        loaded.reader = load_reader(loaded, head, around)
    except BaseException:
        loaded.close()
        raise
    loaded.info = replace(loaded.info, reads_images=True)
