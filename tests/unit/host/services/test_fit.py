"""Advice knows this machine: its free memory, its speed, and what the replaced model gives back."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.errors import NotFoundError, StorageError, UsageError
from app.core.paths import catalogue_path
from app.host.services.catalogue import CatalogueService
from app.host.services.model_loading import handle_of
from app.protocol.catalogue import ListCatalogue
from app.protocol.engine import Calibrate, EngineInfo, Generation, MeasureSpeed
from app.protocol.models import BenchModel, BenchProgress, FitModel, ImportModel, ListModels, ModelsChanged
from tests.unit.core.ggml_writer import OldFile
from tests.unit.host.conftest import Context, Recorder, WorkerMaker, until
from tests.unit.host.services.model_desk import GPU, ModelDesk, gguf, shaped

GIB = 1024**3


class Advice:
    """The desk with the catalogue's service."""

    def __init__(self, desk: ModelDesk, path: Path | None = None) -> None:
        self.desk = desk
        self.service = CatalogueService(path or catalogue_path(), desk.service, desk.fit, desk.inspector)

    async def fit(self, name: str, **wishes: object) -> object:
        return await self.service.handlers()[FitModel](FitModel(name=name, **wishes), Context())  # type: ignore[arg-type]


@pytest.fixture
async def desk(
    tmp_path: Path, make_worker: WorkerMaker, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ModelDesk]:
    monkeypatch.setattr("app.host.services.fit.available_memory", lambda: 10 * GIB)
    desk = ModelDesk(tmp_path, make_worker(), events)
    yield desk
    await desk.service.close()


def info(measured_bytes: int = 0, n_layers: int = 0, n_gpu_layers: int = 0) -> EngineInfo:
    return EngineInfo(
        path="/m",
        name="m",
        architecture="llama",
        description="",
        n_params=1,
        context_length=1,
        context_trained=1,
        has_template=True,
        load_seconds=0.0,
        n_threads=1,
        measured_bytes=measured_bytes,
        n_layers=n_layers,
        n_gpu_layers=n_gpu_layers,
    )


# ------------------------------------------------------------------------------------------ memory


async def test_what_a_replaced_model_takes_counts_as_free(desk: ModelDesk) -> None:
    assert (await desk.fit.room()).available_bytes == 10 * GIB
    room = await desk.fit.room([info(measured_bytes=5), info(measured_bytes=8, n_layers=4, n_gpu_layers=4)])
    assert (room.available_bytes, room.gpu_available_bytes) == (10 * GIB + 5, 0)


async def test_the_graphics_processors_memory_counts_too(desk: ModelDesk) -> None:
    shared = replace(GPU, name="iGPU", integrated=True, memory_free_bytes=99 * GIB)
    broken = replace(GPU, name="bad", tested=False, memory_free_bytes=99 * GIB)
    desk.gpus = (shared, GPU, broken)
    room = await desk.fit.room([info(measured_bytes=80, n_layers=4, n_gpu_layers=2)])
    assert (room.available_bytes, room.gpu_available_bytes) == (10 * GIB + 40, GPU.memory_free_bytes + 40)
    assert not room.gpu_integrated
    await desk.fit.room()
    assert desk.n_probes == 1
    desk.fit.memory_changed()
    desk.gpus = (shared,)
    assert (await desk.fit.room()).gpu_integrated
    assert desk.n_probes == 2


# ------------------------------------------------------------------------------------------ speed


async def test_the_machine_is_measured_once_and_kept(desk: ModelDesk) -> None:
    desk.add("first", data=shaped())
    await desk.ask(ListModels(with_fit=True))
    await until(lambda: bool(desk.events.of(ModelsChanged)))
    await desk.ask(ListModels(with_fit=True))
    (entry,) = (await desk.ask(ListModels(with_fit=True))).models
    assert entry.fit is not None and entry.fit.tokens_per_s
    assert len(desk.engine.of(Calibrate)) == 1
    stored = json.loads(desk.paths.calibration_path.read_text())
    assert stored["calibration"]["cpu_bytes_per_s"] == 1e10


async def test_a_kept_calibration_counts_on_the_same_machine_only(desk: ModelDesk) -> None:
    await desk.fit.know_speed(wait=True)
    text = desk.paths.calibration_path.read_text()
    desk.fit._calibration, desk.fit._is_read = None, False
    await desk.fit.know_speed(wait=True)
    assert desk.fit.calibration() is not None and len(desk.engine.of(Calibrate)) == 1
    desk.cpu_name, desk.fit._calibration, desk.fit._is_read = "Chip 10", None, False
    desk.fit.memory_changed()
    await desk.fit.know_speed(wait=True)
    assert len(desk.engine.of(Calibrate)) == 2 and desk.paths.calibration_path.read_text() != text


@pytest.mark.parametrize("calibration", ['{"cpu_bytes_per_s": "x"}', "{}", "null"])
async def test_a_damaged_calibration_is_measured_anew(desk: ModelDesk, calibration: str) -> None:
    await desk.fit.know_speed(wait=True)
    stored = json.loads(desk.paths.calibration_path.read_text())
    stored["calibration"] = json.loads(calibration)
    desk.paths.calibration_path.write_text(json.dumps(stored))
    desk.fit._calibration, desk.fit._is_read = None, False
    await desk.fit.know_speed(wait=True)
    assert len(desk.engine.of(Calibrate)) == 2


async def test_without_a_measurement_there_is_no_estimate(
    tmp_path: Path, make_worker: WorkerMaker, events: Recorder
) -> None:
    desk = ModelDesk(tmp_path, make_worker(mode="sulky"), events)
    desk.add("first", data=shaped())
    for _ in range(2):
        await desk.fit.know_speed(wait=True)
    assert len(desk.engine.of(Calibrate)) == 1 and desk.fit.calibration() is None
    (entry,) = await desk.service.entries(with_fit=True)
    assert entry.fit is not None and entry.fit.tokens_per_s is None
    await desk.service.close()


async def test_measuring_never_stands_in_the_way_of_an_answer(
    tmp_path: Path, make_worker: WorkerMaker, events: Recorder
) -> None:
    desk = ModelDesk(tmp_path, make_worker(mode="patient"), events)
    async with desk.queue.turn():
        await desk.fit.know_speed(wait=True)
        await desk.fit.know_speed(wait=False)
    assert not desk.engine.of(Calibrate)
    await desk.fit.know_speed(wait=False)
    await until(lambda: bool(desk.engine.of(Calibrate)))
    async with asyncio.timeout(5):
        async with desk.queue.turn():
            pass
    assert desk.fit.calibration() is None
    await desk.service.close()


async def test_a_calibration_that_cannot_be_kept_still_counts(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(value: object) -> None:
        raise StorageError("storage.not_saved", "No room.")

    monkeypatch.setattr(desk.fit._file, "write", fail)
    await desk.fit.know_speed(wait=True)
    assert desk.fit.calibration() is not None


async def test_nonsense_of_a_measurement_is_no_speed(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def zero(request: Calibrate) -> object:
        return Calibrate.RESULT()

    monkeypatch.setattr(desk.engine, "call", zero)
    await desk.fit.know_speed(wait=False)
    await until(lambda: desk.queue._background is None)
    assert desk.fit.calibration() is None and not desk.events.of(ModelsChanged)
    monkeypatch.undo()


def written(n_tokens: int, speed: float, n_drafted: int = 0) -> Generation:
    return Generation(
        text="x",
        prompt_tokens=1,
        cached_tokens=0,
        completion_tokens=n_tokens,
        first_token_s=0.1,
        tokens_per_s=speed,
        finish="stop",
        n_drafted=n_drafted,
    )


async def test_real_answers_refine_the_estimate(desk: ModelDesk) -> None:
    path = desk.add("first", data=shaped(n_weights=3_200_000))
    handle = handle_of(path)
    await desk.service.ensure_loaded("first")
    await desk.service.note_answer(handle, written(50, 20.0))
    assert desk.fit.calibration() is None
    await desk.fit.know_speed(wait=True)

    def rate() -> float:
        calibration = desk.fit.calibration()
        assert calibration is not None
        return calibration.cpu_bytes_per_s

    await desk.service.note_answer(handle, written(10, 20.0))
    await desk.service.note_answer(handle, written(50, 20.0, n_drafted=5))
    await desk.service.note_answer(handle, written(50, 5000.0))
    assert rate() == 1e10
    await desk.service.note_answer(handle, written(50, 20.0))
    assert rate() < 0.9e10
    assert json.loads(desk.paths.calibration_path.read_text())["calibration"]["cpu_bytes_per_s"] == rate()
    on_gpu = info(n_layers=4, n_gpu_layers=4)
    before = rate()
    await desk.fit.note_speed((await desk.service.candidates())[0].inspection.shape, on_gpu, 50, 20.0)
    await desk.fit.note_speed(None, info(), 50, 20.0)
    assert rate() == before


# ------------------------------------------------------------------------------------------ advice by name


async def test_advice_by_name_id_and_path(desk: ModelDesk) -> None:
    advice = Advice(desk)
    desk.add("first", data=shaped())
    here = await advice.fit("first")
    assert here.verdict == "good" and here.n_layers == 2  # type: ignore[attr-defined]
    wished = await advice.fit("first", context_length=1024, kv_type="q8_0")
    assert (wished.context_length, wished.kv_type) == (1024, "q8_0")  # type: ignore[attr-defined]
    large = await advice.fit("llama-3.3-70b-instruct")
    assert large.verdict == "too_large" and large.n_layers == 80  # type: ignore[attr-defined]
    other = desk.other / "theirs.gguf"
    other.write_bytes(shaped(n_layers=3))
    assert (await advice.fit(str(other))).n_layers == 3  # type: ignore[attr-defined]
    old = desk.other / "gpt2-old.bin"
    old.write_bytes(OldFile(kind="gpt2").encode())
    assert (await advice.fit(str(old))).verdict == "good"  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["here", "path", "catalogue"])
async def test_there_is_no_advice_for_what_does_not_answer(desk: ModelDesk, kind: str) -> None:
    advice = Advice(desk)
    folder = desk.own if kind == "here" else desk.other
    (folder / "embedder.gguf").write_bytes(gguf(general__architecture="bert"))
    name = {"here": "embedder", "path": str(folder / "embedder.gguf"), "catalogue": "all-minilm-l6-v2"}[kind]
    with pytest.raises(Exception, match=r"model\.not_chat"):
        await advice.fit(name)


async def test_advice_on_what_understands_and_speaks(desk: ModelDesk) -> None:
    advice = Advice(desk)
    large = await advice.fit("faster-whisper-large-v3")
    assert "an hour" in large.words and large.needed_bytes > 4 * GIB  # type: ignore[attr-defined]
    assert (await advice.fit("piper-en-us-joe-medium")).verdict == "good"  # type: ignore[attr-defined]
    folder = desk.own / "my-whisper"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"x" * 1000)
    (folder / "vocabulary.txt").write_text("a")
    here = await advice.fit("my-whisper")
    assert here.verdict == "good" and here.placement == "cpu"  # type: ignore[attr-defined]
    entries = {entry.name: entry for entry in await desk.service.entries(with_fit=True)}
    assert entries["my-whisper"].kind == "speech" and entries["my-whisper"].fit is not None


@pytest.mark.parametrize("kind", ["here", "path"])
async def test_advice_on_a_broken_file_is_its_reason(desk: ModelDesk, kind: str) -> None:
    folder = desk.own if kind == "here" else desk.other
    (folder / "broken.gguf").write_bytes(b"<html>")
    with pytest.raises(Exception, match=r"model\.not_gguf"):
        await Advice(desk).fit("broken" if kind == "here" else str(folder / "broken.gguf"))


async def test_advice_on_nothing(desk: ModelDesk) -> None:
    for name in ("gone", "/gone/m.gguf"):
        with pytest.raises(NotFoundError, match=r"model\.not_found"):
            await Advice(desk).fit(name)


async def test_the_catalogue_with_advice_and_what_is_here(desk: ModelDesk) -> None:
    advice = Advice(desk)
    desk.add("Qwen3-4B-Q4_K_M", data=shaped())
    handler = advice.service.handlers()[ListCatalogue]
    listed = await handler(ListCatalogue(), Context())
    models = {model.id: model for model in listed.models}  # type: ignore[union-attr]
    qwen = models["qwen3-4b"]
    assert qwen.recommended == "Qwen3-4B-Q6_K.gguf"
    installed = {file.name: file.installed for file in qwen.files}
    assert installed["Qwen3-4B-Q4_K_M.gguf"] == "Qwen3-4B-Q4_K_M" and not installed["Qwen3-4B-Q8_0.gguf"]
    q8 = next(file for file in qwen.files if file.quantization == "Q8_0")
    assert q8.size_bytes is None and q8.size_about_bytes == pytest.approx(4.27e9, rel=0.02)
    tiny = models["faster-whisper-tiny"]
    assert tiny.recommended == "model.bin"
    assert [bool(file.fit) for file in tiny.files] == [True, False, False, False]
    voice = models["piper-en-us-joe-medium"]
    assert voice.recommended.endswith("en_US-joe-medium.onnx")
    assert voice.files[0].fit is not None and voice.files[0].fit.verdict == "good"
    assert all(file.fit is None for file in models["all-minilm-l6-v2"].files)
    assert models["llama-3.3-70b-instruct"].recommended == ""
    voices = await handler(ListCatalogue(kind="voice"), Context())
    assert {model.kind for model in voices.models} == {"voice"}  # type: ignore[union-attr]
    found = await advice.service.find("qwen3-4b")
    assert found is not None  # this machine may have been measured meanwhile, so that its advice is another
    assert [replace(file, fit=None) for file in found.files] == [
        replace(file, fit=None) for file in qwen.files
    ]
    assert await advice.service.find("gone") is None


async def test_the_download_manager_is_answered_at_once(desk: ModelDesk) -> None:
    advice = Advice(desk)
    found = advice.service.find_now("qwen3-4b")
    assert found is not None and found.recommended == "Qwen3-4B-Q6_K.gguf" and not desk.n_probes
    assert advice.service.find_now("gone") is None
    path = desk.add("first")
    assert await desk.service.path_of("first") == path


async def test_a_damaged_catalogue_is_said(desk: ModelDesk, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"catalogue\.damaged"):
        await Advice(desk, tmp_path / "gone.json").service.find("x")


# ------------------------------------------------------------------------------------------ measuring a model


async def test_a_model_is_measured_beside_what_was_predicted(desk: ModelDesk) -> None:
    desk.add("first", data=shaped())
    context = Context()
    result = await desk.ask(BenchModel(name="first", n_prompt=16, n_generate=8), context)
    assert (result.name, result.tokens_per_s, result.prompt_tokens_per_s) == ("first", 10.0, 100.0)
    assert (result.n_prompt, result.n_generated, result.measured_bytes) == (16, 8, 2000)
    assert result.predicted_tokens_per_s and result.predicted_bytes > 0
    (measured,) = desk.engine.of(MeasureSpeed)
    assert measured.handle == handle_of(desk.own / "first.gguf")
    notes = [body.note for body in context.progressed if isinstance(body, BenchProgress)]
    assert notes == ["loading", "measuring"]


async def test_a_measurement_waits_for_its_turn(desk: ModelDesk) -> None:
    desk.add("first", data=shaped())
    await desk.fit.know_speed(wait=True)
    context = Context()
    async with desk.queue.turn():
        task = asyncio.create_task(desk.ask(BenchModel(), context))
        await until(lambda: bool(context.progressed))
    await task
    first = context.progressed[0]
    assert isinstance(first, BenchProgress) and first.note == "1 answer before this one"


@pytest.mark.parametrize(("n_prompt", "n_generate"), [(0, 1), (1, 0), (5000, 1), (1, 5000)])
async def test_odd_measurements_are_refused(desk: ModelDesk, n_prompt: int, n_generate: int) -> None:
    with pytest.raises(UsageError, match=r"bench\.bad_count"):
        await desk.ask(BenchModel(n_prompt=n_prompt, n_generate=n_generate))


async def test_an_imported_model_can_be_measured(desk: ModelDesk) -> None:
    path = desk.other / "mine.gguf"
    path.write_bytes(shaped())
    await desk.ask(ImportModel(path=str(path)))
    assert (await desk.ask(BenchModel(name="mine"))).name == "mine"
