"""The settings: frozen, bounded, described; stored as `settings.json`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core.errors import UsageError

SCHEMA_VERSION = 1


class Settings(BaseModel):
    """What the user can set; unknown keys of a newer version are kept.

    Attributes:
        schema_version: of the file.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=False)

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    default_model: str = Field(
        default="", description="Model used where none is chosen; empty: the largest that fits"
    )
    context_length: int = Field(
        default=0, ge=0, le=1_048_576, description="Context in tokens; 0: chosen automatically"
    )
    n_threads: int = Field(
        default=0, ge=0, le=256, description="Threads for generation; 0: chosen automatically"
    )
    max_tokens: int = Field(default=1024, ge=1, le=65_536, description="Longest answer in tokens")
    temperature: float = Field(
        default=0.0, ge=0.0, le=2.0, description="Randomness; 0: always the likeliest word"
    )
    top_p: float = Field(default=0.95, gt=0.0, le=1.0, description="Probability mass sampled from")
    top_k: int = Field(
        default=40, ge=0, le=10_000, description="Number of likeliest tokens sampled from; 0: all"
    )
    min_p: float = Field(
        default=0.05, ge=0.0, le=1.0, description="Least probability relative to the likeliest"
    )
    repeat_penalty: float = Field(
        default=1.1, ge=0.5, le=2.0, description="Penalty on repeated tokens; 1: none"
    )
    passage_tokens: int = Field(
        default=2000, ge=128, le=65_536, description="Tokens of passages put into a prompt"
    )
    theme: str = Field(default="system", pattern="^(system|light|dark)$", description="Colours of the window")
    offline: bool = Field(
        default=False, description="No connection to the network is opened, whatever is asked for"
    )
    models_in_memory: int = Field(
        default=1, ge=1, le=8, description="Models kept in memory at once, where they fit"
    )
    idle_unload_minutes: int = Field(
        default=30, ge=0, le=1440, description="Minutes without use until a model leaves memory; 0: never"
    )
    kv_snapshots: bool = Field(
        default=True, description="Keep on the disk what a model has read of a conversation, to go on sooner"
    )
    kv_snapshot_limit_mb: int = Field(
        default=4096, ge=0, le=1_048_576, description="Megabytes that all snapshots may take"
    )
    model_folders: tuple[str, ...] = Field(
        default=(), description="Other folders of models, used in place: PROGRAM=PATH"
    )
    hub_endpoint: str = Field(
        default="https://huggingface.co", max_length=500, description="Address of the model hub or its mirror"
    )
    proxy: str = Field(
        default="",
        max_length=500,
        description="Proxy for downloads: http://host:port; empty: the system's; none: no proxy",
    )
    bandwidth_limit_kb_s: int = Field(
        default=0, ge=0, le=10_000_000, description="Download speed limit in kilobytes a second; 0: none"
    )
    simultaneous_downloads: int = Field(default=1, ge=1, le=4, description="Downloads at the same time")
    speech_model: str = Field(
        default="", max_length=300, description="Model that understands speech; empty: chosen automatically"
    )
    speech_language: str = Field(
        default="",
        pattern="^([a-z]{2,3})?$",
        description="Language spoken (two letters); empty: found out by itself",
    )
    speech_translate: bool = Field(default=False, description="Speech is written down in English")
    microphone: str = Field(default="", max_length=300, description="Microphone; empty: the system's")
    speaker: str = Field(default="", max_length=300, description="Loudspeaker; empty: the system's")
    speech_send_at_once: bool = Field(
        default=False, description="What was said is sent at once, without a look at it"
    )
    speech_silence_s: float = Field(
        default=0.8, ge=0.3, le=5.0, description="Seconds of quiet that end speech in hands-free mode"
    )
    speech_barge_in: bool = Field(default=True, description="In hands-free mode, speaking stops the reading")
    keep_recordings: bool = Field(
        default=False, description="What the microphone hears is kept in the data folder"
    )
    voice: str = Field(
        default="", max_length=300, description="Voice that reads aloud; empty: chosen automatically"
    )
    voice_speed: float = Field(default=1.0, ge=0.5, le=2.0, description="Speed of reading aloud")
    voice_volume: float = Field(default=1.0, ge=0.0, le=1.0, description="Volume of reading aloud")
    read_answers: bool = Field(default=False, description="Answers are read aloud as they are written")
    push_to_talk_key: str = Field(
        default="Ctrl+Space", max_length=60, description="Key that talks while it is held; empty: none"
    )
    guide_seen: bool = Field(
        default=False, description="The guide of the first start was finished or skipped"
    )
    ingestion_paused: bool = Field(default=False, description="Reading of new files is paused")


def updated(settings: Settings, values: dict[str, Any]) -> Settings:
    """Give the settings with some values changed.

    Raises:
        UsageError: `settings.invalid`, naming the first bad value.
    """
    try:
        return Settings.model_validate(settings.model_dump() | values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            "settings.invalid", f"The setting {name} cannot be that: {first['msg']}.", context={"name": name}
        ) from error
