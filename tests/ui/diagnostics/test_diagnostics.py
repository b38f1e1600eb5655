"""The diagnostics page: what it says of a computer, and why a graphics card is not used."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import WorkerError
from app.protocol.hardware import Adapter, Cpu, Engine, GetHardware, Gpu, Hardware, Memory, Requirement
from app.protocol.system import Check, DoctorReport, RunDoctor
from app.ui.diagnostics.pane import DiagnosticsPane
from app.ui.diagnostics.report import report_text, without_home
from app.ui.diagnostics.words import cards, engine_rows, gpu_answer, processor_rows
from app.ui.elements.elided_label import ElidedLabel
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession

GIB = 1024**3
NO_LOADER = "The Vulkan loader is missing. Install the package libvulkan1 and look again."
PLAIN = Hardware(
    cpu=Cpu(name="Chip 9", physical_cores=4, logical_cores=8, features=("avx2", "fma"), cores_used=3),
    memory=Memory(total_bytes=16 * GIB, available_bytes=9 * GIB + GIB // 2),
    gpus=(),
    gpu_note="",
    engine=Engine(backends=("CPU",), cpu_variant="haswell", cpu_features=("avx2", "fma")),
    disk_free_bytes=100 * GIB,
    disk_total_bytes=512 * GIB,
)
ADAPTER = Adapter(
    name="NVIDIA GeForce RTX 3060",
    vendor="NVIDIA",
    driver="nvidia",
    driver_version="550.54",
    memory_total_bytes=6 * GIB,
    reason=NO_LOADER,
    backends=("Vulkan", "CUDA"),
)
GPU = Gpu(
    name="Vulkan0",
    description="NVIDIA GeForce RTX 3060",
    memory_total_bytes=6 * GIB,
    memory_free_bytes=5 * GIB,
    backend="Vulkan",
    driver="nvidia 550.54",
    tested=True,
)
UNUSABLE = replace(
    PLAIN,
    gpu_note=NO_LOADER,
    adapters=(ADAPTER,),
    requirements=(
        Requirement(name="libvulkan.so.1", found=False, detail="it is not installed", needed_for="Vulkan"),
        Requirement(name="a Vulkan driver (ICD)", found=True, detail="/usr/share/vulkan/icd.d/n.json"),
    ),
)
USABLE = replace(PLAIN, gpus=(GPU,), adapters=(replace(ADAPTER, usable=True, reason=""),))
CHECKS = (
    Check(name="data.permissions", status="ok", detail="Only this user can read the data folder."),
    Check(name="data.space", status="warning", detail="Only 1.2 GB are free.", hint="Free some space."),
)


def said(widget: QWidget) -> str:
    return "\n".join(
        label.full_text if isinstance(label, ElidedLabel) else label.text()
        for label in widget.findChildren(QLabel)
        if label.isVisibleTo(widget)
    )


def test_a_computer_without_a_card_says_so() -> None:
    answer = gpu_answer(PLAIN)
    assert (answer.severity, answer.reasons) == ("info", ())
    assert "No graphics card was found" in answer.title


def test_an_unusable_card_is_answered_with_its_reason_once() -> None:
    answer = gpu_answer(UNUSABLE)
    assert answer.severity == "warning"
    assert answer.reasons == (f"NVIDIA GeForce RTX 3060: {NO_LOADER}",)
    (card,) = cards(UNUSABLE)
    assert card.state == "unused"
    assert dict(card.facts)["Driver"] == "nvidia 550.54"
    assert dict(card.facts)["Could use it"] == "Vulkan, CUDA"
    assert dict(card.facts)["Memory"] == "6.0 GB"


def test_a_note_beyond_the_cards_own_reason_is_said_too() -> None:
    answer = gpu_answer(replace(UNUSABLE, gpu_note="This build has no GPU part."))
    assert answer.reasons[-1] == "This build has no GPU part."
    silent = replace(UNUSABLE, adapters=(Adapter(name="Card", vendor="", reason=""),), gpu_note="")
    assert gpu_answer(silent).severity == "warning"
    assert dict(cards(silent)[0].facts) == {"Driver": "none is installed"}


def test_a_tested_card_is_used_and_an_untested_one_can_be() -> None:
    assert gpu_answer(USABLE).severity == "ok"
    assert gpu_answer(USABLE).title == "Your GPU is used: NVIDIA GeForce RTX 3060"
    later = replace(USABLE, gpus=(replace(GPU, tested=None),))
    assert gpu_answer(later).severity == "info"
    assert "tried" in gpu_answer(later).reasons[0]
    both = replace(USABLE, gpus=(GPU, replace(GPU, name="Vulkan1", description="Other", tested=None)))
    assert gpu_answer(both).title.endswith("RTX 3060")


def test_a_device_and_its_adapter_are_one_card() -> None:
    (card,) = cards(USABLE)
    assert card.state == "used"
    assert dict(card.facts)["Self-test"] == "One short answer on it was right"
    shared = replace(GPU, description="", integrated=True, memory_free_bytes=GIB, driver="", tested=None)
    (own, other) = cards(replace(USABLE, gpus=(shared,)))
    assert own.name == "Vulkan0"
    assert "share of the main memory" in dict(own.facts)["Memory"]
    assert other.state == "untested"
    (bare,) = cards(replace(PLAIN, gpus=(replace(GPU, memory_total_bytes=0),)))
    assert "Memory" not in dict(bare.facts)


def test_a_card_that_answers_wrongly_is_not_used() -> None:
    wrong = replace(PLAIN, gpus=(replace(GPU, tested=False),))
    assert gpu_answer(wrong).severity == "warning"
    assert "wrong answer" in gpu_answer(wrong).reasons[0]
    assert cards(wrong)[0].state == "unused"


def test_an_engine_that_cannot_be_loaded_is_an_error() -> None:
    broken = replace(PLAIN, engine=Engine(problem="libllama.so is missing. Install the program anew."))
    answer = gpu_answer(broken)
    assert answer.severity == "error"
    assert answer.reasons == ("libllama.so is missing. Install the program anew.",)
    rows = dict(engine_rows(broken.engine))
    assert rows["Computes with"] == "not known"
    assert rows["Problem"] == answer.reasons[0]


def test_processor_memory_and_disk_in_words() -> None:
    rows = dict(processor_rows(PLAIN))
    assert rows["Used for answers"] == "3 of 8"
    assert rows["Memory"] == "16 GB, 9.5 GB free"
    assert rows["Instructions"] == "avx2, fma"
    bare = replace(PLAIN, cpu=Cpu(name="x", physical_cores=1, logical_cores=1))
    assert "Instructions" not in dict(processor_rows(bare))
    assert "Used for answers" not in dict(processor_rows(bare))


def test_the_report_holds_everything_but_the_users_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/erika"))
    hidden = Requirement(name="a layer", found=True, detail="/home/erika/.local/layer.json")
    hardware = replace(UNUSABLE, requirements=(*UNUSABLE.requirements, hidden))
    text = report_text(hardware, CHECKS)
    for words in ("Chip 9", NO_LOADER, "[--] libvulkan.so.1 (Vulkan)", "[!!] data.space", "haswell"):
        assert words in text
    assert "erika" not in text
    assert "~/.local/layer.json" in text
    assert "data.space" not in report_text(PLAIN)
    assert without_home("/srv/x", "/") == "/srv/x"


@pytest.fixture
def pane(session: FakeSession, tasks: TaskSpawner, theme: Theme, qtbot: QtBot) -> DiagnosticsPane:
    session.reply(GetHardware, UNUSABLE)
    session.reply(RunDoctor, DoctorReport(checks=CHECKS))
    pane = DiagnosticsPane(session, tasks, theme)
    qtbot.addWidget(pane)
    pane.resize(800, 900)
    return pane


async def test_it_looks_when_it_is_first_shown(pane: DiagnosticsPane, session: FakeSession) -> None:
    assert not session.sent(GetHardware)
    pane.show()
    assert "Looking at this computer" in said(pane)
    assert not pane.look_button.isEnabled()
    await until(lambda: "Chip 9" in said(pane))
    words = said(pane)
    assert "Why is my GPU not used?" in words
    assert NO_LOADER in words
    assert "missing · for Vulkan · it is not installed" in words
    pane.hide()
    pane.show()
    pane.look_button.click()
    await until(lambda: len(session.sent(GetHardware)) == 2)
    await until(lambda: "Chip 9" in said(pane))
    session.reply(GetHardware, USABLE)
    await until(pane.look_button.isEnabled)
    pane.look_button.click()
    await until(lambda: "Your GPU is used" in said(pane))
    assert "Why is my GPU not used?" not in said(pane)
    assert "libvulkan" not in said(pane)


async def test_a_look_that_fails_says_why_and_can_be_repeated(
    pane: DiagnosticsPane, session: FakeSession
) -> None:
    session.reply(GetHardware, WorkerError("probe.failed", "The probe ended.", "Try it again."))
    pane.show()
    await until(lambda: "The probe ended." in said(pane))
    assert not pane.copy_button.isEnabled()
    session.reply(GetHardware, PLAIN)
    pane.message.buttons[0].click()
    await until(lambda: "No graphics card was found" in said(pane))


async def test_only_one_look_runs_at_a_time(pane: DiagnosticsPane, session: FakeSession) -> None:
    gate = asyncio.Event()

    async def slow(_request: GetHardware) -> Hardware:
        await gate.wait()
        return PLAIN

    session.reply(GetHardware, slow)
    pane.show()
    pane.controller.look()
    await asyncio.sleep(0.02)
    assert len(session.sent(GetHardware)) == 1
    gate.set()
    await until(lambda: pane.controller.hardware)


async def test_checks_run_when_asked_for_and_bad_ones_stand_first(
    pane: DiagnosticsPane, session: FakeSession
) -> None:
    pane.show()
    await until(lambda: pane.controller.hardware)
    assert not session.sent(RunDoctor)
    pane.check_button.click()
    pane.controller.check()
    assert not pane.check_button.isEnabled()
    await until(lambda: "1 of 2 need a look." in said(pane.checks))
    assert len(session.sent(RunDoctor)) == 1
    words = said(pane.checks)
    assert words.index("Only 1.2 GB are free.") < words.index("Only this user")
    assert "Free some space." in words
    session.reply(RunDoctor, DoctorReport(checks=CHECKS[:1]))
    pane.check_button.click()
    await until(lambda: "Everything is in order." in said(pane.checks))
    session.reply(RunDoctor, WorkerError("worker.died", "The model's process ended.", "Try again."))
    pane.check_button.click()
    await until(lambda: "The model's process ended." in said(pane.checks))
    assert pane.check_button.isEnabled()


async def test_copying_says_what_was_copied(pane: DiagnosticsPane) -> None:
    pane.show()
    await until(lambda: pane.controller.hardware)
    pane.copy_button.click()
    text = QGuiApplication.clipboard().text()
    assert text == report_text(UNUSABLE)
    assert f"({text.count(chr(10))} lines)" in pane.copied.text()
    assert "checks" not in pane.copied.text()
    pane.check_button.click()
    await until(lambda: pane.controller.checks)
    pane.copy_button.click()
    assert "data.space" in QGuiApplication.clipboard().text()
    assert "checks" in pane.copied.text()


async def test_everything_has_a_name_for_a_screen_reader(pane: DiagnosticsPane, theme: Theme) -> None:
    pane.show()
    await until(lambda: pane.controller.hardware)
    assert pane.graphics.accessibleName() == "Why is my GPU not used?"
    light = pane.grab().toImage()
    theme.set_setting("dark")
    assert pane.grab().toImage() != light
