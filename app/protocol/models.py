"""Messages about the models on this computer: what is there, whether it fits, how it is loaded and set."""

from dataclasses import dataclass
from typing import Any, ClassVar

from app.protocol.body import Body, Request
from app.protocol.engine import PromptMessage
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class Fit(Body):
    """Whether a model fits into the memory that is free now, and how fast it should run.

    Attributes:
        verdict: `good`, `slow` (fits, below reading speed), `tight` (fits, but little memory stays for other
            programs), `too_large` or `unknown`.
        words: one line for people: “runs well: about 12 words a second”.
        placement: `gpu` (all layers), `partial`, `cpu`; empty where it does not fit or is not known.
        n_gpu_layers: layers on the GPU, of `n_layers`.
        context_length: tokens that the figures are for.
        kv_type: storage of the KV cache: `f16`, `q8_0` or `q4_0`.
        needed_bytes: weights, KV cache, compute buffers and the rest, in main memory and on the GPU.
        available_bytes: main memory free now, and what the replaced model gives back.
        gpu_needed_bytes: the part of `needed_bytes` on the GPU.
        gpu_available_bytes: free there now, and what the replaced model gives back.
        tokens_per_s: estimated speed of writing; None where nothing was measured on this machine yet.
    """

    verdict: str
    words: str
    placement: str = ""
    n_gpu_layers: int = 0
    n_layers: int = 0
    context_length: int = 0
    kv_type: str = "f16"
    weight_bytes: int = 0
    kv_bytes: int = 0
    compute_bytes: int = 0
    needed_bytes: int = 0
    available_bytes: int = 0
    gpu_needed_bytes: int = 0
    gpu_available_bytes: int = 0
    tokens_per_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Loaded(Body):
    """A model in memory, with what was predicted before and measured since.

    Attributes:
        notes: what the engine had to give up to load it (fewer layers on the GPU, a shorter context), in
            words, in order.
        predicted_bytes: by the fit advice, before loading.
        measured_bytes: what loading has taken; the peak so far.
        predicted_tokens_per_s: by the fit advice; None where it made no estimate.
        measured_tokens_per_s: of the latest answer; None before the first.
    """

    context_length: int
    kv_type: str
    n_gpu_layers: int
    n_layers: int
    device: str
    n_threads: int
    notes: tuple[str, ...] = ()
    predicted_bytes: int = 0
    measured_bytes: int = 0
    predicted_tokens_per_s: float | None = None
    measured_tokens_per_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class ModelEntry(Body):
    """A model on this machine.

    Attributes:
        name: unique; what `--model` takes (file name without its ending).
        state: `available`, `loading`, `loaded`, `broken` or `missing` (the file vanished).
        problem: in words, where broken or missing.
        context_length: of the loaded context; None where not loaded.
        kind: `chat`, `embedding`, `reranking`, `speech`, `voice`, `projector` or `adapter` (LoRA).
        source: `bundled`, `downloaded`, `folder` (put into the models folder by hand), `imported` (used in
            place), `lm_studio`, `ollama`, `gpt4all`, `hugging_face` (another program's folder, in place).
        format: `gguf` or `ggml` (before GGUF; runs on the legacy engine).
        quantization: as its makers write it, `Q4_K_M`; empty where not known.
        context_trained: tokens; 0 where the file does not say.
        licence: as the file or the catalogue says; empty where not known.
        has_template: the file brings a chat template.
        projector: name of the projector file beside it, with which it reads images; empty where none.
        verified: its sha256 was checked when it was downloaded.
        freed_bytes: what removing it gives back on the disk; 0 for what the program may not delete by itself.
        fit: None where it was not asked for.
        loaded: where it is in memory.
    """

    name: str
    path: str
    size_bytes: int
    state: str
    problem: str = ""
    hint: str = ""
    context_length: int | None = None
    kind: str = "chat"
    source: str = "folder"
    format: str = "gguf"
    architecture: str = ""
    quantization: str = ""
    n_params: int = 0
    context_trained: int = 0
    licence: str = ""
    has_template: bool = False
    projector: str = ""
    verified: bool = False
    freed_bytes: int = 0
    fit: Fit | None = None
    loaded: Loaded | None = None


@dataclass(frozen=True, kw_only=True)
class ModelList(Body):
    """All models, by name.

    Attributes:
        default: name of the model used where none is chosen; empty where there is none.
        folder: where downloads go.
        disk_bytes: taken by the models in it.
    """

    models: tuple[ModelEntry, ...]
    default: str
    folder: str = ""
    disk_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class ListModels(Request[ModelList]):
    """Ask for the models.

    Attributes:
        with_fit: add the fit advice (reads files' heads and asks for free memory: slower).
    """

    TYPE: ClassVar[str] = "model.list"
    RESULT: ClassVar[type[Body]] = ModelList
    with_fit: bool = False


@dataclass(frozen=True, kw_only=True)
class ChooseModel(Request[ModelEntry]):
    """Load a model ahead of its first use; progress as ModelChanged events; cancelling ends the loading."""

    TYPE: ClassVar[str] = "model.load"
    RESULT: ClassVar[type[Body]] = ModelEntry
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class UnloadModelNamed(Request[Empty]):
    """Free a loaded model's memory; empty: all of them."""

    TYPE: ClassVar[str] = "model.unload"
    RESULT: ClassVar[type[Body]] = Empty
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelChanged(Body):
    """Event: a model is being loaded, was loaded, unloaded, measured anew or failed.

    Attributes:
        note: what is being tried instead, in words (the fallback ladder).
    """

    TYPE: ClassVar[str] = "model.changed"
    model: ModelEntry
    progress: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelsChanged(Body):
    """Event: the list of models changed (one came, went or vanished): ask for it again."""

    TYPE: ClassVar[str] = "model.list_changed"


@dataclass(frozen=True, kw_only=True)
class FitModel(Request[Fit]):
    """Ask whether a model fits. Errors: `model.not_found` and those of reading its head.

    Attributes:
        name: of a model here, a catalogue id, or the path of a file.
        context_length: tokens; 0: as it would be chosen.
        kv_type: empty: as it would be chosen.
        gpu_layers: -1: as many as fit.
    """

    TYPE: ClassVar[str] = "model.fit"
    RESULT: ClassVar[type[Body]] = Fit
    name: str
    context_length: int = 0
    kv_type: str = ""
    gpu_layers: int = -1


@dataclass(frozen=True, kw_only=True)
class ImportModel(Request[ModelEntry]):
    """Use a model file where it is, without copying it.

    Errors: `model.not_found`, `model.not_gguf`, `model.damaged`, …: the file is not taken then.
    """

    TYPE: ClassVar[str] = "model.import"
    RESULT: ClassVar[type[Body]] = ModelEntry
    path: str


@dataclass(frozen=True, kw_only=True)
class FoundFolder(Body):
    """A folder of models of another program.

    Attributes:
        program: `lm_studio`, `ollama`, `gpt4all` or `hugging_face`.
        title: the program's name for people.
        in_use: its models stand in our list.
    """

    program: str
    title: str
    path: str
    n_models: int
    size_bytes: int
    in_use: bool


@dataclass(frozen=True, kw_only=True)
class FoundFolders(Body):
    """Folders of other programs that hold models."""

    folders: tuple[FoundFolder, ...]


@dataclass(frozen=True, kw_only=True)
class FindFolders(Request[FoundFolders]):
    """Look for other programs' models on this computer; nothing is copied or changed."""

    TYPE: ClassVar[str] = "model.find_folders"
    RESULT: ClassVar[type[Body]] = FoundFolders


@dataclass(frozen=True, kw_only=True)
class UseFolder(Request[FoundFolders]):
    """Show the models of a folder in our list, in place, or no longer.

    Attributes:
        program: as in FoundFolder; `folder` for any other folder of GGUF files.
    """

    TYPE: ClassVar[str] = "model.use_folder"
    RESULT: ClassVar[type[Body]] = FoundFolders
    path: str
    program: str = "folder"
    use: bool = True


@dataclass(frozen=True, kw_only=True)
class RemovedModel(Body):
    """What removing a model did.

    Attributes:
        freed_bytes: on the disk; 0 where only the entry in the list went.
        kept_path: the file that stays, where it is not ours; empty where it was deleted.
    """

    freed_bytes: int
    kept_path: str = ""


@dataclass(frozen=True, kw_only=True)
class RemoveModel(Request[RemovedModel]):
    """Remove a model. A file that we did not download stays unless `delete_file` is said for it.

    Errors: `model.not_found`, `model.bundled` (belongs to the program), `model.not_deleted`.
    """

    TYPE: ClassVar[str] = "model.remove"
    RESULT: ClassVar[type[Body]] = RemovedModel
    name: str
    delete_file: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelSettingsBody(Body):
    """A model's settings.

    Attributes:
        values: in force (`app.core.model_settings.ModelSettings`).
        changed: names of those that the user set; the rest are defaults.
        schema: JSON schema of the settings: titles, descriptions, bounds, units.
    """

    values: dict[str, Any]
    changed: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class GetModelSettings(Request[ModelSettingsBody]):
    """Ask for a model's settings."""

    TYPE: ClassVar[str] = "model.settings"
    RESULT: ClassVar[type[Body]] = ModelSettingsBody
    name: str


@dataclass(frozen=True, kw_only=True)
class UpdateModelSettings(Request[ModelSettingsBody]):
    """Change some of a model's settings; null takes a value back to its default.

    Errors: `settings.invalid`, naming the value. A loaded model is loaded anew at its next use if need be.

    Attributes:
        reset: take all back to the defaults first.
    """

    TYPE: ClassVar[str] = "model.update_settings"
    RESULT: ClassVar[type[Body]] = ModelSettingsBody
    name: str
    values: dict[str, Any]
    reset: bool = False


@dataclass(frozen=True, kw_only=True)
class PromptPreview(Body):
    """A conversation as a prompt format writes it.

    Attributes:
        text: the prompt; empty where it fails.
        problem: why it fails, in words.
        stop: strings that would end an answer.
    """

    text: str
    problem: str = ""
    hint: str = ""
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PreviewPrompt(Request[PromptPreview]):
    """Show what a prompt format makes of a conversation; a template that is wrong is a result, not an error.

    Attributes:
        model: whose own template, beginning and ending tokens are used; may be empty with a format or
            template.
        format: a named one (`app.core.prompt_formats`); empty: the model's own.
        template: the user's own Jinja template, which counts before `format`.
        messages: empty: a sample conversation.
    """

    TYPE: ClassVar[str] = "model.preview_prompt"
    RESULT: ClassVar[type[Body]] = PromptPreview
    model: str = ""
    format: str = ""
    template: str = ""
    messages: tuple[PromptMessage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BenchProgress(Body):
    """Progress of BenchModel: 0 to 1."""

    TYPE: ClassVar[str] = "model.benched"
    fraction: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class BenchResult(Body):
    """Speeds of a model on this machine; tokens per second, predicted beside measured."""

    name: str
    n_prompt: int
    n_generated: int
    prompt_tokens_per_s: float
    tokens_per_s: float
    predicted_tokens_per_s: float | None
    load_seconds: float
    predicted_bytes: int
    measured_bytes: int
    device: str
    n_gpu_layers: int
    n_layers: int
    context_length: int
    kv_type: str
    n_threads: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BenchModel(Request[BenchResult]):
    """Measure a model: a prompt of `n_prompt` tokens, then `n_generate` tokens."""

    TYPE: ClassVar[str] = "model.bench"
    RESULT: ClassVar[type[Body]] = BenchResult
    name: str = ""
    n_prompt: int = 512
    n_generate: int = 64
