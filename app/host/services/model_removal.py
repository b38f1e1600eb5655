"""Removing models: what was downloaded goes from the disk, what is others' only from the list."""

import contextlib
import stat
from pathlib import Path

from app.core.errors import ModelError
from app.host.services.model_files import ModelFile
from app.host.services.model_places import ModelPlaces, verified_record


def refuse_bundled(model: ModelFile) -> None:
    """Refuse to remove what belongs to the program.

    Raises:
        ModelError: `model.bundled`.
    """
    if model.source == "bundled":
        raise ModelError(
            "model.bundled",
            f"{model.name} belongs to the program and cannot be removed.",
            "It takes no more room than it was installed with; choose another model to use.",
        )


def files_to_delete(model: ModelFile, others: list[ModelFile], places: ModelPlaces) -> list[Path]:
    """Give the files that go with a model: its parts, and a downloaded projector that no other model uses."""
    files = list(model.files)
    projector = model.projector
    if model.source != "downloaded" or projector is None:
        return files
    records = places.records()
    found = next((item for item in others if item.path == projector), None)
    is_ours = found is not None and verified_record(found, records) is not None
    if is_ours and not any(item.projector == projector for item in others if item.path != model.path):
        files.append(projector)
    return files


def delete(model: ModelFile, files: list[Path]) -> int:
    """Delete files; give the bytes freed. A file that is gone already counts as deleted.

    Raises:
        ModelError: `model.not_deleted`; those before it are deleted.
    """
    freed = 0
    for path in files:
        for target in (_target(model, path), path):
            if target is not None:
                freed += _unlink(model, target)
    if model.kind:
        with contextlib.suppress(OSError):  # something else stands in it
            model.path.parent.rmdir()
    return freed


def _target(model: ModelFile, path: Path) -> Path | None:
    """Give the file behind a link inside the same cache, where the bytes are; None where there is none."""
    if model.folder is None or not path.is_symlink():
        return None
    target = path.resolve()
    return target if target.is_relative_to(model.folder.resolve()) else None


def _unlink(model: ModelFile, path: Path) -> int:
    try:
        state = path.lstat()
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise ModelError(
            "model.not_deleted",
            f"The file {path.name} of {model.name} could not be deleted ({error.strerror}).",
            "Close programs that use it, check that you may delete it, and try again.",
        ) from error
    return state.st_size if state.st_nlink == 1 and stat.S_ISREG(state.st_mode) else 0
