"""Settings of one model: how it is loaded, how it writes, how its prompts look.

Stored by model name in `model_settings.json`; what a user has not set follows the program's defaults (and
where the program's settings have a value of the same name, that one).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

KvType = Literal["auto", "f16", "q8_0", "q4_0"]
FlashAttention = Literal["auto", "on", "off"]


class LoraChoice(BaseModel):
    """A LoRA adapter for a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    scale: float = Field(default=1.0, ge=-4.0, le=4.0)


class ModelSettings(BaseModel):
    """What can be set for one model; None follows the program's setting of that name.

    `json_schema_extra` carries `group` (`Loading`, `Answers`, `Prompt`, `Speed`) and `unit` for the dialog.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    context_length: int | None = Field(
        default=None,
        ge=0,
        le=1_048_576,
        title="Context length",
        description="Tokens that the model sees at once; 0: chosen from the model and free memory",
        json_schema_extra={"group": "Loading", "unit": "tokens"},
    )
    gpu_layers: int = Field(
        default=-1,
        ge=-1,
        le=1000,
        title="Layers on the GPU",
        description="-1: as many as fit; 0: none",
        json_schema_extra={"group": "Loading", "unit": "layers"},
    )
    kv_type: KvType = Field(
        default="auto",
        title="KV cache",
        description="q8_0 takes half the memory of f16, q4_0 a quarter at some loss",
        json_schema_extra={"group": "Loading"},
    )
    flash_attention: FlashAttention = Field(
        default="auto",
        title="Flash attention",
        description="A faster way to compute attention; needed for a quantized KV cache",
        json_schema_extra={"group": "Loading"},
    )
    n_threads: int | None = Field(
        default=None,
        ge=0,
        le=256,
        title="Threads",
        description="0: as many as there are fast cores",
        json_schema_extra={"group": "Loading", "unit": "threads"},
    )
    batch_tokens: int = Field(
        default=0,
        ge=0,
        le=4096,
        title="Batch size",
        description="Prompt tokens read at once; 0: chosen from the model's size",
        json_schema_extra={"group": "Loading", "unit": "tokens"},
    )
    loras: tuple[LoraChoice, ...] = Field(
        default=(),
        max_length=8,
        title="LoRA adapters",
        description="Adapter files that change the model, with their strength",
        json_schema_extra={"group": "Loading"},
    )
    projector: str = Field(
        default="",
        title="Projector for images",
        description="Path of the mmproj file; empty: the one beside the model",
        json_schema_extra={"group": "Loading"},
    )
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        title="Longest answer",
        description="An answer is cut there",
        json_schema_extra={"group": "Answers", "unit": "tokens"},
    )
    temperature: float | None = Field(
        default=None,
        ge=0.0,
        le=2.0,
        title="Temperature",
        description="0: always the likeliest word; higher: more varied",
        json_schema_extra={"group": "Answers"},
    )
    top_p: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        title="Top-p",
        description="Probability mass that words are drawn from",
        json_schema_extra={"group": "Answers"},
    )
    top_k: int | None = Field(
        default=None,
        ge=0,
        le=10_000,
        title="Top-k",
        description="Number of likeliest words drawn from; 0: all",
        json_schema_extra={"group": "Answers"},
    )
    min_p: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        title="Min-p",
        description="Least probability relative to the likeliest word",
        json_schema_extra={"group": "Answers"},
    )
    repeat_penalty: float | None = Field(
        default=None,
        ge=0.5,
        le=2.0,
        title="Repeat penalty",
        description="Makes repeated words less likely; 1: off",
        json_schema_extra={"group": "Answers"},
    )
    repeat_window: int = Field(
        default=64,
        ge=-1,
        le=65_536,
        title="Repeat window",
        description="Tokens that penalties look back; -1: the whole context",
        json_schema_extra={"group": "Answers", "unit": "tokens"},
    )
    frequency_penalty: float = Field(
        default=0.0,
        ge=-2.0,
        le=2.0,
        title="Frequency penalty",
        description="Grows with each repetition; 0: off",
        json_schema_extra={"group": "Answers"},
    )
    presence_penalty: float = Field(
        default=0.0,
        ge=-2.0,
        le=2.0,
        title="Presence penalty",
        description="For words that stand there already; 0: off",
        json_schema_extra={"group": "Answers"},
    )
    typical_p: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        title="Typical-p",
        description="Keeps words of typical surprise; 1: off",
        json_schema_extra={"group": "Answers"},
    )
    top_n_sigma: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        title="Top-n-sigma",
        description="Standard deviations below the best word that stay; 0: off",
        json_schema_extra={"group": "Answers"},
    )
    xtc_probability: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        title="XTC probability",
        description="Chance to leave out the likeliest words; 0: off",
        json_schema_extra={"group": "Answers"},
    )
    xtc_threshold: float = Field(
        default=0.1,
        ge=0.0,
        le=0.5,
        title="XTC threshold",
        description="Words above this probability may be left out",
        json_schema_extra={"group": "Answers"},
    )
    dry_multiplier: float = Field(
        default=0.0,
        ge=0.0,
        le=5.0,
        title="DRY strength",
        description="Penalty on repeated phrases; 0: off",
        json_schema_extra={"group": "Answers"},
    )
    dry_base: float = Field(
        default=1.75,
        ge=1.0,
        le=4.0,
        title="DRY base",
        description="How fast the penalty grows with the phrase's length",
        json_schema_extra={"group": "Answers"},
    )
    dry_allowed_length: int = Field(
        default=2,
        ge=1,
        le=64,
        title="DRY allowed length",
        description="Repeated phrases up to this length are free",
        json_schema_extra={"group": "Answers", "unit": "tokens"},
    )
    temperature_range: float = Field(
        default=0.0,
        ge=0.0,
        le=2.0,
        title="Dynamic temperature",
        description="Half-width around the temperature, by the model's certainty; 0: off",
        json_schema_extra={"group": "Answers"},
    )
    temperature_exponent: float = Field(
        default=1.0,
        ge=0.1,
        le=10.0,
        title="Dynamic temperature exponent",
        description="Shape of the dynamic temperature",
        json_schema_extra={"group": "Answers"},
    )
    mirostat: int = Field(
        default=0,
        ge=0,
        le=2,
        title="Mirostat",
        description="Keeps the surprise constant: 0 off, 1 or 2 the version",
        json_schema_extra={"group": "Answers"},
    )
    mirostat_tau: float = Field(
        default=5.0,
        ge=0.0,
        le=20.0,
        title="Mirostat target",
        description="Target surprise",
        json_schema_extra={"group": "Answers"},
    )
    mirostat_eta: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        title="Mirostat rate",
        description="How fast it adapts",
        json_schema_extra={"group": "Answers"},
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=4_294_967_294,
        title="Seed",
        description="The same seed draws the same words; empty: another one each time",
        json_schema_extra={"group": "Answers"},
    )
    system_prompt: str = Field(
        default="",
        max_length=20_000,
        title="System prompt",
        description="Stands before general conversations",
        json_schema_extra={"group": "Prompt", "lines": 4},
    )
    prompt_format: str = Field(
        default="",
        max_length=64,
        title="Prompt format",
        description="How turns are written; empty: the model's own template",
        json_schema_extra={"group": "Prompt"},
    )
    template: str = Field(
        default="",
        max_length=200_000,
        title="Own template",
        description="A Jinja template that counts before the format",
        json_schema_extra={"group": "Prompt", "lines": 8},
    )
    stop: tuple[str, ...] = Field(
        default=(),
        max_length=16,
        title="Stop texts",
        description="An answer ends where one of these appears",
        json_schema_extra={"group": "Prompt"},
    )
    prompt_lookup: bool = Field(
        default=True,
        title="Guess ahead from the prompt",
        description="Faster answers that quote their passages; the words stay the same",
        json_schema_extra={"group": "Speed"},
    )
    draft_model: str = Field(
        default="",
        title="Draft model",
        description="Name of a small model of the same family that guesses ahead; empty: none",
        json_schema_extra={"group": "Speed"},
    )
    shift_context: bool = Field(
        default=True,
        title="Go on when the context is full",
        description="The oldest part is forgotten, and the answer says so",
        json_schema_extra={"group": "Speed"},
    )
