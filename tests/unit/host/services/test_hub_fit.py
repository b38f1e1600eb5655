"""Advice on the files of a repository: from the head of the smallest, else from the sizes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError
from app.core.fit import shape_of
from app.core.gguf import read_head
from app.core.paths import starter_models_dir
from app.host.services.hub_fit import HubAdvisor, of_size
from app.host.services.hub_listing import Listing
from app.protocol.catalogue import CatalogueFile, CatalogueModel
from tests.unit.host.conftest import Recorder, WorkerMaker
from tests.unit.host.services.model_desk import ModelDesk

GIB = 1024**3
FILES = (
    CatalogueFile(name="small.gguf", size_bytes=GIB),
    CatalogueFile(name="large.gguf", size_bytes=99 * GIB),
    CatalogueFile(name="unknown.gguf", size_bytes=None),
    CatalogueFile(name="mmproj.gguf", size_bytes=GIB, role="projector"),
)


@pytest.fixture
async def desk(
    tmp_path: Path, make_worker: WorkerMaker, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ModelDesk]:
    monkeypatch.setattr("app.host.services.fit.available_memory", lambda: 10 * GIB)
    desk = ModelDesk(tmp_path, make_worker(), events)
    yield desk
    await desk.service.close()


def starter() -> Path:
    return next((starter_models_dir() / "chat").glob("*.gguf"))


class OneRepository:
    """Stands in for the hub; `answer` is the beginning of each file, or what it fails with."""

    def __init__(self, answer: bytes | Exception | None) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def head_of(self, repository: str, revision: str, file: str) -> bytes:
        self.asked.append(file)
        if self.answer is None:
            await asyncio.sleep(60)
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer


def listing(files: tuple[CatalogueFile, ...] = FILES) -> Listing:
    model = CatalogueModel(id="o/r", title="r", repository="o/r", files=files)
    return Listing("o/r", "0" * 40, {}, model)


def advisor(desk: ModelDesk, hub: Any, deadline_s: float = 5.0) -> HubAdvisor:
    return HubAdvisor(hub, desk.service, desk.fit, deadline_s)


async def test_one_head_tells_of_all_quantizations(desk: ModelDesk) -> None:
    with starter().open("rb") as file:
        hub = OneRepository(file.read(8 * 1024 * 1024))
    advice = advisor(desk, hub)
    model = await advice.advised(listing())
    verdicts = [file.fit.verdict if file.fit is not None else None for file in model.files]
    assert verdicts == ["good", "too_large", None, None]
    first = model.files[0].fit
    assert first is not None and (first.n_layers, first.weight_bytes) == (30, GIB)
    await advice.advised(listing())
    assert hub.asked == ["small.gguf"]  # the head is asked for once


@pytest.mark.parametrize("answer", [AppError("hub.refused", "No."), b"no model", None])
async def test_without_a_head_the_sizes_advise(desk: ModelDesk, answer: bytes | Exception | None) -> None:
    model = await advisor(desk, OneRepository(answer), 0.05).advised(listing())
    verdicts = [file.fit.verdict if file.fit is not None else None for file in model.files]
    assert verdicts == ["good", "too_large", None, None]
    assert model.files[0].fit is not None and model.files[0].fit.n_layers == 0


async def test_few_shapes_are_kept(desk: ModelDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.host.services.hub_fit._KEPT_SHAPES", 1)
    with starter().open("rb") as file:
        hub = OneRepository(file.read(8 * 1024 * 1024))
    advice = advisor(desk, hub)
    for revision in ("1", "2", "1"):
        await advice.advised(replace(listing(), revision=revision * 40))
    assert len(hub.asked) == 3


async def test_a_repository_without_models_opens_nothing(desk: ModelDesk) -> None:
    hub = OneRepository(b"")
    await advisor(desk, hub).advised(listing(FILES[2:]))
    assert hub.asked == []


def test_a_larger_file_is_the_same_model_in_more_bits() -> None:
    shape = shape_of(read_head(starter()))
    double = of_size(shape, 2 * shape.weight_bytes)
    assert double.weight_bytes == 2 * shape.weight_bytes
    assert (double.n_layers, double.n_params) == (shape.n_layers, shape.n_params)
    assert double.active_bytes == pytest.approx(2 * shape.active_bytes, rel=1e-6)
