"""The computer is described whatever becomes of the process that looks at it."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.core.paths import DataPaths
from app.host.services import hardware
from app.host.services.hardware import HardwareService, own_report, read_result
from app.protocol.body import to_json
from app.protocol.hardware import (
    Adapter,
    Cpu,
    Engine,
    GetHardware,
    Gpu,
    Hardware,
    Memory,
    ProbeReport,
    Requirement,
)
from tests.unit.host.conftest import Context, is_alive, until

GPU = Gpu(
    name="Vulkan0",
    description="Card 7",
    memory_total_bytes=8 * 1024**3,
    memory_free_bytes=7 * 1024**3,
    backend="Vulkan",
)
REPORT = ProbeReport(
    cpu=Cpu(name="Chip 9", physical_cores=4, logical_cores=8, features=("avx2",)),
    memory=Memory(total_bytes=16, available_bytes=8),
    gpus=(GPU,),
    engine=Engine(backends=("Vulkan", "CPU"), cpu_variant="haswell", cpu_features=("avx2",)),
)


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def printing(report: ProbeReport, then: str = "") -> list[str]:
    return python(f"import os, sys; print({json.dumps(to_json(report))!r}, flush=True)\n{then}")


async def ask(paths: DataPaths, command: Sequence[str], deadline_s: float = 20.0) -> Hardware:
    paths.logs_dir.mkdir(parents=True)
    service = HardwareService(paths, command, deadline_s)
    answer = await service.handlers()[GetHardware](GetHardware(), Context())
    assert isinstance(answer, Hardware)
    return answer


async def test_the_probes_report_is_the_answer(paths: DataPaths) -> None:
    found = await ask(paths, printing(REPORT))
    assert (found.cpu, found.memory, found.gpus, found.engine) == (
        REPORT.cpu,
        REPORT.memory,
        (GPU,),
        REPORT.engine,
    )
    assert found.gpu_note == ""
    assert 0 < found.disk_free_bytes <= found.disk_total_bytes


async def test_a_crash_after_the_report_costs_nothing(paths: DataPaths) -> None:
    found = await ask(paths, printing(REPORT, "os.kill(os.getpid(), 11)"))
    assert found.gpus == (GPU,) and found.gpu_note == ""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "crashed (SIGSEGV)",
            marks=pytest.mark.skipif(os.name == "nt", reason="Windows has no signals"),
        ),
        ("import sys; sys.exit(3)", "ended with an error (exit code 3)"),
        ("print('Loading Vulkan…'.encode('ascii', 'replace'))", "makes no sense (no report)"),
        ("print('{}')", "makes no sense"),
        ("print('[' * 100000)", "makes no sense"),
        ("import sys; sys.stdout.write('x' * 3_000_000)", "makes no sense"),
        ("", "makes no sense"),
    ],
)
async def test_a_probe_that_fails_is_told_and_the_rest_answered(
    paths: DataPaths, code: str, words: str
) -> None:
    found = await ask(paths, python(code))
    assert words in found.gpu_note
    assert found.gpu_note.startswith("The process that looks for graphics processors")
    assert "driver" in found.gpu_note
    assert found.gpus == () and found.engine == Engine()
    assert found.cpu.logical_cores == psutil.cpu_count() and found.cpu.name
    assert found.memory.total_bytes == psutil.virtual_memory().total
    assert found.disk_free_bytes > 0


async def test_a_probe_that_hangs_is_ended_with_its_children(paths: DataPaths, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)"
    )
    found = await ask(paths, python(code), 2.0)
    assert "did not answer for 2 seconds" in found.gpu_note
    for pid in pids.read_text().split():
        await until(lambda pid=pid: not is_alive(int(pid)))  # type: ignore[misc]


async def test_a_cancelled_request_leaves_no_process(paths: DataPaths, tmp_path: Path) -> None:
    pid_path = tmp_path / "pid"
    code = f"import os, time; open({str(pid_path)!r}, 'w').write(f'{{os.getpid()}}.'); time.sleep(600)"
    asking = asyncio.create_task(ask(paths, python(code)))
    await until(lambda: pid_path.exists() and pid_path.read_text().endswith("."))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not is_alive(int(pid_path.read_text()[:-1]))


async def test_a_probe_that_cannot_be_started_is_told(paths: DataPaths) -> None:
    found = await ask(paths, ["/nowhere/h2ogpt-worker", "probe"])
    assert "could not be started" in found.gpu_note and found.cpu.logical_cores


async def test_what_drivers_print_goes_to_the_log(paths: DataPaths) -> None:
    await ask(paths, printing(REPORT, "sys.stderr.write('WARNING: some driver'); sys.stderr.flush()"))
    assert "some driver" in (paths.logs_dir / "probe.log").read_text()


def test_the_programs_own_probe_is_asked(paths: DataPaths) -> None:
    assert HardwareService(paths)._command[-1] == "probe"


CARD = Adapter(name="Card 7", vendor="AMD", driver="amdgpu")
IDLE = replace(CARD, reason="This user may not open /dev/dri/renderD128.")


async def test_cards_and_requirements_are_passed_on(paths: DataPaths) -> None:
    needed = (Requirement(name="Vulkan loader", found=True),)
    report = replace(REPORT, adapters=(replace(CARD, usable=True),), requirements=needed)
    found = await ask(paths, printing(report))
    assert found.adapters == report.adapters and found.requirements == needed and found.gpu_note == ""


async def test_the_note_says_why_a_card_is_not_used(paths: DataPaths) -> None:
    found = await ask(paths, printing(replace(REPORT, gpus=(), adapters=(IDLE,))))
    assert found.gpu_note == "Card 7: This user may not open /dev/dri/renderD128."


async def test_a_container_without_cards_is_told(paths: DataPaths) -> None:
    found = await ask(paths, printing(replace(REPORT, gpus=(), container=True)))
    assert "lists no graphics card" in found.gpu_note and "container" in found.gpu_note


async def test_cards_that_the_settings_switch_off(paths: DataPaths) -> None:
    paths.logs_dir.mkdir(parents=True)
    report = replace(REPORT, adapters=(replace(CARD, usable=True),))
    service = HardwareService(paths, printing(report), 20.0, gpu_off=lambda: True)
    found = await service.handlers()[GetHardware](GetHardware(), Context())
    assert isinstance(found, Hardware)
    assert not found.adapters[0].usable and "switched off" in found.adapters[0].reason
    assert found.gpu_note.startswith("Card 7: It is switched off")


FIRST = replace(REPORT, gpus=(), engine=Engine(), adapters=(CARD,))


@pytest.mark.parametrize(
    ("then", "words"),
    [
        pytest.param(
            "os.kill(os.getpid(), 11)",
            "crashed (SIGSEGV)",
            marks=pytest.mark.skipif(os.name == "nt", reason="Windows has no signals"),
        ),
        ("import time; time.sleep(600)", "did not answer for 2 seconds"),
        ("print('[')", "makes no sense (no report)"),
    ],
)
async def test_what_was_known_before_a_driver_crashed_is_kept(
    paths: DataPaths, then: str, words: str
) -> None:
    found = await ask(paths, printing(FIRST, then), 2.0)
    assert words in found.gpu_note and found.cpu == FIRST.cpu
    (card,) = found.adapters
    assert card.name == "Card 7" and "crashed a process" in card.reason and not card.usable


async def test_the_last_line_counts(paths: DataPaths) -> None:
    second = printing(REPORT)[-1].replace("import os, sys; ", "")
    found = await ask(paths, printing(FIRST, second))
    assert found.gpus == (GPU,) and found.gpu_note == ""


def test_a_report_needs_its_fields() -> None:
    result = read_result(b'{"cpu": {"name": 5}}', 0)
    assert result.report is None and result.death is not None


def test_the_processors_name_without_a_kernel_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    assert hardware._own_name(cpuinfo)
    cpuinfo.write_text("processor : 0\nmodel name\t: Chip   9\n")
    assert hardware._own_name(cpuinfo) == "Chip 9"
    cpuinfo.write_text("processor : 0\n")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert hardware._own_name(cpuinfo) == "riscv64"
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: None)
    assert (own_report().cpu.physical_cores, own_report().cpu.logical_cores) == (0, 1)
