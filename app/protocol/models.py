"""Messages about the models a front end can choose from."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request


@dataclass(frozen=True, kw_only=True)
class ModelEntry(Body):
    """A chat model on this machine.

    Attributes:
        name: unique; what `--model` takes (file name without `.gguf`).
        state: `available`, `loading`, `loaded` or `broken`.
        problem: in words, where broken.
        context_length: of the loaded context; None where not loaded.
    """

    name: str
    path: str
    size_bytes: int
    state: str
    problem: str = ""
    hint: str = ""
    context_length: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelList(Body):
    """All chat models, by name.

    Attributes:
        default: name of the model used where none is chosen; empty where there is none.
    """

    models: tuple[ModelEntry, ...]
    default: str


@dataclass(frozen=True, kw_only=True)
class ListModels(Request[ModelList]):
    """Ask for the models."""

    TYPE: ClassVar[str] = "model.list"
    RESULT: ClassVar[type[Body]] = ModelList


@dataclass(frozen=True, kw_only=True)
class ChooseModel(Request[ModelEntry]):
    """Load a model ahead of its first use; progress as ModelChanged events."""

    TYPE: ClassVar[str] = "model.load"
    RESULT: ClassVar[type[Body]] = ModelEntry
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelChanged(Body):
    """Event: a model is being loaded, was loaded, unloaded or failed."""

    TYPE: ClassVar[str] = "model.changed"
    model: ModelEntry
    progress: float | None = None
