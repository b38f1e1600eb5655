"""The doctor finds what is wrong, and a check that cannot run is a finding."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError, ModelError
from app.core.locks import FileLock
from app.core.paths import DataPaths
from app.host.data_folder import take
from app.host.services import doctor
from app.host.services.answer_queue import AnswerQueue
from app.host.services.doctor import DoctorService, lock_check, permission_check, space_check
from app.host.services.ports import GenerationOptions
from app.protocol.body import Body
from app.protocol.engine import EngineInfo, Generation
from app.protocol.system import Check, DoctorReport, RunDoctor
from tests.unit.host.conftest import Context, WorkerMaker, say


class Library:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def call(self, request: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def throttle(self, active: bool) -> None:
        raise AssertionError("the doctor does not throttle")


class Engine(Library):
    def stream(self, request: Any, payload: bytes = b"") -> Any:
        raise AssertionError("the doctor does not stream")


class Models(Library):
    async def ensure_loaded(self, name: str = "", on_progress: Any = None) -> EngineInfo:
        info = await self.call(None)
        assert isinstance(info, EngineInfo)
        return info

    def generation_options(self, name: str) -> GenerationOptions:
        raise AssertionError("the doctor does not ask how a model writes")

    async def note_answer(self, handle: str, generation: Generation) -> None:
        raise AssertionError("the doctor's answers do not count")


INFO = EngineInfo(
    path="/m.gguf",
    name="m",
    architecture="llama",
    description="",
    n_params=1,
    context_length=1,
    context_trained=1,
    has_template=True,
    load_seconds=0.0,
    n_threads=1,
)


def generation(n_tokens: int) -> Generation:
    return Generation(
        text="",
        prompt_tokens=1,
        cached_tokens=0,
        completion_tokens=n_tokens,
        first_token_s=None,
        tokens_per_s=None,
        finish="stop",
    )


def finding(name: str, status: str = "ok") -> Check:
    return Check(name=name, status=status, detail="x")


async def trial() -> tuple[Check, ...]:
    return (finding("voice.sound", "warning"),)


async def test_trials_of_other_services_are_findings(paths: DataPaths) -> None:
    lock = take(paths)
    assert lock is not None
    report: Body = DoctorReport(checks=())
    service = DoctorService(
        paths, Library(report), Engine(generation(4)), Models(INFO), {}, [], trials=[trial]
    )
    (handler,) = service.handlers().values()
    answer: Any = await handler(RunDoctor(), Context())
    assert finding("voice.sound", "warning") in answer.checks
    lock.release()


async def run(paths: DataPaths, library: Any, engine: Any, models: Any, workers: Any) -> dict[str, Check]:
    service = DoctorService(
        paths, Library(library), Engine(engine), Models(models), workers, [lambda: [finding("chats.db")]]
    )
    (handler,) = service.handlers().values()
    report: Any = await handler(RunDoctor(), Context())
    return {check.name: check for check in report.checks}


async def test_all_is_well(paths: DataPaths, make_worker: WorkerMaker) -> None:
    lock = take(paths)
    report: Body = DoctorReport(checks=(finding("library.a"),))
    checks = await run(paths, report, generation(4), INFO, {"render": make_worker("render")})
    assert {check.status for check in checks.values()} == {"ok"}
    assert {"library.a", "chats.db", "engine.generation", "worker.render", "data.lock"} <= set(checks)
    assert lock is not None
    lock.release()


async def test_what_fails_is_told_with_the_next_step(paths: DataPaths, make_worker: WorkerMaker) -> None:
    lock = take(paths)
    assert lock is not None
    worker = make_worker("render", mode="SIGSEGV")
    with pytest.raises(AppError):
        await worker.call(say("pid"))
    broken = AppError("worker.failed", "It is gone.", "Start again.")
    checks = await run(paths, broken, generation(0), INFO, {"render": worker})
    assert checks["library.worker"].status == "error" and checks["library.worker"].hint == "Start again."
    assert (
        checks["engine.generation"].status == "error"
        and "wrote nothing" in checks["engine.generation"].detail
    )
    assert checks["worker.render"].status == "error" and checks["worker.render"].hint
    checks = await run(paths, broken, broken, INFO, {})
    assert checks["engine.generation"].detail == "It is gone."
    checks = await run(paths, broken, broken, ModelError("model.none", "None.", "Fetch."), {})
    assert checks["engine.generation"].status == "warning"
    lock.release()


async def test_the_generation_takes_no_model_from_under_an_answer(paths: DataPaths) -> None:
    lock = take(paths)
    assert lock is not None
    queue, report = AnswerQueue(), DoctorReport(checks=())
    service = DoctorService(
        paths, Library(report), Engine(generation(4)), Models(INFO), {}, [lambda: [finding("x")]], queue
    )
    (handler,) = service.handlers().values()
    async with queue.turn():
        asked = asyncio.ensure_future(handler(RunDoctor(), Context()))
        done, _ = await asyncio.wait({asked}, timeout=0.3)
        assert not done
    await asked
    lock.release()


def test_files_that_others_can_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "it's"
    root.mkdir(mode=0o700)
    assert permission_check(root).status == "ok"
    (root / "a").mkdir(mode=0o755)
    for name in ("b", "c", "d"):
        (root / "a" / name).touch(mode=0o644)
    (root / "link").symlink_to("/nowhere")
    check = permission_check(root)
    assert check.status == "warning" and check.detail.startswith("4 files or folders")
    assert "chmod" in check.hint
    assert not doctor._is_open(root / "gone")
    monkeypatch.setattr(os, "name", "nt")
    assert doctor.permission_check.__globals__["os"].name == "nt"
    name_check = permission_check(root)
    monkeypatch.undo()
    assert name_check.status == "ok"


def test_low_space_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert space_check(tmp_path).name == "data.space"
    monkeypatch.setattr(doctor, "LOW_SPACE_BYTES", 10**30)
    assert space_check(tmp_path).status == "warning"
    monkeypatch.setattr(doctor, "LOW_SPACE_BYTES", 0)
    assert space_check(tmp_path).status == "ok"


def test_the_lock_must_hold(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    assert lock_check(path).status == "error"
    lock = FileLock.acquire(path)
    assert lock is not None and lock_check(path).status == "ok"
    lock.release()
    assert lock_check(tmp_path / "no" / "folder").status == "error"
