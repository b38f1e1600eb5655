"""The settings of a model as the host's JSON schema describes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication

GROUPS = ("Loading", "Answers", "Prompt", "Speed")
_BASIC_ANSWERS = frozenset({"max_tokens", "temperature", "top_p", "top_k", "min_p", "repeat_penalty", "seed"})
_BASIC_LOADING = frozenset({"context_length", "gpu_layers", "kv_type", "n_threads"})
_AUTOMATIC_BESIDE_NONE = {"context_length": 0, "n_threads": 0}
_AUTOMATIC = {"gpu_layers": -1, "batch_tokens": 0, "repeat_window": -1}
_OWN_KINDS = {
    "loras": "loras",
    "projector": "projector",
    "draft_model": "draft_model",
    "prompt_format": "prompt_format",
    "template": "template",
}


@dataclass(frozen=True)
class FieldSpec:
    """One setting.

    Attributes:
        kind: `integer`, `number`, `boolean`, `choice`, `text`, `lines`, or the name of a setting that has an
            editor of its own.
        minimum: smallest value, for numbers; None where there is no bound.
        is_above_minimum: the smallest value itself is not allowed.
        automatic: the values that leave the choice to the program; the first is written.
        max_items: of a list; 0: no bound.
        max_length: of a text in characters; 0: no bound.
        n_lines: of the editor of a text.
        is_advanced: folded away under “More”.
    """

    name: str
    title: str
    description: str
    group: str
    kind: str
    default: Any = None
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    is_above_minimum: bool = False
    automatic: tuple[Any, ...] = ()
    choices: tuple[str, ...] = ()
    max_items: int = 0
    max_length: int = 0
    n_lines: int = 1
    is_advanced: bool = False

    def matches(self, words: list[str]) -> bool:
        """Tell whether each of some words in lower case stands in title, description or name."""
        text = f"{self.title} {self.description} {self.name} {group_words(self.group)}".casefold()
        return all(word in text for word in words)

    def is_automatic(self, value: Any) -> bool:
        """Tell whether a value leaves the choice to the program."""
        return any(value is each or (value == each and type(value) is type(each)) for each in self.automatic)


def fields_of(schema: Mapping[str, Any]) -> tuple[FieldSpec, ...]:
    """Read the settings of a JSON schema, in its order; those of kinds that are not known are left out."""
    specs = []
    for name, entry in schema.get("properties", {}).items():
        spec = _field(name, entry)
        if spec is not None:
            specs.append(spec)
    return tuple(specs)


def _field(name: str, entry: Mapping[str, Any]) -> FieldSpec | None:
    options = [each for each in entry.get("anyOf", (entry,)) if each.get("type") != "null"]
    if len(options) != 1:
        return None
    inner = options[0]
    kind = _OWN_KINDS.get(name) or _kind(inner, entry)
    if not kind:
        return None
    is_nullable = len(entry.get("anyOf", ())) > 1
    group = str(entry.get("group", ""))
    lowest = inner.get("exclusiveMinimum", inner.get("minimum"))
    return FieldSpec(
        name=name,
        title=str(entry.get("title", name)),
        description=_plain_description(name) or str(entry.get("description", "")),
        group=group if group in GROUPS else GROUPS[0],
        kind=kind,
        default=entry.get("default"),
        unit=str(entry.get("unit", "")),
        minimum=lowest,
        maximum=inner.get("maximum"),
        is_above_minimum="exclusiveMinimum" in inner,
        automatic=_automatic(name, is_nullable=is_nullable),
        choices=tuple(inner.get("enum", ())),
        max_items=int(inner.get("maxItems", 0)),
        max_length=int(inner.get("maxLength", 0)),
        n_lines=int(entry.get("lines", 1)),
        is_advanced=_is_advanced(name, group),
    )


def _kind(inner: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    if "enum" in inner:
        return "choice"
    kind = str(inner.get("type", ""))
    if kind == "array":
        return "lines" if inner.get("items", {}).get("type") == "string" else ""
    if kind == "string":
        return "text"
    del entry
    return kind if kind in ("integer", "number", "boolean") else ""


def _automatic(name: str, *, is_nullable: bool) -> tuple[Any, ...]:
    values: list[Any] = [None] if is_nullable else []
    if name in _AUTOMATIC_BESIDE_NONE:
        values.append(_AUTOMATIC_BESIDE_NONE[name])
    if name in _AUTOMATIC:
        values.append(_AUTOMATIC[name])
    return tuple(values)


def _is_advanced(name: str, group: str) -> bool:
    if group == "Answers":
        return name not in _BASIC_ANSWERS
    return group == "Loading" and name not in _BASIC_LOADING


def group_words(group: str) -> str:
    """Give a group's name in the user's language."""
    known = {
        "Loading": _tr("Loading"),
        "Answers": _tr("Answers"),
        "Prompt": _tr("Prompt"),
        "Speed": _tr("Speed"),
    }
    return known.get(group, group)


def _plain_description(name: str) -> str:
    """Give words for settings whose description names values that this dialog shows otherwise."""
    known = {
        "context_length": _tr("Tokens that the model sees at once"),
        "gpu_layers": _tr("How much of the model the GPU computes; 0: none"),
        "kv_type": _tr("How exactly the model keeps what it has read"),
        "n_threads": _tr("Processor threads that compute"),
        "batch_tokens": _tr("Prompt tokens read at once"),
        "repeat_window": _tr("Tokens that penalties look back"),
        "projector": _tr("The mmproj file with which the model reads images"),
        "seed": _tr("The same seed draws the same words"),
        "prompt_format": _tr("How turns are written"),
        "draft_model": _tr("A small model of the same family that guesses ahead"),
    }
    return known.get(name, "")


def automatic_words(spec: FieldSpec, inherited: Any) -> str:
    """Say what it means to leave a setting to the program.

    Args:
        spec: of the setting.
        inherited: the program's own setting of that name; None where it has none.
    """
    own = {
        "gpu_layers": _tr("As many as fit"),
        "repeat_window": _tr("The whole context"),
        "seed": _tr("Another one each time"),
    }
    if spec.name in own:
        return own[spec.name]
    if inherited is None or spec.is_automatic(inherited):
        return _tr("Automatic")
    return _tr("Program's setting: {0}").format(inherited)


def choice_words(name: str, value: str) -> str:
    """Give a choice in words."""
    known = {
        ("kv_type", "f16"): _tr("f16: exact"),
        ("kv_type", "q8_0"): _tr("q8_0: half the memory"),
        ("kv_type", "q4_0"): _tr("q4_0: a quarter, some loss"),
    }
    plain = {"auto": _tr("Automatic"), "on": _tr("On"), "off": _tr("Off")}
    return known.get((name, value)) or plain.get(value, value)


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelSettings", text)
