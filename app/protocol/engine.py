"""Messages between host and inference worker."""

from dataclasses import dataclass
from typing import Any, ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class EngineProgress(Body):
    """Progress of loading: 0 to 1.

    Attributes:
        note: what is being tried instead of what failed, in words (the fallback ladder).
    """

    TYPE: ClassVar[str] = "engine.loading"
    fraction: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class EngineInfo(Body):
    """A loaded model.

    Attributes:
        context_length: tokens of this session's context.
        context_trained: tokens the model was trained for.
        has_template: the file brings a chat template.
        n_params: number of weights.
        handle: what requests name this model by (`LoadModel.handle`).
        engine: `llama` or `legacy`.
        device: what computes: `CPU`, or the GPU's description.
        n_gpu_layers: on the GPU, of `n_layers`.
        kv_type: of the KV cache.
        reads_images: a projector is loaded.
        notes: what was given up to load it, in words, in order; empty where nothing.
        predicted_bytes: by `app.core.fit` from the file's head, for how it was loaded in the end.
        measured_bytes: main and GPU memory that loading it took.
    """

    path: str
    name: str
    architecture: str
    description: str
    n_params: int
    context_length: int
    context_trained: int
    has_template: bool
    load_seconds: float
    n_threads: int
    handle: str = ""
    engine: str = "llama"
    device: str = "CPU"
    n_gpu_layers: int = 0
    n_layers: int = 0
    kv_type: str = "f16"
    reads_images: bool = False
    notes: tuple[str, ...] = ()
    predicted_bytes: int = 0
    measured_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class LoraAdapter(Body):
    """A LoRA adapter file and how strongly it counts."""

    path: str
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class LoadModel(Request[EngineInfo]):
    """Load a model file in place of the one of the same handle, on the best device that works.

    The model that is loaded already from the same unchanged files with the same options is kept. Where a
    device fails or has too little memory, less is tried: fewer layers on the GPU, the processor, a shorter
    context; `EngineInfo.notes` says so.

    Errors: `model.not_found`, `model.unreadable`, `model.not_gguf`, `model.truncated`, `model.damaged`,
    `model.unsupported`, `model.too_large`, `model.load_failed`, `adapter.bad`, `projector.bad`,
    `draft.bad`, `prompt.unknown_format`.

    Attributes:
        handle: names the model in later requests; several handles are several models in memory.
        context_length: tokens; 0 lets the worker choose from the model and free memory.
        n_threads: 0 lets the worker choose from the cores.
        kv_type: `f16`, `q8_0` or `q4_0`; empty lets the worker choose.
        flash_attention: `auto`, `on` or `off`.
        gpu_layers: -1 as many as fit, 0 none.
        batch_tokens: prompt tokens evaluated at once; 0 lets the worker choose.
        prompt_format: a named one (`app.core.prompt_formats`); empty: the file's own.
        template: a Jinja template of the user's, which counts before `prompt_format`.
        projector: path of the file with which the model reads images; empty for none.
        draft: path of a small model of the same vocabulary that guesses ahead; empty for none.
        snapshot_dir: where KV snapshots of conversations are kept; empty for nowhere.
        snapshot_limit_bytes: of all of them together; the oldest go first.
        devices_path: file in which the worker keeps which graphics processors passed their test or crashed;
            empty for nowhere.
    """

    TYPE: ClassVar[str] = "engine.load"
    RESULT: ClassVar[type[Body]] = EngineInfo
    path: str
    context_length: int = 0
    n_threads: int = 0
    handle: str = ""
    kv_type: str = ""
    flash_attention: str = "auto"
    gpu_layers: int = -1
    batch_tokens: int = 0
    prompt_format: str = ""
    template: str = ""
    loras: tuple[LoraAdapter, ...] = ()
    projector: str = ""
    draft: str = ""
    snapshot_dir: str = ""
    snapshot_limit_bytes: int = 0
    devices_path: str = ""


@dataclass(frozen=True, kw_only=True)
class UnloadModel(Request[Empty]):
    """Free a loaded model, after its KV cache was kept as a snapshot where that is wanted."""

    TYPE: ClassVar[str] = "engine.unload"
    RESULT: ClassVar[type[Body]] = Empty
    handle: str = ""


@dataclass(frozen=True, kw_only=True)
class SaveSnapshot(Request[Empty]):
    """Write the KV cache of the conversation that a model holds, if it is worth it and not written yet."""

    TYPE: ClassVar[str] = "engine.save_snapshot"
    RESULT: ClassVar[type[Body]] = Empty
    handle: str = ""


@dataclass(frozen=True, kw_only=True)
class ForgetSnapshots(Request[Empty]):
    """Delete the snapshots of a conversation, on the disk and in memory; of all where it is empty."""

    TYPE: ClassVar[str] = "engine.forget_snapshots"
    RESULT: ClassVar[type[Body]] = Empty
    directory: str
    conversation: str = ""


@dataclass(frozen=True, kw_only=True)
class MeasuredSpeed(Body):
    """What a measurement found; tokens per second.

    Attributes:
        measured_bytes: memory that the model takes, with its buffers used.
    """

    n_prompt: int
    n_generated: int
    prompt_tokens_per_s: float
    tokens_per_s: float
    measured_bytes: int


@dataclass(frozen=True, kw_only=True)
class MeasureSpeed(Request[MeasuredSpeed]):
    """Measure a loaded model with a prompt of arbitrary tokens, then single ones; empties the cache."""

    TYPE: ClassVar[str] = "engine.measure"
    RESULT: ClassVar[type[Body]] = MeasuredSpeed
    handle: str = ""
    n_prompt: int = 512
    n_generate: int = 64


@dataclass(frozen=True, kw_only=True)
class Calibration(Body):
    """How fast this machine computes models, for estimates (`app.core.fit`).

    Attributes:
        key: of processor, engine build, threads and GPU; another key makes it stale.
        cpu_bytes_per_s: weights read per second while writing token after token on the processor.
        cpu_flops: weight multiplications per second while reading a prompt on the processor.
        gpu_bytes_per_s: as above on the first GPU; 0 where there is none.
        overhead_s: of one token, whatever the model's size.
    """

    key: str = ""
    cpu_bytes_per_s: float = 0.0
    cpu_flops: float = 0.0
    gpu_bytes_per_s: float = 0.0
    overhead_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Calibrate(Request[Calibration]):
    """Measure this machine with a generated model of random weights; takes a few seconds."""

    TYPE: ClassVar[str] = "engine.calibrate"
    RESULT: ClassVar[type[Body]] = Calibration
    n_threads: int = 0


@dataclass(frozen=True, kw_only=True)
class PromptMessage(Body):
    """One turn as the chat template gets it.

    Attributes:
        role: `system`, `user` or `assistant`.
        images: of `Generate.images`, by index, that stand before this turn's text.
    """

    role: str
    content: str
    images: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImagePixels(Body):
    """An image in the payload of Generate: `width` × `height` × 3 bytes, RGB, rows from the top.

    Attributes:
        sha256: of the file it came from; what the prompt cache knows it by.
    """

    width: int
    height: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class PromptProgress(Body):
    """Progress of Generate: prompt tokens evaluated of those to evaluate (cached ones not counted)."""

    TYPE: ClassVar[str] = "prompt.evaluated"
    done: int
    total: int
    cached: int


@dataclass(frozen=True, kw_only=True)
class TokenGenerated(Body):
    """Progress of Generate: text of one or more tokens, always whole code points."""

    TYPE: ClassVar[str] = "token.generated"
    text: str


@dataclass(frozen=True, kw_only=True)
class Generation(Body):
    """The end of Generate, and the body of its `cancelled`.

    Attributes:
        text: all text generated.
        cached_tokens: prompt tokens whose KV entries were reused.
        first_token_s: seconds from the request to the first token; None where none came.
        tokens_per_s: (n - 1) / (last - first token); None for fewer than two tokens.
        finish: `stop`, `length`, `context` or `cancelled`.
        seed: that the sampler used; None for greedy answers.
        n_shifted: oldest tokens dropped from the context to go on writing; 0 where none.
        n_drafted: tokens guessed ahead (prompt lookup, draft model).
        n_accepted: of them, those that the model agreed with.
        from_snapshot: the reused tokens came from a snapshot on the disk.
    """

    text: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    first_token_s: float | None
    tokens_per_s: float | None
    finish: str
    seed: int | None = None
    n_shifted: int = 0
    n_drafted: int = 0
    n_accepted: int = 0
    from_snapshot: bool = False


@dataclass(frozen=True, kw_only=True)
class Sampling(Body):
    """How the next token is picked, beyond temperature, top-k, top-p and min-p; defaults change nothing.

    Attributes:
        typical_p: locally typical sampling; 1: off.
        top_n_sigma: standard deviations below the best logit that stay; 0: off.
        xtc_probability, xtc_threshold: exclude top choices; probability 0: off.
        frequency_penalty, presence_penalty: as in OpenAI's API; 0: off.
        repeat_window: tokens that penalties look back; -1: the whole context.
        dry_multiplier: strength of the penalty on repeated sequences (DRY); 0: off.
        temperature_range: half-width of the entropy-driven temperature; 0: fixed temperature.
        mirostat: 0 (off), 1 or 2; replaces the other steps but penalties and temperature.
        logit_bias: added to the logits of tokens, by their text.
    """

    typical_p: float = 1.0
    top_n_sigma: float = 0.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repeat_window: int = 64
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    temperature_range: float = 0.0
    temperature_exponent: float = 1.0
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: dict[str, float] | None = None


PLAIN_SAMPLING = Sampling()


@dataclass(frozen=True, kw_only=True)
class Generate(Request[Generation]):
    """Continue a conversation with the loaded model.

    Errors: `model.not_loaded`, `model.changed`, `prompt.empty`, `prompt.too_long`, `prompt.template_failed`,
    `engine.failed`, `grammar.bad`, `schema.bad`, `model.no_images`, `image.bad`.

    Attributes:
        handle: of the model.
        conversation: whose KV snapshot is looked for and kept; empty for none.
        messages: the whole conversation, append-only from turn to turn so that the KV cache is reused.
        images: pixels one after the other in the payload.
        seed: None for a random one.
        temperature: 0 is greedy.
        grammar: in llama.cpp's GBNF, that the answer obeys; empty for none.
        json_schema: that the answer, one JSON value, obeys; None for none.
        shift_context: where the context is full, drop the oldest part and go on.
        prompt_lookup: guess ahead from what stands in the prompt.
    """

    TYPE: ClassVar[str] = "engine.generate"
    RESULT: ClassVar[type[Body]] = Generation
    messages: tuple[PromptMessage, ...]
    max_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    handle: str = ""
    conversation: str = ""
    images: tuple[ImagePixels, ...] = ()
    sampling: Sampling = PLAIN_SAMPLING
    grammar: str = ""
    json_schema: dict[str, Any] | None = None
    shift_context: bool = True
    prompt_lookup: bool = True


@dataclass(frozen=True, kw_only=True)
class TokenCounts(Body):
    """Number of tokens of each text, or of the one rendered prompt."""

    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CountTokens(Request[TokenCounts]):
    """Count tokens of texts, or, where `messages` is given, of the prompt the template makes of them.

    Attributes:
        images: that the messages name by index, as in Generate; their pixels are not needed.
    """

    TYPE: ClassVar[str] = "engine.count_tokens"
    RESULT: ClassVar[type[Body]] = TokenCounts
    texts: tuple[str, ...] = ()
    messages: tuple[PromptMessage, ...] = ()
    handle: str = ""
    images: tuple[ImagePixels, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RenderedPrompt(Body):
    """A conversation as a template writes it, or why it cannot.

    Attributes:
        problem: in words; empty where it worked.
    """

    text: str
    problem: str = ""
    hint: str = ""
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RenderPrompt(Request[RenderedPrompt]):
    """Show what a template makes of a conversation, with no model loaded.

    Attributes:
        path: of the model file whose template and tokens are used; may be empty with a format or template.
        prompt_format: as in LoadModel.
        template: as in LoadModel.
    """

    TYPE: ClassVar[str] = "engine.render_prompt"
    RESULT: ClassVar[type[Body]] = RenderedPrompt
    messages: tuple[PromptMessage, ...]
    path: str = ""
    prompt_format: str = ""
    template: str = ""
