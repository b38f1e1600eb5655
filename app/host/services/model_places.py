"""Where the models in the list come from: our folders, imported files, other programs' folders."""

import contextlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from app.core.errors import StorageError, UsageError
from app.core.settings import Settings
from app.host.services.json_file import JsonFile
from app.host.services.model_files import ModelFile, found_at, models_in, title_of, with_projectors
from app.host.services.model_folders import TITLES, ForeignFolder, Surroundings, known_folders, models_of
from app.host.services.model_sets import sets_in
from app.protocol.models import FoundFolder

RECORD_NAME = ".verified.json"
_MAX_RECORD_BYTES = 4_000_000
_MAX_NAMES = 1_000
_NUMBER = re.compile(r" \(\d+\)$")


class FolderSettings(Protocol):
    """The settings, in which the folders that are in use stand."""

    def current(self) -> Settings:
        """Give the settings as they are now."""

    def change(self, values: dict[str, Any]) -> Settings:
        """Change some of them, keep and announce them."""


@dataclass(frozen=True)
class Record:
    """What was verified of a downloaded file.

    Attributes:
        repository: on the hub.
    """

    size_bytes: int
    modified_ns: int
    repository: str = ""
    licence: str = ""


def read_records(models_dir: Path) -> dict[str, Record]:
    """Read what the download manager keeps of each file that it verified; nothing where it makes no sense."""
    path = models_dir / RECORD_NAME
    try:
        value = json.loads(path.read_bytes()) if path.stat().st_size <= _MAX_RECORD_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    records = {}
    for name, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, Mapping):
            size_bytes, modified_ns = item.get("size_bytes"), item.get("modified_ns")
            if isinstance(size_bytes, int) and isinstance(modified_ns, int):
                texts = {key: str(item.get(key) or "") for key in ("repository", "licence")}
                records[name] = Record(size_bytes, modified_ns, **texts)
    return records


class ModelPlaces:
    """Finds every model; `scan` and `find_folders` block and belong into a thread."""

    def __init__(
        self,
        bundled_dir: Path,
        models_dir: Path,
        places_path: Path,
        settings: FolderSettings,
        around: Surroundings,
        bundled_sets: Sequence[Path] = (),
    ) -> None:
        """Name the places; nothing is read yet.

        Args:
            bundled_dir: of the chat models that came with the program.
            models_dir: where downloads go.
            places_path: of the list of imported and hidden models.
            settings: name the folders of other programs that are in use.
            around: says where these may be.
            bundled_sets: folders whose folders are models that came with the program (speech, voices).
        """
        self._bundled_dir, self.models_dir = bundled_dir, models_dir
        self._bundled_sets = tuple(bundled_sets)
        self._file = JsonFile(places_path, "The list of models")
        self._settings, self._around = settings, around
        self._storing = threading.Lock()  # names are kept by the thread that looks for models

    # ------------------------------------------------------------------------------------------ finding

    def scan(self) -> dict[str, ModelFile]:
        """Give every model by its name.

        Settings and conversations know a model by it: where several files have one name, each keeps what it
        was called first, also when another of them leaves or comes.
        """
        hidden = set(self._paths("hidden"))
        models = [model for model in self._all() if str(model.path) not in hidden]
        kept = self._names()
        taken: dict[str, ModelFile] = {}
        for model in sorted(
            models, key=lambda model: str(model.path) not in kept
        ):  # those that have one first
            name = kept.get(str(model.path), model.name)
            name = _free_name(model.name if name in taken else name, taken)
            taken[name] = replace(model, name=name)
        self._keep_names(taken, kept)
        return taken

    def _names(self) -> dict[str, str]:
        """Give the names that were given to files, by path."""
        value = self._file.read().get("names")
        pairs = value.items() if isinstance(value, dict) else ()
        return {path: name for path, name in pairs if isinstance(name, str)}

    def _keep_names(self, taken: Mapping[str, ModelFile], kept: Mapping[str, str]) -> None:
        """Keep the names of files whose own name is another's too."""
        own = Counter(_own_name(model) for model in taken.values())
        shared = {str(model.path): name for name, model in taken.items() if own[_own_name(model)] > 1}
        if any(kept.get(path) != name for path, name in shared.items()):
            with contextlib.suppress(StorageError):  # they are kept at the next look then
                self._store(names=dict([*kept.items(), *shared.items()][-_MAX_NAMES:]))

    def _all(self) -> Iterable[ModelFile]:
        yield from with_projectors(models_in(self._bundled_dir, "bundled"), lambda one, other: False)
        for place in self._bundled_sets:
            yield from (replace(model, source="bundled") for model in sets_in(place))
        own = list(self._own())
        yield from own
        seen = {model.path for model in own}
        for model in self._imported():
            if model.path not in seen:
                seen.add(model.path)
                yield model
        for folder in self.used_folders():
            for model in models_of(folder):
                if model.path not in seen:
                    seen.add(model.path)
                    yield model

    def _own(self) -> Iterable[ModelFile]:
        records = read_records(self.models_dir)

        def verified(model: ModelFile) -> Record | None:
            return verified_record(model, records)

        def same_origin(one: ModelFile, other: ModelFile) -> bool:
            first, second = verified(one), verified(other)
            return (
                first is not None
                and second is not None
                and bool(first.repository)
                and (first.repository == second.repository)
            )

        models = [*models_in(self.models_dir, "folder"), *sets_in(self.models_dir)]
        models = [replace(model, source="downloaded") if verified(model) else model for model in models]
        return with_projectors(models, same_origin)

    def _imported(self) -> Iterable[ModelFile]:
        for text in self._paths("imported"):
            path = Path(text)
            model = found_at(path, "imported")
            if model is None:
                yield ModelFile(title_of(path.stem), path, "imported", is_there=False)
                continue
            beside = [item for item in models_in(path.parent, "imported") if item.path != path]
            paired = with_projectors([model, *beside], lambda one, other: False)
            yield next(item for item in paired if item.path == path)

    def records(self) -> dict[str, Record]:
        """Give what was verified of downloaded files, by file name."""
        return read_records(self.models_dir)

    # ------------------------------------------------------------------------------------------ the list

    def _paths(self, key: str) -> list[str]:
        values = self._file.read().get(key)
        return [text for text in values if isinstance(text, str)] if isinstance(values, list) else []

    def _store(self, **values: list[str] | dict[str, str]) -> None:
        with self._storing:
            stored = {key: self._paths(key) for key in _LISTS} | {"names": self._names()}
            self._file.write({"schema_version": 1, **stored, **values})

    def add(self, path: Path) -> None:
        """Keep an imported file in the list.

        Raises:
            StorageError: it cannot be stored.
        """
        text = str(path)
        imported, hidden = self._paths("imported"), self._paths("hidden")
        if text not in imported and path.parent not in (self.models_dir, self._bundled_dir):
            imported.append(text)
        self._store(imported=imported, hidden=[item for item in hidden if item != text])

    def forget(self, model: ModelFile) -> None:
        """Take a model out of the list; its file stays.

        Raises:
            StorageError: it cannot be stored.
        """
        text = str(model.path)
        imported, hidden = self._paths("imported"), self._paths("hidden")
        if model.source != "imported" and model.is_there and text not in hidden:
            hidden.append(text)
        self._store(imported=[item for item in imported if item != text], hidden=hidden)

    def forget_record(self, files: Iterable[Path]) -> None:
        """Take deleted files out of the record of verified ones; others' files do not stand in it.

        Raises:
            StorageError: it cannot be stored.
        """
        file = JsonFile(self.models_dir / RECORD_NAME, "The record of downloaded models")
        value = file.read()
        gone = {
            path.relative_to(self.models_dir).as_posix()
            for path in files
            if path.is_relative_to(self.models_dir)
        }
        kept = {name: item for name, item in value.items() if name not in gone}
        if kept != value:
            file.write(kept)

    # ------------------------------------------------------------------------------------------ folders

    def used_folders(self) -> list[ForeignFolder]:
        """Give the other programs' folders that the user took into the list."""
        folders = []
        for text in self._settings.current().model_folders:
            program, _, path = text.partition("=")
            if program in TITLES and path:
                folders.append(ForeignFolder(program, Path(path)))
        return folders

    def find_folders(self) -> tuple[FoundFolder, ...]:
        """Look for other programs' models; also those in use that have none any more."""
        used = self.used_folders()
        found = []
        for folder in dict.fromkeys([*known_folders(self._around), *used]):
            models = models_of(folder)
            if models or folder in used:
                found.append(
                    FoundFolder(
                        program=folder.program,
                        title=folder.title,
                        path=str(folder.path),
                        n_models=len(models),
                        size_bytes=sum(model.size_bytes for model in models),
                        in_use=folder in used,
                    )
                )
        return tuple(found)

    def use(self, folder: ForeignFolder, use: bool) -> None:
        """Take a folder into the list, or out of it.

        Raises:
            UsageError: `folder.unknown`, `folder.not_found`.
        """
        if folder.program not in TITLES:
            raise UsageError(
                "folder.unknown",
                f"There is no program called {folder.program!r} whose models could be used.",
                f"Use one of: {', '.join(TITLES)}.",
            )
        if use and not _is_readable(folder.path):
            raise UsageError(
                "folder.not_found",
                f"There is no folder {folder.path}, or it cannot be read.",
                "Choose a folder of models that is there.",
            )
        used = [item for item in self.used_folders() if item != folder] + ([folder] if use else [])
        self._settings.change({"model_folders": tuple(f"{item.program}={item.path}" for item in used)})


_LISTS = ("imported", "hidden")


def verified_record(model: ModelFile, records: Mapping[str, Record]) -> Record | None:
    """Give what was verified of a model, if every one of its files is still the verified one."""
    first = None
    for path in model.files:
        record = records.get(path.name) or records.get(f"{path.parent.name}/{path.name}")
        with contextlib.suppress(OSError):
            state = path.stat()
            if record is not None and (state.st_size, state.st_mtime_ns) == (
                record.size_bytes,
                record.modified_ns,
            ):
                first = first or record
                continue
        return None
    return first


def _is_readable(path: Path) -> bool:
    try:
        next(path.iterdir(), None)
    except OSError:
        return False
    return path.is_absolute()


def _own_name(model: ModelFile) -> str:
    """Give a model's name without the number that tells it from another."""
    return _NUMBER.sub("", model.name)


def _free_name(stem: str, taken: Mapping[str, ModelFile]) -> str:
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem} ({number})"
    return name
