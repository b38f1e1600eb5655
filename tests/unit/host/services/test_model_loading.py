"""What is in memory: how models get there with their settings, and how they leave."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError, ModelError, NotFoundError, WorkerError
from app.host.services import model_loading
from app.host.services.model_loading import GPU_CRASHED, handle_of
from app.host.services.models import ModelsService
from app.protocol.engine import ForgetSnapshots, Generation, LoadModel, SaveSnapshot, UnloadModel
from app.protocol.models import (
    ChooseModel,
    ModelChanged,
    ModelsChanged,
    UnloadModelNamed,
    UpdateModelSettings,
)
from tests.unit.host.conftest import Recorder, WorkerMaker, say, until
from tests.unit.host.services.model_desk import GPU, ModelDesk, gguf, shaped


@pytest.fixture
async def desk(tmp_path: Path, make_worker: WorkerMaker, events: Recorder) -> AsyncIterator[ModelDesk]:
    desk = ModelDesk(tmp_path, make_worker(), events)
    yield desk
    await desk.service.close()


def answer(n_tokens: int = 40, **fields: Any) -> Generation:
    values: dict[str, Any] = {
        "text": "x",
        "prompt_tokens": 3,
        "cached_tokens": 0,
        "completion_tokens": n_tokens,
        "first_token_s": 0.1,
        "tokens_per_s": 20.0,
        "finish": "stop",
    }
    return Generation(**values | fields)


class Clock:
    """Stands in for the loop's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        loop = asyncio.get_running_loop()
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.ahead_s)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_all_settings_of_the_model_reach_the_worker(desk: ModelDesk) -> None:
    path, small = desk.add("first"), desk.add("small")
    (desk.own / "mmproj-first-f16.gguf").write_bytes(gguf(general__type="mmproj"))
    values = {
        "context_length": 4096,
        "kv_type": "q8_0",
        "flash_attention": "on",
        "gpu_layers": 7,
        "n_threads": 3,
        "batch_tokens": 64,
        "prompt_format": "chatml",
        "template": "{{ x }}",
        "loras": [{"path": "/l.gguf", "scale": 0.5}],
        "draft_model": "small",
    }
    await desk.ask(UpdateModelSettings(name="first", values=values))
    await desk.service.ensure_loaded("first")
    (request,) = desk.engine.of(LoadModel)
    assert (request.path, request.handle, request.context_length) == (str(path), handle_of(path), 4096)
    assert (request.kv_type, request.flash_attention, request.gpu_layers) == ("q8_0", "on", 7)
    assert (request.n_threads, request.batch_tokens, request.prompt_format) == (3, 64, "chatml")
    assert (request.template, request.draft, request.loras[0].scale) == ("{{ x }}", str(small), 0.5)
    assert request.projector.endswith("mmproj-first-f16.gguf")
    assert request.snapshot_dir == str(desk.paths.kv_snapshots_dir) and Path(request.snapshot_dir).is_dir()
    assert request.snapshot_limit_bytes == 4_096_000_000


async def test_what_is_not_set_is_left_to_the_worker(desk: ModelDesk) -> None:
    desk.add("first")
    desk.settings.change({"kv_snapshots": False, "context_length": 1024})
    await desk.service.ensure_loaded("first")
    (request,) = desk.engine.of(LoadModel)
    assert (request.kv_type, request.gpu_layers, request.context_length) == ("", -1, 1024)
    assert (request.snapshot_dir, request.snapshot_limit_bytes, request.projector) == ("", 0, "")


async def test_a_draft_model_that_is_gone_is_noted(desk: ModelDesk) -> None:
    desk.add("first")
    await desk.ask(UpdateModelSettings(name="first", values={"draft_model": "gone"}))
    entry = await desk.ask(ChooseModel(name="first"))
    assert entry.loaded is not None and "gone is not there" in entry.loaded.notes[0]


async def test_a_changed_setting_loads_anew_at_the_next_use(desk: ModelDesk) -> None:
    desk.add("first")
    await desk.service.ensure_loaded("first")
    await desk.service.ensure_loaded("first")
    await desk.ask(UpdateModelSettings(name="first", values={"kv_type": "q4_0"}))
    assert (await desk.service.ensure_loaded("first")).kv_type == "q4_0"
    assert len(desk.engine.of(LoadModel)) == 2


async def test_a_bad_adapter_does_not_make_the_model_bad(desk: ModelDesk) -> None:
    desk.add("first")
    await desk.ask(UpdateModelSettings(name="first", values={"loras": [{"path": "/bad.gguf"}]}))
    with pytest.raises(AppError, match=r"model\.not_gguf"):
        await desk.service.ensure_loaded("first")
    assert (await desk.entry("first")).state == "available"
    await desk.ask(UpdateModelSettings(name="first", values={}, reset=True))
    assert (await desk.service.ensure_loaded("first")).n_layers == 2


async def test_a_change_of_settings_gives_a_model_that_failed_another_try(desk: ModelDesk) -> None:
    desk.add("odd")
    for _ in range(2):
        with pytest.raises(AppError, match=r"model\.unsupported"):
            await desk.service.ensure_loaded("odd")
    assert len(desk.engine.of(LoadModel)) == 1 and (await desk.entry("odd")).state == "broken"
    await desk.ask(UpdateModelSettings(name="odd", values={"context_length": 1024}))
    assert (await desk.entry("odd")).state == "available"


async def test_predicted_stands_beside_measured(desk: ModelDesk) -> None:
    path = desk.add("noted", data=shaped())
    entry = await desk.ask(ChooseModel(name="noted"))
    loaded = entry.loaded
    assert loaded is not None and loaded.measured_bytes == 1000 and loaded.notes == ("fewer layers",)
    assert loaded.predicted_bytes > path.stat().st_size
    notes = [body.note for body in desk.events.bodies if isinstance(body, ModelChanged) and body.note]
    assert notes == ["fewer layers"]
    await desk.service.note_answer(handle_of(path), answer())
    entry = await desk.entry("noted")
    assert entry.loaded is not None and entry.loaded.measured_tokens_per_s == 20.0
    await desk.service.note_answer(handle_of(path), answer(1, tokens_per_s=None))
    await desk.service.note_answer("gone", answer())
    assert (await desk.entry("noted")).loaded == entry.loaded


async def test_a_crash_on_the_graphics_processor_is_tried_again_without(desk: ModelDesk) -> None:
    desk.gpus = (GPU,)
    path = desk.add("driver")
    entry = await desk.ask(ChooseModel(name="driver"))
    assert entry.loaded is not None and entry.loaded.notes == (GPU_CRASHED,)
    assert [request.gpu_layers for request in desk.engine.of(LoadModel)] == [-1, 0]
    assert GPU_CRASHED in [body.note for body in desk.events.bodies if isinstance(body, ModelChanged)]
    await desk.service.ensure_loaded("driver")
    assert len(desk.engine.of(LoadModel)) == 2
    with pytest.raises(WorkerError):
        await desk.worker.call(say("SIGSEGV"))
    entry = await desk.ask(ChooseModel(name="driver"))
    assert desk.engine.of(LoadModel)[-1].gpu_layers == 0 and path.exists()
    assert entry.loaded is not None and entry.loaded.notes == (GPU_CRASHED,)


async def test_without_a_graphics_processor_a_crash_is_a_crash(desk: ModelDesk) -> None:
    desk.add("driver")
    with pytest.raises(AppError, match=r"worker\.died"):
        await desk.service.ensure_loaded("driver")
    assert len(desk.engine.of(LoadModel)) == 1


async def test_one_at_a_time_unloads_the_other_first(desk: ModelDesk) -> None:
    first = desk.add("first")
    desk.add("second")
    await desk.service.ensure_loaded("first")
    await desk.service.ensure_loaded("second")
    kinds = [type(body).__name__ for body in desk.engine.sent]
    assert kinds == ["LoadModel", "UnloadModel", "LoadModel"]
    assert desk.engine.of(UnloadModel)[0].handle == handle_of(first)


async def test_more_at_once_where_they_fit_the_least_recently_used_leaves(desk: ModelDesk) -> None:
    desk.settings.change({"models_in_memory": 2})
    for name in ("first", "second", "third"):
        desk.add(name, data=shaped())
    await desk.service.ensure_loaded("first")
    await desk.service.ensure_loaded("second")
    await desk.service.ensure_loaded("first")
    await desk.service.ensure_loaded("third")
    states = {entry.name: entry.state for entry in await desk.service.entries()}
    assert states == {"first": "loaded", "second": "available", "third": "loaded"}


async def test_more_at_once_is_given_up_where_they_do_not_fit(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.settings.change({"models_in_memory": 3})
    for name in ("first", "second", "third"):
        desk.add(name, data=shaped())
    await desk.service.ensure_loaded("first")
    await desk.service.ensure_loaded("second")
    monkeypatch.setattr("app.host.services.fit.available_memory", lambda: 1000)
    await desk.service.ensure_loaded("third")
    assert [entry.name for entry in await desk.service.entries() if entry.state == "loaded"] == ["third"]
    await desk.ask(UpdateModelSettings(name="third", values={"kv_type": "q8_0"}))
    assert (await desk.service.ensure_loaded("third")).kv_type == "q8_0"


async def test_unloading_by_name_and_all(desk: ModelDesk) -> None:
    desk.settings.change({"models_in_memory": 2})
    for name in ("first", "second"):
        desk.add(name)
        await desk.service.ensure_loaded(name)
    await desk.ask(UnloadModelNamed(name="first"))
    assert (await desk.entry("first")).state == "available"
    await desk.ask(UnloadModelNamed(name="first"))
    await desk.ask(UnloadModelNamed())
    assert (await desk.entry("second")).state == "available"
    with pytest.raises(NotFoundError):
        await desk.ask(UnloadModelNamed(name="gone"))


async def test_unloading_waits_for_the_answer(desk: ModelDesk) -> None:
    desk.add("first")
    await desk.service.ensure_loaded("first")
    async with desk.queue.turn():
        task = asyncio.create_task(desk.ask(UnloadModelNamed(name="first")))
        await asyncio.sleep(0.05)
        assert (await desk.entry("first")).state == "loaded"
    await task
    assert (await desk.entry("first")).state == "available"


async def test_a_worker_that_is_gone_has_nothing_to_unload(desk: ModelDesk) -> None:
    path = desk.add("first")
    await desk.service.ensure_loaded("first")
    with pytest.raises(WorkerError):
        await desk.worker.call(say("SIGSEGV"))
    await desk.loader.unload([handle_of(path)])
    assert not desk.engine.of(UnloadModel)


async def test_a_model_that_does_not_unload_counts_as_gone(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk.add("first")
    await desk.service.ensure_loaded("first")

    async def fail(request: Any) -> None:
        raise WorkerError("worker.died", "It ended.")

    monkeypatch.setattr(desk.engine, "call", fail)
    await desk.loader.unload([handle_of(path)])
    assert (await desk.entry("first")).state == "available"


# ------------------------------------------------------------------------------------------ idle


async def test_idle_models_are_kept_as_snapshots_and_then_leave(desk: ModelDesk, clock: Clock) -> None:
    path = desk.add("first")
    await desk.loader.tick()
    await desk.service.ensure_loaded("first")
    await desk.service.note_answer(handle_of(path), answer())
    await desk.loader.tick()
    assert not desk.engine.of(SaveSnapshot)
    clock.ahead_s = 25.0
    await desk.loader.tick()
    await until(lambda: bool(desk.engine.of(SaveSnapshot)))
    await until(lambda: desk.queue._background is None)
    await desk.loader.tick()
    assert len(desk.engine.of(SaveSnapshot)) == 1
    clock.ahead_s = 29 * 60.0
    await desk.loader.tick()
    assert not desk.engine.of(UnloadModel)
    clock.ahead_s = 31 * 60.0
    await desk.loader.tick()
    assert len(desk.engine.of(UnloadModel)) == 1


async def test_nothing_leaves_while_an_answer_is_written_or_if_never_is_set(
    desk: ModelDesk, clock: Clock
) -> None:
    desk.add("first")
    await desk.service.ensure_loaded("first")
    clock.ahead_s = 10_000.0
    async with desk.queue.turn():
        await desk.loader.tick()
    assert not desk.engine.of(UnloadModel)
    desk.settings.change({"idle_unload_minutes": 0})
    await desk.loader.tick()
    assert not desk.engine.of(UnloadModel)


async def test_no_snapshots_where_they_are_off_and_a_failure_is_not_repeated(
    desk: ModelDesk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk.add("first")
    await desk.service.ensure_loaded("first")
    await desk.service.note_answer(handle_of(path), answer())
    clock.ahead_s = 25.0
    desk.settings.change({"kv_snapshots": False})
    await desk.loader.tick()
    assert not desk.engine.of(SaveSnapshot)
    desk.settings.change({"kv_snapshots": True})
    tried: list[Any] = []

    async def fail(request: Any) -> None:
        tried.append(request)
        raise AppError("engine.failed", "No room.")

    monkeypatch.setattr(desk.engine, "call", fail)
    for _ in range(3):
        await desk.loader.tick()
        await until(lambda: desk.queue._background is None)
    assert len(tried) == 1


async def test_snapshots_go_with_their_conversation_and_with_the_setting(desk: ModelDesk) -> None:
    await desk.service.forget_snapshots("c1")
    assert not desk.engine.sent
    desk.paths.kv_snapshots_dir.mkdir(parents=True)
    (desk.paths.kv_snapshots_dir / "x.kv").touch()
    await desk.service.forget_snapshots("c1")
    desk.settings.change({"kv_snapshots": False})
    desk.settings.change({"kv_snapshots": False})
    await until(lambda: len(desk.engine.of(ForgetSnapshots)) == 2)
    assert [request.conversation for request in desk.engine.of(ForgetSnapshots)] == ["c1", ""]
    await until(lambda: desk.service._forgetting is None)


async def test_snapshots_that_cannot_be_deleted_are_no_trouble(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.paths.kv_snapshots_dir.mkdir(parents=True)
    (desk.paths.kv_snapshots_dir / "x.kv").touch()

    async def fail(request: Any) -> None:
        raise AppError("engine.failed", "No.")

    monkeypatch.setattr(desk.engine, "call", fail)
    await desk.service.forget_snapshots()


# ------------------------------------------------------------------------------------------ the watch


async def test_files_that_come_and_go_are_noticed(
    tmp_path: Path, make_worker: WorkerMaker, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = ModelDesk(tmp_path, make_worker(), events, watch_period_s=0.02)
    path = desk.add("first")
    assert await desk.names() == ["first"]
    await asyncio.sleep(0.1)
    assert not events.of(ModelsChanged)
    path.unlink()
    await until(lambda: len(events.of(ModelsChanged)) == 1)

    def fail() -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(desk.places, "scan", fail)
        await asyncio.sleep(0.06)
    desk.add("second")
    await until(lambda: len(events.of(ModelsChanged)) == 2)
    await desk.service.close()


async def test_a_service_that_was_never_asked_closes(desk: ModelDesk) -> None:
    assert isinstance(desk.service, ModelsService)
    assert handle_of(Path("/a")) != handle_of(Path("/b"))
    assert model_loading._has_files(desk.own) is False


async def test_only_chat_models_answer(desk: ModelDesk) -> None:
    (desk.own / "embedder.gguf").write_bytes(gguf(general__architecture="nomic-bert"))
    with pytest.raises(ModelError, match=r"model\.not_chat") as failure:
        await desk.service.ensure_loaded("embedder")
    assert "embedding" in failure.value.user_message
    with pytest.raises(ModelError, match=r"model\.none"):
        await desk.service.ensure_loaded()
