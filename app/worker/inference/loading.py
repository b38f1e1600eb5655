"""Loading a model with llama.cpp: checked, planned, tried, and tried with less where it fails."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import ModelError
from app.core.fit import Placement, Room, Wish, shape_of, uses_flash
from app.core.gguf import GgufHead, read_head
from app.protocol.engine import EngineInfo, LoadModel
from app.protocol.hardware import Gpu
from app.worker.inference.backend import take_buffers, take_errors
from app.worker.inference.cores import generation_threads
from app.worker.inference.file_stamp import FileStamp
from app.worker.inference.gpu import is_software, trusted_gpus, usable_gpus
from app.worker.inference.ladder import Ladder, Step
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.measuring import MemoryMeter
from app.worker.inference.memory import ensure_allocatable, plan_memory, room_for, too_large
from app.worker.inference.native_model import DECODED, KV_NUMBERS, NativeContext, NativeModel
from app.worker.inference.prompt_cache import PromptCache
from app.worker.inference.template import ChatTemplate, Renderer, template_for
from app.worker.inference.text_model import Surroundings
from app.worker.inference.vocabulary import Vocabulary
from app.worker.inference.warming import read_ahead
from app.worker.runtime import Cancelled

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)

_READING_SHARE = 0.8
_PROGRESS_INTERVAL_S = 0.1
_NO_VOCABULARY = ("none", "no_vocab")  # the engine would end the process at the first text
_FIRST_TOKENS = (1, 2)
_SPLIT_NAME = re.compile(r"^(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")

IMAGE_BATCH_TOKENS = 1_152
"""At least the places of an image that a model evaluates as a whole: 256 for Gemma 3, 1,120 for Gemma 4."""

Progress = Callable[[float], None]


def load_model(options: LoadModel, around: Surroundings) -> LoadedModel:
    """Check, read and load a model file; the thread that will generate calls it.

    Raises:
        ModelError: codes of `LoadModel`.
        Cancelled: on request.
    """
    started = time.perf_counter()
    loading = _Loading(options, around)
    loaded = loading.run()
    loading.report(1.0)
    return replace(loaded, info=replace(loaded.info, load_seconds=time.perf_counter() - started))


@dataclass(frozen=True)
class _Opened:
    """A model that is in memory and has been tried."""

    model: NativeModel
    context: NativeContext
    vocabulary: Vocabulary
    placement: Placement

    def close(self) -> None:
        self.context.close()
        self.model.close()


class _Loading:
    """One loading, from the file's head to the model that has evaluated its first tokens."""

    def __init__(self, options: LoadModel, around: Surroundings) -> None:
        self._options, self._around = options, around
        self._head = read_head(Path(options.path))
        if self._head.metadata.get("tokenizer.ggml.model") in _NO_VOCABULARY:
            raise _not_a_chat_model(self._head)
        self._paths = _parts(self._head)
        self._stamps = {path: _stamp(path) for path in self._paths}
        self._heads = [self._head, *(read_head(path) for path in self._paths[1:])]
        self._shape = shape_of(self._head, self._heads[1:])
        self._n_threads = options.n_threads or generation_threads()
        self._gpus: tuple[Gpu, ...] = ()
        self._gpu_key = ""
        self._note = ""
        self._notes: list[str] = []
        self.report = _throttled(lambda done: around.on_progress(done, self._note))

    def run(self) -> LoadedModel:
        self._gpus = self._trusted_gpus()
        room = room_for(self._gpus)
        wish = _wish(self._options)
        self._say(_flash_note(self._options))
        ladder = Ladder(self._shape, wish, room)
        step = plan_memory(self._head, ladder, room)
        for path in self._paths:
            read_ahead(path, lambda done: self.report(done * _READING_SHARE), self._around.is_cancelled)
        if self._around.is_cancelled():
            raise Cancelled
        take_buffers()
        meter = MemoryMeter()
        opened = self._climb_down(step, ladder, room, meter)
        return self._loaded(opened, meter)

    def _trusted_gpus(self) -> tuple[Gpu, ...]:
        """Give the graphics processors that may be used; says why not, where there are some."""
        gpus = usable_gpus() if self._options.gpu_layers else ()
        if not gpus:
            return ()
        around = self._around
        self._say(around.without_gpu)
        if around.without_gpu:
            return ()
        around.gpu_trust.use_file(Path(self._options.devices_path) if self._options.devices_path else None)
        self._gpu_key, against = trusted_gpus(gpus, around.gpu_trust, around.abort, around.is_cancelled)
        if against:
            self._say(f"The graphics processor ({gpus[0].description}) is not used: {against}.")
            return ()
        return gpus

    def _climb_down(self, step: Step, ladder: Ladder, room: Room, meter: MemoryMeter) -> _Opened:
        """Load as planned, or as the ladder says where that fails.

        Raises:
            ModelError: nothing worked.
            Cancelled: on request.
        """
        while True:
            self._say(step.note)
            if not step.placement.fits:
                raise too_large(self._head, step.placement, room, shorter_helps=False)
            try:
                if not step.placement.gpu_layers:
                    return self._open(step.placement, meter)
                with self._around.gpu_trust.trying(self._gpu_key, "load"):
                    return self._open(step.placement, meter)
            except (OSError, MemoryError) as error:
                words = take_errors()
                if self._around.is_cancelled():
                    raise Cancelled from error
                below = ladder.below(step.placement, of_weights=isinstance(error, OSError))
                if below is None:
                    raise _load_failed(self._head, words) from error
                log.info("%s: %s", below.note, words)
                step = below

    def _open(self, placement: Placement, meter: MemoryMeter) -> _Opened:
        """Load onto the devices of a placement and evaluate first tokens.

        Raises:
            OSError: the weights could not be loaded.
            MemoryError: the context could not be made or used.
        """
        take_buffers()
        model = NativeModel(Path(self._options.path), self._go_on, gpu_layers=placement.gpu_layers)
        try:
            if not model.generates_text:
                raise _not_a_chat_model(self._head)
            ensure_allocatable(placement.need)
            # Some models evaluate an image at once.
            n_at_once = max(placement.n_batch, IMAGE_BATCH_TOKENS if self._options.projector else 0)
            context = NativeContext(
                model,
                placement.n_ctx,
                n_at_once,
                self._n_threads,
                self._around.abort,
                kv_type=placement.kv_type,
                flash_attention=self._flash(placement),
            )
            opened = _Opened(model, context, Vocabulary(model), placement)
        except BaseException:
            model.close()
            raise
        try:
            meter.loaded(self._heads, take_buffers(), gpu_in_main=any(map(is_software, self._gpus)))
            self._warm_up(context)
        except BaseException:
            opened.close()
            raise
        return opened

    def _flash(self, placement: Placement) -> str:
        """Say whether the engine uses flash attention, where that is left to us."""
        asked = self._options.flash_attention
        if asked == "auto" and not uses_flash(_wish(self._options), placement.kv_type, placement.gpu_layers):
            return "off"
        return asked

    def _go_on(self, done: float) -> bool:
        self.report(_READING_SHARE + done * (1 - _READING_SHARE))
        return not self._around.is_cancelled()

    def _warm_up(self, context: NativeContext) -> None:
        """Evaluate first tokens: the weights come into memory, and a device that fails shows it now.

        Raises:
            MemoryError: the engine could not.
            Cancelled: on request.
        """
        code = context.decode(_FIRST_TOKENS)
        if self._around.is_cancelled():
            raise Cancelled
        if code != DECODED:
            raise MemoryError(f"the engine could not evaluate its first tokens ({code})")
        context.clear()

    def _say(self, note: str) -> None:
        """Tell of something that was given up."""
        if note:
            self._notes.append(note)
            self._note = note
            self._around.on_progress(0.0 if len(self._notes) == 1 else _READING_SHARE, note)

    def _loaded(self, opened: _Opened, meter: MemoryMeter) -> LoadedModel:
        return LoadedModel(
            options=self._options,
            stamps=self._stamps,
            model=opened.model,
            context=opened.context,
            vocabulary=opened.vocabulary,
            template=_chat_template(self._options, self._head, opened.vocabulary, self._around.renderer),
            cache=PromptCache(),
            n_batch=opened.placement.n_batch,
            info=self._info(opened, meter),
            meter=meter,
        )

    def _info(self, opened: _Opened, meter: MemoryMeter) -> EngineInfo:
        head, placement = self._head, opened.placement
        return EngineInfo(
            path=str(head.path),
            name=head.path.stem,
            architecture=head.architecture,
            description=opened.model.description,
            n_params=opened.model.n_params,
            context_length=opened.context.n_tokens_max,
            context_trained=head.context_trained,
            has_template=head.chat_template is not None,
            load_seconds=0.0,
            handle=self._options.handle,
            n_layers=self._shape.n_layers,
            n_threads=self._n_threads,
            device=self._gpus[0].description if placement.gpu_layers else "CPU",
            n_gpu_layers=placement.gpu_layers,
            kv_type=placement.kv_type,
            notes=tuple(self._notes),
            predicted_bytes=placement.need.total_bytes,
            measured_bytes=meter.loaded_bytes(),
        )


def _wish(options: LoadModel) -> Wish:
    return Wish(
        context_length=options.context_length,
        kv_type=options.kv_type if options.kv_type in KV_NUMBERS else "",
        gpu_layers=options.gpu_layers,
        batch_tokens=options.batch_tokens,
        flash_attention=options.flash_attention != "off",
        flash_always=options.flash_attention == "on",
    )


def _flash_note(options: LoadModel) -> str:
    """Say that a KV type cannot be used without flash attention."""
    if options.flash_attention == "off" and options.kv_type not in ("", "auto", "f16"):
        return f"The KV cache is kept as f16: {options.kv_type} needs flash attention, which is off."
    return ""


def _chat_template(
    options: LoadModel, head: GgufHead, vocabulary: Vocabulary, renderer: Renderer
) -> ChatTemplate:
    source, stop = template_for(options, head, vocabulary.has)
    return ChatTemplate(source, vocabulary.bos_text, vocabulary.eos_text, renderer, stop)


def _parts(head: GgufHead) -> list[Path]:
    """Give all files of a model that is split into several, the first one first.

    Raises:
        ModelError: `model.load_failed`: it is not the first part.
    """
    if head.split_count == 1:
        return [head.path]
    name = _SPLIT_NAME.match(head.path.name)
    if name is None or int(name["number"]) != 1:
        raise ModelError(
            "model.load_failed",
            f"“{head.path.name}” is a later part of a model that is split into {head.split_count} files.",
            "Choose the first part, whose name contains 00001-of.",
        )
    return [
        head.path.with_name(f"{name['stem']}-{number:05d}-of-{name['count']}.gguf")
        for number in range(1, head.split_count + 1)
    ]


def _stamp(path: Path) -> FileStamp:
    try:
        return FileStamp.of(path)
    except OSError as error:
        raise ModelError(
            "model.not_found",
            f"The model file “{path.name}” is not there.",
            "Put it back beside the other parts, or choose another model.",
        ) from error


def _throttled(on_progress: Progress) -> Progress:
    last_s = 0.0

    def report(done: float) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if done >= 1.0 or now_s - last_s >= _PROGRESS_INTERVAL_S:
            last_s = now_s
            on_progress(done)

    return report


def _load_failed(head: GgufHead, engine_words: str) -> ModelError:
    context = {"engine": engine_words[:500], "architecture": head.architecture}
    # The engine has no codes: an architecture or tokenizer newer than it is told apart by its words alone.
    if "unknown model architecture" in engine_words or "unknown pre-tokenizer" in engine_words:
        return ModelError(
            "model.unsupported",
            f"“{head.path.name}” is of a kind ({head.architecture or 'unnamed'}) that this program's "
            "engine does not know.",
            "Update the program, or choose another model.",
            context,
        )
    if "allocate" in engine_words or "insufficient memory" in engine_words:
        return ModelError(
            "model.too_large",
            f"There is not enough memory for “{head.path.name}”.",
            "Close other programs, or choose a smaller model.",
            context,
        )
    return ModelError(
        "model.load_failed",
        f"The engine could not load “{head.path.name}”.",
        "Download the model again, or choose another one; the log in the data folder says more.",
        context,
    )


def _not_a_chat_model(head: GgufHead) -> ModelError:
    return ModelError(
        "model.unsupported",
        f"“{head.path.name}” does not write text: it is made for embedding or translation.",
        "Choose a chat model.",
        {"architecture": head.architecture},
    )
