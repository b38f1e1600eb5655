"""Models are found, one is loaded, and what is wrong with the others is said."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.errors import AppError, ModelError, NotFoundError, WorkerError
from app.host.services import models
from app.host.services.model_loading import Candidate
from app.protocol.models import ChooseModel, ListModels
from tests.unit.host.conftest import Context, Recorder, WorkerMaker, say
from tests.unit.host.services.model_desk import ModelDesk


@pytest.fixture
async def setting(tmp_path: Path, make_worker: WorkerMaker, events: Recorder) -> AsyncIterator[ModelDesk]:
    desk = ModelDesk(tmp_path, make_worker(), events)
    yield desk
    await desk.service.close()


async def test_no_model_at_all_says_what_to_do(setting: ModelDesk) -> None:
    assert (await setting.service._list(ListModels(), Context())).default == ""
    with pytest.raises(ModelError) as failure:
        await setting.service.ensure_loaded()
    assert failure.value.code == "model.none" and str(setting.own) in failure.value.hint
    assert "scripts/run.py" in failure.value.hint


async def test_an_installed_program_without_a_model_names_the_folder_alone(
    setting: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(AppError) as failure:
        await setting.service.ensure_loaded()
    assert str(setting.own) in failure.value.hint
    assert "scripts/run.py" not in failure.value.hint


async def test_lists_all_by_name_with_reasons(setting: ModelDesk) -> None:
    setting.add("beta", own=False)
    setting.add("Alpha")
    setting.add("beta")
    (setting.own / "broken.gguf").write_bytes(b"<html>not a model</html>")
    (setting.own / "notes.txt").write_text("no model")
    listed = (await setting.service._list(ListModels(), Context())).models
    assert [(model.name, model.state) for model in listed] == [
        ("Alpha", "available"),
        ("beta", "available"),
        ("beta (2)", "available"),
        ("broken", "broken"),
    ]
    assert listed[-1].problem and Path(listed[1].path).parent == setting.starter
    with pytest.raises(ModelError, match=r"model\.not_gguf"):
        await setting.service.ensure_loaded("broken")
    with pytest.raises(NotFoundError, match=r"model\.not_found") as failure:
        await setting.service.ensure_loaded("gamma")
    assert "Alpha" in failure.value.hint


async def test_only_broken_models_say_why(setting: ModelDesk) -> None:
    (setting.own / "broken.gguf").write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match=r"model\.not_gguf"):
        await setting.service.ensure_loaded()


async def test_the_default_is_the_chosen_else_the_largest_that_fits(
    setting: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, n_bytes in (("small", 1000), ("middle", 2000), ("large", 9000)):
        setting.add(name, n_bytes)
    available = 400_000_000 + 3000
    monkeypatch.setattr(models, "available_memory", lambda: available)
    assert (await setting.service._list(ListModels(), Context())).default == "middle"
    available = 0
    assert (await setting.service._list(ListModels(), Context())).default == "small"
    setting.settings.change({"default_model": "large"})
    assert (await setting.service._list(ListModels(), Context())).default == "large"
    setting.settings.change({"default_model": "gone"})
    assert (await setting.service._list(ListModels(), Context())).default == "small"


async def test_loads_once_and_tells_the_progress(setting: ModelDesk) -> None:
    setting.add("first")
    progress: list[float] = []
    info, same = await asyncio.gather(
        setting.service.ensure_loaded("first", progress.append), setting.service.ensure_loaded()
    )
    assert info.name == "first" and same is info and progress == [0.5]
    assert setting.changes() == [
        ("first", "loading", 0.0),
        ("first", "loading", 0.5),
        ("first", "loaded", 1.0),
    ]
    entry = await setting.service._choose(ChooseModel(name="first"), Context())
    assert (entry.state, entry.context_length) == ("loaded", 2048)


async def test_loads_again_when_the_file_the_settings_or_the_worker_changed(setting: ModelDesk) -> None:
    path = setting.add("first")
    info = await setting.service.ensure_loaded("first")
    setting.add("first", 1200)
    changed = await setting.service.ensure_loaded("first")
    assert changed is not info
    setting.settings.change({"context_length": 4096})
    assert (await setting.service.ensure_loaded("first")).context_length == 4096
    with pytest.raises(WorkerError):
        await setting.worker.call(say("SIGSEGV"))
    assert (await setting.entry("first")).state == "available"
    assert (await setting.service.ensure_loaded("first")).path == str(path)


async def test_one_at_a_time(setting: ModelDesk) -> None:
    setting.add("first")
    setting.add("second")
    await setting.service.ensure_loaded("first")
    await setting.service.ensure_loaded("second")
    assert (await setting.entry("first")).state == "available"
    assert (await setting.entry("second")).state == "loaded"
    assert ("first", "available", None) in setting.changes()


async def test_a_model_that_crashes_the_engine_is_marked_and_others_still_load(setting: ModelDesk) -> None:
    setting.add("crash")
    setting.add("good")
    for _ in range(2):
        with pytest.raises(WorkerError) as failure:
            await setting.service.ensure_loaded("crash")
        assert "while loading the model crash" in failure.value.user_message
    assert setting.changes()[-1] == ("crash", "broken", None)
    assert (await setting.entry("crash")).state == "broken"
    with pytest.raises(ModelError, match=r"model\.crashes"):
        await setting.service.ensure_loaded("crash")
    with pytest.raises(WorkerError):
        await setting.worker.call(say("SIGSEGV"))
    assert (await setting.service.ensure_loaded("good")).name == "good"
    assert (await setting.service._list(ListModels(), Context())).default == "good"


async def test_reasons_of_the_engine_last_where_they_lie_in_the_file(setting: ModelDesk) -> None:
    setting.add("odd")
    setting.add("large")
    with pytest.raises(AppError, match=r"model\.unsupported"):
        await setting.service.ensure_loaded("odd")
    assert (await setting.entry("odd")).problem == "Odd."
    with pytest.raises(ModelError, match=r"model\.unsupported"):
        await setting.service.ensure_loaded("odd")
    with pytest.raises(AppError, match=r"model\.too_large"):
        await setting.service.ensure_loaded("large")
    assert (await setting.entry("large")).state == "available"


async def test_cancelling_a_load_frees_the_way(setting: ModelDesk) -> None:
    setting.add("slow")
    setting.add("good")
    task = asyncio.create_task(setting.service.ensure_loaded("slow"))
    while not any(state == "loading" for _, state, _ in setting.changes()):
        await asyncio.sleep(0.01)
    assert (await setting.entry("slow")).state == "loading"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert setting.changes()[-1] == ("slow", "available", None)
    assert (await setting.service.ensure_loaded("good")).name == "good"


async def test_a_file_that_vanishes_is_said(setting: ModelDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = setting.add("first")
    stale = await setting.service.candidates()

    async def candidates() -> list[Candidate]:
        return stale

    path.unlink()
    assert await setting.service.entries() == []
    monkeypatch.setattr(setting.service, "candidates", candidates)
    with pytest.raises(NotFoundError, match="not there any more"):
        await setting.service.ensure_loaded("first")


async def test_a_file_that_vanishes_while_the_folder_is_read(
    setting: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (setting.own / "gone.gguf").symlink_to(setting.own / "nowhere")
    assert await setting.service.entries() == []
