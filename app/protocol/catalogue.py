"""Messages about models to get: the catalogue that comes with the program, and the Hugging Face hub."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.models import Fit


@dataclass(frozen=True, kw_only=True)
class CatalogueFile(Body):
    """One file of a model, or the first of its parts.

    Attributes:
        name: path inside the repository.
        size_bytes: of all parts; None where not known.
        size_about_bytes: an estimate, where size_bytes is not known; None where there is none either.
        parts: paths of all parts in order, where it is split; else empty.
        role: `model`, `projector`, `config` or `voice`.
        installed: name of the model here that is this file; empty where it is not here.
        fit: advice for this machine; None where it makes no sense (projectors, voices).
    """

    name: str
    size_bytes: int | None
    quantization: str = ""
    parts: tuple[str, ...] = ()
    role: str = "model"
    installed: str = ""
    fit: Fit | None = None
    size_about_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class CatalogueModel(Body):
    """A model of the catalogue, or a repository found on the hub.

    Attributes:
        id: of the catalogue (`qwen2.5-7b-instruct`), or the repository's name for one found by search.
        repository: on the hub: `owner/name`.
        revision: the commit that the files are taken from; empty: the newest.
        kind: as `ModelEntry.kind`.
        good_for: in words.
        licence: SPDX name or the licence's own; empty where not known.
        licence_note: what a user must know before using it; empty where nothing.
        needs_token: the owner wants users to log in and accept terms first.
        recommended: name of the file that fits this machine best; empty where none does.
        n_downloads: on the hub; None where not known.
    """

    id: str
    title: str
    repository: str
    revision: str = ""
    kind: str = "chat"
    family: str = ""
    n_params: int | None = None
    context_length: int | None = None
    licence: str = ""
    licence_note: str = ""
    good_for: str = ""
    languages: str = ""
    needs_token: bool = False
    files: tuple[CatalogueFile, ...] = ()
    recommended: str = ""
    n_downloads: int | None = None


@dataclass(frozen=True, kw_only=True)
class CatalogueList(Body):
    """Models to choose from."""

    models: tuple[CatalogueModel, ...]


@dataclass(frozen=True, kw_only=True)
class ListCatalogue(Request[CatalogueList]):
    """Ask for the catalogue that came with the program, with fit advice; opens no connection."""

    TYPE: ClassVar[str] = "catalogue.list"
    RESULT: ClassVar[type[Body]] = CatalogueList
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class SearchHub(Request[CatalogueList]):
    """Search the Hugging Face hub for GGUF models by text; `files` stays empty. Opens a connection.

    Errors: `network.off`, `network.failed`, `hub.refused`, `hub.limited`.
    """

    TYPE: ClassVar[str] = "hub.search"
    RESULT: ClassVar[type[Body]] = CatalogueList
    text: str
    limit: int = 30


@dataclass(frozen=True, kw_only=True)
class ListHubFiles(Request[CatalogueModel]):
    """Ask for the files of a repository at its newest or a given commit, with fit. Opens a connection.

    Errors: those of SearchHub, `hub.not_found`, `hub.needs_token`.
    """

    TYPE: ClassVar[str] = "hub.files"
    RESULT: ClassVar[type[Body]] = CatalogueModel
    repository: str
    revision: str = ""
