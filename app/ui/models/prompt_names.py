"""The prompt formats that the settings offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class NamedFormat(Protocol):
    """What the settings need of a format (`app.core.prompt_formats` has the real ones)."""

    @property
    def name(self) -> str:
        """Stable name, as it is stored."""

    @property
    def title(self) -> str:
        """Name for people."""

    @property
    def note(self) -> str:
        """Which models it is for."""

    @property
    def template(self) -> str:
        """Jinja source; empty where it is not known here."""


@dataclass(frozen=True)
class FormatName:
    """A format of which only the names are known."""

    name: str
    title: str
    note: str = ""
    template: str = ""


FORMATS: Sequence[NamedFormat] = (
    FormatName("chatml", "ChatML"),
    FormatName("llama-2", "Llama 2 chat"),
    FormatName("llama-3", "Llama 3"),
    FormatName("mistral-v1", "Mistral instruct, up to v0.2"),
    FormatName("mistral-v3", "Mistral instruct, from v0.3 on"),
    FormatName("falcon", "Falcon instruct"),
    FormatName("vicuna", "Vicuna 1.1"),
    FormatName("wizardlm", "WizardLM"),
    FormatName("alpaca", "Alpaca"),
    FormatName("zephyr", "Zephyr"),
    FormatName("gemma", "Gemma"),
    FormatName("phi-3", "Phi-3"),
    FormatName("h2ogpt", "h2oGPT human and bot"),
    FormatName("h2o-danube", "H2O Danube"),
    FormatName("plain", "Plain text"),
)
