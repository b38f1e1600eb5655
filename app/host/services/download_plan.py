"""From what the user asked for to the files that must come: parts, projector, names, checksums."""

import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from app.core.errors import AppError, NotFoundError, UsageError
from app.core.hub_names import (
    checked_file_name,
    is_projector,
    part_of,
    parts_of,
    printable,
    quantization_of,
)
from app.host.services.download_store import Record, verified_files
from app.host.services.hub import Hub
from app.host.services.hub_listing import HubFile, Listing
from app.protocol.catalogue import CatalogueModel
from app.protocol.downloads import StartDownload

Catalogue = Callable[[str], CatalogueModel | None]
# Where a repository has several projectors: half precision loses nothing that can be seen.
_PROJECTOR_ORDER = ("F16", "FP16", "BF16", "Q8_0", "F32", "FP32")
_IN_FOLDERS = frozenset({"embedding", "reranking", "speech", "voice"})


@dataclass(frozen=True)
class Wish:
    """A model that the user wants.

    Attributes:
        file: path inside the repository.
        model: the catalogue's entry; None for a repository that is in none.
    """

    repository: str
    revision: str
    file: str
    title: str
    licence: str
    model: CatalogueModel | None


def wish_of(request: StartDownload, catalogue: Catalogue) -> Wish:
    """Find what is meant.

    Raises:
        AppError: `model.not_found`, `download.no_file`.
    """
    model = catalogue(request.model)
    if model is None and "/" not in request.model:
        raise NotFoundError(
            "model.not_found",
            f"Neither the catalogue nor the hub has a model called {printable(request.model, 80)}.",
            "`h2ogpt models catalogue` lists those of the catalogue; a repository reads owner/name.",
        )
    file = request.file or (model.recommended if model is not None else "")
    if not file:
        raise UsageError(
            "download.no_file",
            "Say which file of this model is wanted."
            if model is None
            else "No file of this model fits this computer; say which one is wanted nevertheless.",
            "`h2ogpt models search` and the window's model page list the files.",
        )
    repository = model.repository if model is not None else request.model
    revision = request.revision or (model.revision if model is not None else "")
    title = printable(model.title if model is not None else repository.partition("/")[2], 120)
    licence = model.licence if model is not None else ""
    return Wish(repository, revision, file, title, licence, model)


async def planned(wish: Wish, hub: Hub, models_dir: Path, taken: Collection[str]) -> list[Record]:
    """Ask the hub for the files of a wish and give their records, in the order of becoming visible.

    Args:
        wish: what the user wants.
        hub: is asked for checksums at a commit.
        models_dir: whose files keep their names.
        taken: names that other downloads will get.

    Raises:
        AppError: those of `Hub.listing`, `hub.no_file`, `download.bad_name`, `download.incomplete`,
            `download.no_checksum`, `download.exists`.
    """
    listing = await hub.listing(wish.repository, wish.revision)
    parts = parts_of(wish.file, listing.files)
    main = _named(parts, listing)
    projector = _projector(wish, listing)
    group, now = secrets.token_hex(8), time.time()
    quantization = quantization_of(wish.file)
    title = f"{wish.title} {quantization}".strip()
    records = []
    for order, (file, name, role) in enumerate(_files(wish, listing, main, projector)):
        records.append(
            Record(
                id=secrets.token_hex(8),
                group=group,
                n_files=1,
                order=order,
                title=title,
                repository=listing.repository,
                revision=listing.revision,
                file=file.path,
                name=name,
                size_bytes=file.size_bytes or 0,
                created=now,
                sha256=file.sha256,
                git_sha1=file.git_sha1,
                licence=wish.licence or listing.model.licence,
                role=role,
            )
        )
    return _with_free_names(records, models_dir, taken)


def _files(
    wish: Wish, listing: Listing, main: list[HubFile], projector: HubFile | None
) -> list[tuple[HubFile, str, str]]:
    """Give files with name and role; what makes the model loadable, its first part, comes last."""
    folder = f"{_folder(wish)}/" if _folder(wish) else ""
    found = [(file, f"{folder}{checked_file_name(file.path)}", "model") for file in reversed(main)]
    if projector is not None:
        checked_file_name(projector.path)
        part = part_of(main[0].path)
        stem = PurePosixPath(part.stem if part else main[0].path.removesuffix(".gguf")).name
        found.insert(0, (projector, checked_file_name(f"mmproj-{stem}.gguf"), "projector"))
    elif is_projector(wish.file):
        found = [(file, name, "projector") for file, name, _ in found]
    if folder and wish.model is not None:
        others = [file.name for file in wish.model.files if file.role == "config" and file.name != wish.file]
        beside = _named(others, listing)
        found = [(file, f"{folder}{checked_file_name(file.path)}", "config") for file in beside] + found
    return found


def _folder(wish: Wish) -> str:
    """Give the folder of a model that consists of several files with everyday names; empty for GGUF."""
    if wish.model is None or wish.model.kind not in _IN_FOLDERS or wish.file.casefold().endswith(".gguf"):
        return ""
    return checked_file_name(wish.model.id)


def _named(paths: Collection[str], listing: Listing) -> list[HubFile]:
    """Find files in the listing, each with a size and a checksum.

    Raises:
        AppError: `hub.no_file`, `download.bad_name`, `download.no_checksum`.
    """
    found = []
    for path in paths:
        checked_file_name(path)
        file = listing.files.get(path)
        if file is None:
            raise NotFoundError(
                "hub.no_file",
                f"{listing.repository} has no file “{printable(path, 80)}”.",
                "`h2ogpt models search` and the window's model page list the files.",
            )
        if file.size_bytes is None or not (file.sha256 or file.git_sha1):
            raise AppError(
                "download.no_checksum",
                f"The hub gives no checksum for “{printable(path, 80)}”, so nobody could tell whether it "
                "arrived whole.",
                "Choose another file, or another address of the hub in the settings.",
            )
        found.append(file)
    return found


def _projector(wish: Wish, listing: Listing) -> HubFile | None:
    """Choose the projector of a vision model; None where it has none, or is what was asked for."""
    if is_projector(wish.file) or not wish.file.casefold().endswith(".gguf"):
        return None
    if wish.model is not None:
        paths = [file.name for file in wish.model.files if file.role == "projector"]
    else:
        paths = [path for path in listing.files if is_projector(path)]
    best = min(paths, key=_projector_rank, default=None)
    return None if best is None else _named([best], listing)[0]


def _projector_rank(path: str) -> tuple[int, str]:
    kind = quantization_of(path)
    return (_PROJECTOR_ORDER.index(kind) if kind in _PROJECTOR_ORDER else len(_PROJECTOR_ORDER), path)


def _with_free_names(records: list[Record], models_dir: Path, taken: Collection[str]) -> list[Record]:
    """Make sure that no name is taken; a file of one part gets a number where another one has its name.

    Raises:
        UsageError: `download.exists`.
    """
    verified = verified_files(models_dir)
    used = {name.casefold() for name in taken}
    result = []
    for record in records:
        known = verified.get(record.name)
        if known is not None and known.sha256 == record.sha256 and record.sha256:
            if record.role == "projector" and len(records) > 1:
                continue  # it came with another file of the same model
            raise _exists(record, "is here already")
        name = record.name
        number = 2
        while name.casefold() in used or (models_dir / name).exists():
            if len(records) > 1 or number > 99:
                raise _exists(record, "cannot be stored: another file here has its name")
            name = _numbered(record.name, number)
            number += 1
        used.add(name.casefold())
        result.append(replace(record, name=name))
    return [replace(record, n_files=len(result)) for record in result]


def _numbered(name: str, number: int) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem} ({number}){path.suffix}"))


def _exists(record: Record, how: str) -> UsageError:
    return UsageError(
        "download.exists",
        f"“{record.name}” {how}.",
        "Choose it in the list of models, or remove it there first.",
        {"name": record.name},
    )
