"""The set-up in order: environment, packages, system libraries, models, engine, the program itself.

Each step has a key made of its inputs; a stamp in the environment says that the step finished with that
key. From the second start on only keys and stamps are compared, which takes a few milliseconds.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scripts.setup import engine, environment, legacy, model_files, system_libraries
from scripts.setup.layout import Layout
from scripts.setup.model_pins import CHAT_MODEL, EMBEDDING_MODEL, STARTER_MODELS
from scripts.setup.progress import Progress, SetupError
from scripts.setup.stamps import Stamps, key_of

EMBEDDER_FILE = "embedding/all-MiniLM-L6-v2/model.int8.onnx"


@dataclass(frozen=True)
class Step:
    """One part of the set-up.

    Attributes:
        name: The stamp's name.
        key: Gives the hash of the step's inputs.
        run: Does the work; returns False where it could not be completed and must be looked at again.
        holds: Looks whether the result is still there (cheap; called at every start).
    """

    name: str
    key: Callable[[Layout], str]
    run: Callable[[Layout, Progress], bool]
    holds: Callable[[Layout], bool] = lambda layout: True


def _packages_key(layout: Layout) -> str:
    return key_of(*(layout.requirements_dir / name for name in ("runtime.txt", "build.txt")))


def _test_packages_key(layout: Layout) -> str:
    return key_of(_packages_key(layout), layout.requirements_dir / "test.txt")


def _install_packages(layout: Layout, progress: Progress) -> bool:
    with progress.step("Installing the program's packages (the first time takes a minute or two)"):
        environment.install_pinned(layout, ["runtime.txt", "build.txt"])
    return True


def _install_test_packages(layout: Layout, progress: Progress) -> bool:
    with progress.step("Installing the test tools"):
        environment.install_pinned(layout, ["test.txt"])
    return True


def _install_window_libraries(layout: Layout, progress: Progress) -> bool:
    return not system_libraries.ensure(system_libraries.RUN_NEEDS, progress)


def _install_test_commands(layout: Layout, progress: Progress) -> bool:
    return not system_libraries.ensure(system_libraries.TEST_NEEDS, progress)


def _fetch_models(layout: Layout, progress: Progress) -> bool:
    model_files.fetch(STARTER_MODELS, layout.models_dir, layout.cache_dir, progress, layout.python_path)
    damaged = [text for item in STARTER_MODELS for text in model_files.damaged_files(item, layout.models_dir)]
    if damaged:
        raise SetupError(
            f"A starter model is damaged: {damaged[0]}.",
            "Run python3 scripts/fetch_models.py --repair, then this again.",
        )
    return True


def _models_hold(layout: Layout) -> bool:
    return all(model_files.is_in_place(item, layout.models_dir) for item in STARTER_MODELS)


def _embedder_key(layout: Layout) -> str:
    return key_of(
        layout.root_dir / "scripts" / "build_embedder.py",
        layout.root_dir / "resources" / "embedding_reference.json",
        layout.requirements_dir / "build.txt",
        [file.sha256 for file in EMBEDDING_MODEL.files],
    )


def _build_embedder(layout: Layout, progress: Progress) -> bool:
    command = [str(layout.python_path), str(layout.root_dir / "scripts" / "build_embedder.py")]
    command += ["--model-dir", str((layout.models_dir / EMBEDDER_FILE).parent)]
    with progress.step("Building the embedding model and comparing its vectors with the reference"):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SetupError(
                f"The embedding model could not be built: {environment.last_line(result.stderr)}",
                "Run python3 scripts/fetch_models.py --check to see whether the model's files are whole.",
            )
    return True


def _embedder_holds(layout: Layout) -> bool:
    return (layout.models_dir / EMBEDDER_FILE).is_file()


def _install_engine(layout: Layout, progress: Progress) -> bool:
    engine.install(layout, layout.models_dir / CHAT_MODEL.files[0].target, progress)
    return True


def _install_legacy_engine(layout: Layout, progress: Progress) -> bool:
    legacy.install(layout, progress)
    return True


def _project_key(layout: Layout) -> str:
    return key_of(layout.root_dir / "pyproject.toml", str(layout.root_dir))


def _install_project(layout: Layout, progress: Progress) -> bool:
    with progress.step("Installing the commands h2ogpt and h2ogpt-desktop"):
        environment.install_project(layout)
    return True


def _project_holds(layout: Layout) -> bool:
    return any((layout.commands_dir / name).exists() for name in ("h2ogpt", "h2ogpt.exe"))


RUN_STEPS = (
    Step("packages", _packages_key, _install_packages),
    Step(
        "system-libraries",
        lambda layout: key_of([need.name for need in system_libraries.RUN_NEEDS]),
        _install_window_libraries,
    ),
    Step(
        "models",
        lambda layout: key_of([[file.sha256 for file in item.files] for item in STARTER_MODELS]),
        _fetch_models,
        _models_hold,
    ),
    Step("embedder", _embedder_key, _build_embedder, _embedder_holds),
    Step("engine", engine.engine_key, _install_engine),
    Step("legacy-engine", legacy.legacy_key, _install_legacy_engine),
    Step("project", _project_key, _install_project, _project_holds),
)

TEST_STEPS = (
    Step("test-packages", _test_packages_key, _install_test_packages),
    Step(
        "test-commands",
        lambda layout: key_of([need.name for need in system_libraries.TEST_NEEDS]),
        _install_test_commands,
    ),
)


def pending(layout: Layout, steps: tuple[Step, ...]) -> list[Step]:
    """Return the steps that have not finished with their present inputs, or whose result is gone."""
    stamps = Stamps(layout.stamps_dir)
    return [
        step for step in steps if not (stamps.is_current(step.name, step.key(layout)) and step.holds(layout))
    ]


def set_up(layout: Layout, progress: Progress, *, for_tests: bool = False) -> None:
    """Do every step that is not done yet; with nothing to do, say nothing.

    Args:
        layout: Where things are.
        progress: Where the lines go.
        for_tests: Also what ``scripts/test.py`` needs.

    Raises:
        SetupError: A step failed, with its reason and what to do.
    """
    environment.require_python()
    steps = (*RUN_STEPS, *(TEST_STEPS if for_tests else ()))
    if layout.python_path.exists() and not pending(layout, steps):
        return
    try:
        with only_one(layout, progress):
            _do(layout, progress, steps)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise SetupError(
            f"The system refused: {error.strerror or error}{place}.",
            f"Check the free disk space, and that {layout.root_dir} and {layout.cache_dir} can be written.",
        ) from error


def _do(layout: Layout, progress: Progress, steps: tuple[Step, ...]) -> None:
    """Run what is still to do, now that no other set-up runs here."""
    progress.say("Setting up (only what is missing):")
    environment.create_venv(layout, progress)
    stamps = Stamps(layout.stamps_dir)
    for step in pending(layout, steps):
        key = step.key(layout)
        if step.run(layout, progress):
            stamps.record(step.name, key)
    progress.say("Everything is in place.")


@contextmanager
def only_one(layout: Layout, progress: Progress) -> Iterator[None]:
    """Hold an OS lock, so that two starts at the same moment do not set up the same folder together."""
    with (layout.root_dir / ".setup.lock").open("a+") as stream:
        if not _try_lock(stream.fileno()):
            progress.say("Another set-up of this folder is running; waiting for it ...")
            while not _try_lock(stream.fileno()):
                time.sleep(0.5)
        yield  # closing the file ends the lock, also when the process is killed


def _try_lock(descriptor: int) -> bool:
    """Take the lock if it is free; return whether it was taken."""
    try:
        if os.name == "nt":
            msvcrt = importlib.import_module("msvcrt")
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl = importlib.import_module("fcntl")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
