"""Model files on the disk, as they are found: by name, size and time, before any of them is read.

Reading a folder is short disk work for a thread of the pool; every function here is bounded in what it looks
at, follows no link to a folder, and writes nothing.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import NotFoundError
from app.core.ggml_legacy import is_legacy
from app.core.gguf import MAGIC
from app.core.hub_names import printable
from app.core.model_facts import belongs_to, is_projector_name, part_names, part_of

MAX_ENTRIES = 20_000
MAX_DEPTH = 6
_ENDINGS = (".gguf", ".ggml", ".bin")


@dataclass(frozen=True)
class FileVersion:
    """What tells that a file is still the same."""

    path: Path
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class ModelFile:
    """A model that was found.

    Attributes:
        name: unique in the list of models.
        path: of the file, or of the first part.
        source: as `ModelEntry.source`.
        size_bytes: of all parts.
        modified_ns: of the newest part; 0 where it vanished.
        parts: of a split model, in order; empty for a whole one.
        projector: the file with which it reads images, by its place or name.
        is_there: the file exists.
        folder: of another program that it stands in; None for our own and imported ones.
        kind: where its place tells it (a folder of files); empty where its head does.
    """

    name: str
    path: Path
    source: str
    size_bytes: int = 0
    modified_ns: int = 0
    parts: tuple[Path, ...] = ()
    projector: Path | None = None
    is_there: bool = True
    folder: Path | None = None
    kind: str = ""

    @property
    def version(self) -> FileVersion:
        """What tells that it is still the same."""
        return FileVersion(self.path, self.size_bytes, self.modified_ns)

    @property
    def files(self) -> tuple[Path, ...]:
        """All its files."""
        return self.parts or (self.path,)


def version_of(path: Path) -> FileVersion:
    """Look at a file, and at the other parts of a split model.

    Raises:
        NotFoundError: `model.not_found`.
    """
    size_bytes = modified_ns = 0
    for part in all_parts(path):
        try:
            state = part.stat()
        except OSError as error:
            raise NotFoundError(
                "model.not_found",
                f"The model file {part.name} is not there any more.",
                "Put it back, or choose another model.",
            ) from error
        size_bytes, modified_ns = size_bytes + state.st_size, max(modified_ns, state.st_mtime_ns)
    return FileVersion(path, size_bytes, modified_ns)


def all_parts(path: Path) -> tuple[Path, ...]:
    """Give the files of a model from the path of one."""
    return tuple(path.with_name(name) for name in part_names(path.name)) or (path,)


def found_at(path: Path, source: str, name: str = "", folder: Path | None = None) -> ModelFile | None:
    """Describe the model of which this is the file or the first part; None where it is not there."""
    parts = tuple(path.with_name(part) for part in part_names(path.name))
    part = part_of(path.stem)
    size_bytes = modified_ns = n_there = 0
    for file in parts or (path,):
        try:
            state = file.stat()
        except OSError:
            continue
        if stat.S_ISREG(state.st_mode):
            n_there += 1
            size_bytes, modified_ns = size_bytes + state.st_size, max(modified_ns, state.st_mtime_ns)
    if not n_there:
        return None
    title = title_of(name or (part.stem if part is not None else path.stem))
    return ModelFile(title, path, source, size_bytes, modified_ns, parts, folder=folder)


def title_of(stem: str) -> str:
    """Give what a model is called: one line that can be shown, whatever signs its file's name holds."""
    return printable(stem) or "model"


def models_in(folder: Path, source: str, *, depth: int = 0, foreign: bool = False) -> list[ModelFile]:
    """Find the models in a folder.

    Args:
        folder: that may not exist.
        source: as `ModelEntry.source`.
        depth: folders below it that are looked through.
        foreign: it is another program's.
    """
    models: list[ModelFile] = []
    seen: set[Path] = set()
    for path in walk(folder, depth):
        first = all_parts(path)[0]
        if first in seen or not is_model(path):
            continue
        seen.add(first)
        model = found_at(first, source, folder=folder if foreign else None)
        if model is not None:
            models.append(model)
    return models


def walk(folder: Path, depth: int, endings: tuple[str, ...] = _ENDINGS) -> Iterator[Path]:
    """Give the files with such endings, sorted within their folder; at most MAX_ENTRIES are looked at."""
    left = MAX_ENTRIES
    waiting = [(folder, min(depth, MAX_DEPTH))]
    while waiting:
        here, below = waiting.pop()
        try:
            with os.scandir(here) as entries:
                found = sorted(_first(entries, left), key=lambda entry: entry.name)
        except OSError:
            continue
        left -= len(found)
        for entry in found:
            if _is_folder(entry):
                if below:
                    waiting.append((Path(entry.path), below - 1))
            elif entry.name.casefold().endswith(endings):
                yield Path(entry.path)
        if left <= 0:
            return


def _first(entries: Iterable[os.DirEntry[str]], limit: int) -> list[os.DirEntry[str]]:
    kept: list[os.DirEntry[str]] = []
    for entry in entries:
        if len(kept) >= limit:
            break
        kept.append(entry)
    return kept


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def is_model(path: Path) -> bool:
    """Whether a file is a model: by its ending for GGUF, by its first bytes for `.bin` and `.ggml`."""
    if path.suffix.casefold() == ".gguf":
        return True
    return is_legacy(path) or magic_of(path) == MAGIC


def magic_of(path: Path) -> bytes:
    """Give the first four bytes of a regular file; none of one that cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # a FIFO would block open()
            return b""
        with path.open("rb") as file:
            return file.read(4)
    except OSError:
        return b""


def with_projectors(
    models: Iterable[ModelFile], same_origin: Callable[[ModelFile, ModelFile], bool] | None = None
) -> list[ModelFile]:
    """Give each model the projector that stands beside it.

    Beside it means: in its folder, and either made for it by its name, or from the same origin.

    Args:
        models: of one source.
        same_origin: whether two files come from the same repository; None: each folder is a repository.
    """
    listed = list(models)
    projectors = [model for model in listed if is_projector_name(model.path.name)]
    paired = []
    for model in listed:
        if model in projectors or model.projector is not None:
            paired.append(model)
            continue
        beside = [item for item in projectors if item.path.parent == model.path.parent]
        fitting = [item for item in beside if belongs_to(item.path.stem, model.path.stem)] or [
            item for item in beside if same_origin is None or same_origin(item, model)
        ]
        paired.append(replace(model, projector=fitting[0].path) if fitting else model)
    return paired
