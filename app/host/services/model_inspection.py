"""What model files say of themselves: their heads are read once, in threads, and remembered."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app.core.errors import ModelError
from app.core.fit import ModelShape, shape_of
from app.core.ggml_legacy import is_legacy, read_legacy_head
from app.core.gguf import GgufHead, read_head
from app.core.model_facts import kind_of, licence_of, quantization_of
from app.host.services.model_files import FileVersion, ModelFile

DEADLINE_S = 30.0
_N_AT_ONCE = 2
_N_THREADS = 8  # those that hang on a dead disk are not among those at work
_MAX_REMEMBERED = 2000
# Source: scripts/setup/model_pins.py, which says what comes with the program.
_STARTER_LICENCES = {"speech": "MIT", "voice": "CC0-1.0"}
_MISSING_PART = "The model is not complete: its part {name} is missing."


@dataclass(frozen=True)
class Inspection:
    """What was found in a model file.

    Attributes:
        format: `gguf`, `ggml` for the formats before it; of folders of files, the main one's ending, or
            `ctranslate2` for speech models.
        problem: why no engine should see the file; None where nothing is wrong.
        shape: for the fit advice; None where the head does not give it.
    """

    format: str = "gguf"
    kind: str = "chat"
    architecture: str = ""
    quantization: str = ""
    n_params: int = 0
    context_trained: int = 0
    licence: str = ""
    has_template: bool = False
    problem: ModelError | None = None
    shape: ModelShape | None = None


class Inspector:
    """Reads heads in threads of its own, two at a time, each file once for its path, size and time.

    A file that hangs (a dead network disk) holds up one of these threads, and nothing else.
    """

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        """Remember nothing yet; a file that takes longer than the deadline is said to be unreadable."""
        self._known: dict[FileVersion, Inspection] = {}
        self._gate = asyncio.Semaphore(_N_AT_ONCE)
        self._pool = ThreadPoolExecutor(_N_THREADS, "ThreadPoolExecutor-heads")
        self._hanging: dict[FileVersion, asyncio.Future[Inspection]] = {}
        self._deadline_s = deadline_s

    async def inspect(self, model: ModelFile) -> Inspection:
        """Look into a model that is there."""
        version = model.version
        known = self._known.get(version)
        if known is not None:
            return known
        hanging = self._hanging.get(version)
        if hanging is not None and not hanging.done():
            return Inspection(problem=_too_slow(model, self._deadline_s))
        async with self._gate:
            future = asyncio.get_running_loop().run_in_executor(self._pool, inspect, model)
            try:
                async with asyncio.timeout(self._deadline_s):
                    found = await asyncio.shield(future)
            except TimeoutError:
                self._hanging[version] = future
                return Inspection(problem=_too_slow(model, self._deadline_s))
        self._hanging.pop(version, None)
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[version] = found
        return found

    def close(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def set_problem(self, version: FileVersion, problem: ModelError) -> None:
        """Remember what the engine found wrong with a file, for as long as it does not change."""
        known = self._known.get(version, Inspection())
        self._known[version] = Inspection(**{**vars(known), "problem": problem})

    def forget(self, version: FileVersion) -> None:
        """Look at a file anew the next time."""
        self._known.pop(version, None)


def inspect(model: ModelFile) -> Inspection:
    """Read a model's heads; any thread."""
    if model.kind:
        licence = _STARTER_LICENCES.get(model.kind, "") if model.source == "bundled" else ""
        return Inspection(format=_set_format(model), kind=model.kind, licence=licence)
    if is_legacy(model.path):
        return _inspect_legacy(model)
    for part in model.parts:
        if not part.is_file():
            message = _MISSING_PART.format(name=part.name)
            return Inspection(
                problem=ModelError("model.truncated", message, "Fetch the missing part, or the model anew.")
            )
    try:
        heads = [read_head(path) for path in model.files]
    except ModelError as error:
        return Inspection(problem=error)
    return _described(heads, model)


def _set_format(model: ModelFile) -> str:
    """Name the format of a model that is a folder of files."""
    return "ctranslate2" if model.kind == "speech" else model.path.suffix.lstrip(".")


def _inspect_legacy(model: ModelFile) -> Inspection:
    try:
        head = read_legacy_head(model.path)
    except ModelError as error:
        return Inspection(format="ggml", problem=error)
    return Inspection(
        format="ggml",
        architecture=head.kind,
        quantization=head.storage,
        n_params=head.n_params,
        context_trained=head.context_length,
    )


def _described(heads: list[GgufHead], model: ModelFile) -> Inspection:
    head = heads[0]
    kind = kind_of(head)
    return Inspection(
        kind=kind,
        architecture=head.architecture,
        quantization=quantization_of(head, model.path.name),
        n_params=sum(part.n_params for part in heads),
        context_trained=head.context_trained,
        licence=licence_of(head),
        has_template=head.chat_template is not None,
        shape=shape_of(head, heads[1:]) if kind == "chat" else None,
    )


def _too_slow(model: ModelFile, deadline_s: float) -> ModelError:
    return ModelError(
        "model.unreadable",
        f"The model file “{model.path.name}” could not be read within {deadline_s:.0f} seconds.",
        "Check that its drive is connected and works.",
    )
