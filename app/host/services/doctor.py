"""The doctor: looks at every invariant of the data folder and at one real generation and embedding."""

import asyncio
import os
import shutil
import stat
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from app.core.errors import AppError
from app.core.locks import FileLock
from app.core.paths import DataPaths
from app.host.services.answer_queue import AnswerQueue
from app.host.services.ports import EnginePort, Handler, LibraryPort, ModelsPort, RequestContext
from app.host.supervision import Worker
from app.protocol.body import Body
from app.protocol.engine import Generate, Generation, PromptMessage
from app.protocol.library import CheckLibrary
from app.protocol.system import Check, DoctorReport, RunDoctor

LOW_SPACE_BYTES = 1_000_000_000
_MAX_NAMED = 3
_OTHERS = 0o077

Checker = Callable[[], Iterable[Check]]
Trial = Callable[[], Awaitable[Iterable[Check]]]


class DoctorService:
    """Runs every check; one that cannot run is a finding itself."""

    def __init__(
        self,
        paths: DataPaths,
        library: LibraryPort,
        engine: EnginePort,
        models: ModelsPort,
        workers: Mapping[str, Worker],
        checkers: Iterable[Checker],
        queue: AnswerQueue | None = None,
        trials: Iterable[Trial] = (),
    ) -> None:
        """Take what is checked; `checkers` of other services run in a thread, their `trials` ask workers.

        The generation waits its turn in the queue, so that it takes no model from under an answer.
        """
        self._queue = queue or AnswerQueue()
        self._paths, self._library, self._engine, self._models = paths, library, engine, models
        self._workers, self._checkers, self._trials = workers, list(checkers), list(trials)

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {RunDoctor: self._run}

    async def _run(self, request: RunDoctor, context: RequestContext) -> DoctorReport:
        checks = await asyncio.to_thread(self._folder_checks)
        for checker in self._checkers:
            checks.extend(await asyncio.to_thread(checker))
        checks.extend(await self._library_checks())
        checks.append(await self._generation_check())
        for trial in self._trials:
            checks.extend(await trial())
        checks.extend(self._worker_checks())
        return DoctorReport(checks=tuple(checks))

    def _folder_checks(self) -> list[Check]:
        return [
            permission_check(self._paths.root),
            space_check(self._paths.root),
            lock_check(self._paths.lock_path),
        ]

    async def _library_checks(self) -> tuple[Check, ...]:
        try:
            return (await self._library.call(CheckLibrary())).checks
        except AppError as error:
            return (_failed("library.worker", error),)

    async def _generation_check(self) -> Check:
        try:
            async with self._queue.turn():
                info = await self._models.ensure_loaded("")
                generation = await self._engine.call(
                    Generate(
                        messages=(PromptMessage(role="user", content="Say yes."),),
                        max_tokens=4,
                        handle=info.handle,
                    )
                )
        except AppError as error:
            if error.code == "model.none":
                return Check(
                    name="engine.generation", status="warning", detail=error.user_message, hint=error.hint
                )
            return _failed("engine.generation", error)
        return _generation_finding(info.name, generation)

    def _worker_checks(self) -> list[Check]:
        return [
            Check(
                name=f"worker.{kind}",
                status="error" if worker.status().state == "failed" else "ok",
                detail=f"{worker.status().state}, restarted {worker.status().restarts} times",
                hint="Close the program and start it again." if worker.status().state == "failed" else "",
            )
            for kind, worker in self._workers.items()
        ]


def _generation_finding(model: str, generation: Generation) -> Check:
    if generation.completion_tokens < 1:
        return Check(
            name="engine.generation",
            status="error",
            detail=f"The model {model} wrote nothing.",
            hint="Fetch the model again or choose another one.",
        )
    return Check(
        name="engine.generation",
        status="ok",
        detail=f"The model {model} wrote {generation.completion_tokens} tokens.",
    )


def _failed(name: str, error: AppError) -> Check:
    return Check(name=name, status="error", detail=error.user_message, hint=error.hint)


def permission_check(root: Path) -> Check:
    """Look for files and folders that others could read or write."""
    if os.name != "posix":
        return Check(name="data.permissions", status="ok", detail="The folder is the user's own.")
    opened = [path for path in _walk(root) if _is_open(path)]
    if not opened:
        return Check(name="data.permissions", status="ok", detail="Only this user can read the data folder.")
    names = ", ".join(str(path.relative_to(root)) for path in opened[:_MAX_NAMED])
    return Check(
        name="data.permissions",
        status="warning",
        detail=f"{len(opened)} files or folders can be read by other users: {names}.",
        hint=f"Run: chmod -R go-rwx '{root}'",
    )


def _walk(root: Path) -> Iterable[Path]:
    yield root
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            yield Path(folder, name)


def _is_open(path: Path) -> bool:
    try:
        state = path.lstat()
    except FileNotFoundError:  # a temporary file that has gone meanwhile
        return False
    return not stat.S_ISLNK(state.st_mode) and bool(state.st_mode & _OTHERS)


def space_check(root: Path) -> Check:
    """Look at the free space of the data folder's disk."""
    free = shutil.disk_usage(root).free
    if free < LOW_SPACE_BYTES:
        return Check(
            name="data.space",
            status="warning",
            detail=f"Only {free / 1e6:.0f} MB are free on the disk of the data folder.",
            hint="Free some space before you add documents.",
        )
    return Check(name="data.space", status="ok", detail=f"{free / 1e9:.1f} GB are free.")


def lock_check(path: Path) -> Check:
    """Look whether the lock really keeps a second host away."""
    try:
        second = FileLock.acquire(path)
    except OSError as error:
        second = None
        return Check(name="data.lock", status="error", detail=f"The lock cannot be read ({error.strerror}).")
    if second is None:
        return Check(name="data.lock", status="ok", detail="The data folder is locked by this program.")
    second.release()
    return Check(
        name="data.lock",
        status="error",
        detail="The lock of the data folder does not keep a second program away.",
        hint="Move the data folder to a local disk.",
    )
