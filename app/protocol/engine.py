"""Messages between host and inference worker."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class EngineProgress(Body):
    """Progress of loading: 0 to 1."""

    TYPE: ClassVar[str] = "engine.loading"
    fraction: float


@dataclass(frozen=True, kw_only=True)
class EngineInfo(Body):
    """A loaded model.

    Attributes:
        context_length: tokens of this session's context.
        context_trained: tokens the model was trained for.
        has_template: the file brings a chat template.
        n_params: number of weights.
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


@dataclass(frozen=True, kw_only=True)
class LoadModel(Request[EngineInfo]):
    """Load a GGUF file in place of the present one.

    The model that is loaded already from the same unchanged file with the same options is kept.

    Errors: `model.not_found`, `model.unreadable`, `model.not_gguf`, `model.truncated`, `model.damaged`,
    `model.unsupported`, `model.too_large`, `model.load_failed`.

    Attributes:
        context_length: tokens; 0 lets the worker choose from the model and free memory.
        n_threads: 0 lets the worker choose from the cores.
    """

    TYPE: ClassVar[str] = "engine.load"
    RESULT: ClassVar[type[Body]] = EngineInfo
    path: str
    context_length: int = 0
    n_threads: int = 0


@dataclass(frozen=True, kw_only=True)
class UnloadModel(Request[Empty]):
    """Free the loaded model."""

    TYPE: ClassVar[str] = "engine.unload"
    RESULT: ClassVar[type[Body]] = Empty


@dataclass(frozen=True, kw_only=True)
class PromptMessage(Body):
    """One turn as the chat template gets it.

    Attributes:
        role: `system`, `user` or `assistant`.
    """

    role: str
    content: str


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
    """

    text: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    first_token_s: float | None
    tokens_per_s: float | None
    finish: str


@dataclass(frozen=True, kw_only=True)
class Generate(Request[Generation]):
    """Continue a conversation with the loaded model.

    Errors: `model.not_loaded`, `model.changed`, `prompt.empty`, `prompt.too_long`, `prompt.template_failed`,
    `engine.failed`.

    Attributes:
        messages: the whole conversation, append-only from turn to turn so that the KV cache is reused.
        seed: None for a random one.
        temperature: 0 is greedy.
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


@dataclass(frozen=True, kw_only=True)
class TokenCounts(Body):
    """Number of tokens of each text, or of the one rendered prompt."""

    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CountTokens(Request[TokenCounts]):
    """Count tokens of texts, or, where `messages` is given, of the prompt the template makes of them."""

    TYPE: ClassVar[str] = "engine.count_tokens"
    RESULT: ClassVar[type[Body]] = TokenCounts
    texts: tuple[str, ...] = ()
    messages: tuple[PromptMessage, ...] = ()
