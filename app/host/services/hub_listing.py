"""What the hub says about repositories and their files, read as untrusted data.

Source: the hub's API as huggingface_hub asks it (`HfApi.list_models`, `HfApi.model_info`): `/api/models` and
    `/api/models/{repository}/revision/{revision}?blobs=true`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import UsageError
from app.core.hub_names import checked_repository, is_projector, part_of, printable, quantization_of
from app.host.services.network import NetworkError
from app.protocol.catalogue import CatalogueFile, CatalogueModel

MAX_FILES = 20_000
MAX_FILE_BYTES = 10 * 2**40
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubFile:
    """One file of a repository.

    Attributes:
        path: inside the repository.
        size_bytes: None where the hub does not say.
        sha256: of large files; empty where the hub gives none.
        git_sha1: of small ones: of git's blob, which holds the size before the content.
    """

    path: str
    size_bytes: int | None
    sha256: str = ""
    git_sha1: str = ""


@dataclass(frozen=True)
class Listing:
    """A repository at one commit.

    Attributes:
        revision: the commit.
        files: by path.
        model: for front ends.
    """

    repository: str
    revision: str
    files: Mapping[str, HubFile]
    model: CatalogueModel


def found_models(value: Any, limit: int) -> tuple[CatalogueModel, ...]:
    """Read the answer to a search; what makes no sense in it is passed over.

    Raises:
        NetworkError: `hub.bad_answer`.
    """
    if not isinstance(value, list):
        raise bad_answer()
    models = []
    for item in value[:limit]:
        name = _text(item, "id") or _text(item, "modelId")
        try:
            models.append(_model(checked_repository(name), item, "", ()))
        except UsageError:
            continue
    return tuple(models)


def listing_of(repository: str, value: Any) -> Listing:
    """Read the answer about one repository.

    Raises:
        NetworkError: `hub.bad_answer`: it names no commit or no files.
    """
    revision = _text(value, "sha")
    siblings = value.get("siblings") if isinstance(value, dict) else None
    if not _COMMIT.fullmatch(revision) or not isinstance(siblings, list) or len(siblings) > MAX_FILES:
        raise bad_answer()
    files = {file.path: file for file in map(_file, siblings) if file is not None}
    model = _model(repository, value, revision, _model_files(files))
    return Listing(repository, revision, files, model)


def bad_answer() -> NetworkError:
    """Give the error for an answer that makes no sense."""
    return NetworkError(
        "hub.bad_answer",
        "The hub's answer makes no sense to this program.",
        "Check the address of the model hub in the settings, or try again later.",
    )


def _file(value: Any) -> HubFile | None:
    path = _text(value, "rfilename")
    if not path:
        return None
    lfs = value.get("lfs")
    sha256 = _text(lfs, "sha256") if isinstance(lfs, dict) else ""
    size = _number(lfs, "size") if isinstance(lfs, dict) else None
    blob = _text(value, "blobId")
    return HubFile(
        path,
        _number(value, "size") if size is None else size,
        sha256 if _SHA256.fullmatch(sha256) else "",
        blob if _SHA1.fullmatch(blob) and not isinstance(lfs, dict) else "",
    )


def _model_files(files: Mapping[str, HubFile]) -> tuple[CatalogueFile, ...]:
    """Give the GGUF files, each split model once, in order of size."""
    listed = []
    for parts in _models(files):
        path = parts[0]
        listed.append(
            CatalogueFile(
                name=path,
                size_bytes=_sum(files[name].size_bytes for name in parts),
                quantization=quantization_of(path),
                parts=parts if len(parts) > 1 else (),
                role="projector" if is_projector(path) else "model",
            )
        )
    return tuple(sorted(listed, key=lambda file: (file.role, file.size_bytes or 0, file.name)))


def _models(paths: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Give the paths of each GGUF file, or of all parts of a split one; one that lacks a part is left out."""
    split: dict[tuple[str, int], dict[int, str]] = {}
    for path in paths:
        part = part_of(path)
        if part is not None:
            split.setdefault((part.stem, part.total), {})[part.number] = path
        elif path.casefold().endswith(".gguf"):
            yield (path,)
    for (_, total), parts in split.items():
        if len(parts) == total:
            yield tuple(parts[number] for number in sorted(parts))


def _sum(sizes: Iterable[int | None]) -> int | None:
    known = list(sizes)
    return None if any(size is None for size in known) else sum(size for size in known if size is not None)


def _model(
    repository: str, value: Mapping[str, Any], revision: str, files: tuple[CatalogueFile, ...]
) -> CatalogueModel:
    card, gguf = value.get("cardData"), value.get("gguf")
    tags = value.get("tags")
    tags = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return CatalogueModel(
        id=repository,
        title=repository.partition("/")[2],
        repository=repository,
        revision=revision,
        family=printable(_text(gguf, "architecture"), 60),
        n_params=_number(gguf, "total"),
        context_length=_number(gguf, "context_length"),
        licence=_licence(card, tags),
        needs_token=value.get("gated") not in (None, False),
        files=files,
        n_downloads=_number(value, "downloads"),
    )


def _licence(card: Any, tags: list[str]) -> str:
    name = _text(card, "license")
    if name in ("", "other"):
        name = _text(card, "license_name") or name
    tagged = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), "")
    return printable(name or tagged, 60)


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _number(value: Any, key: str) -> int | None:
    found = value.get(key) if isinstance(value, dict) else None
    good = isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MAX_FILE_BYTES
    return found if good else None
