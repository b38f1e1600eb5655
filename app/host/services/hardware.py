"""What this computer has: asked by a process of its own, so that a graphics driver can crash nothing else."""

import asyncio
import contextlib
import json
import logging
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from app.core import gpu_reasons
from app.core.paths import DataPaths
from app.core.processes import worker_command, worker_environment
from app.host import deaths
from app.host.deaths import Death
from app.host.logs import RotatingLog
from app.host.services.ports import Handler, RequestContext
from app.host.worker_process import ProcessProtocol
from app.protocol.body import Body, from_json
from app.protocol.envelope import ProtocolError
from app.protocol.hardware import Adapter, Cpu, GetHardware, Hardware, Memory, ProbeReport

log = logging.getLogger(__name__)

DEADLINE_S = 15.0
MAX_REPORT_BYTES = 1_000_000
_CHUNK = 65_536


@dataclass(frozen=True)
class ProbeResult:
    """How a probe ended.

    Attributes:
        report: what it said last; None where it said nothing.
        death: why the report is not whole; None where it is.
    """

    report: ProbeReport | None
    death: Death | None = None


class HardwareService:
    """Answers `hardware.get`; always with processor and memory, whatever becomes of the probe."""

    def __init__(
        self,
        paths: DataPaths,
        command: Sequence[str] | None = None,
        deadline_s: float = DEADLINE_S,
        gpu_off: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the data folder, whose disk counts.

        Args:
            paths: of the data folder.
            command: stands in for the program's own probe.
            deadline_s: for the probe.
            gpu_off: whether the settings keep the models off the graphics card.
        """
        self._paths, self._deadline_s, self._gpu_off = paths, deadline_s, gpu_off
        self._command = list(command) if command is not None else worker_command("probe")

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {GetHardware: self._get}

    async def _get(self, request: GetHardware, context: RequestContext) -> Hardware:
        result = await self._probe()
        report = result.report or own_report()
        if result.death:
            note, cards = death_note(result.death), tuple(_after_death(report.adapters))
        else:
            off = self._gpu_off()
            cards = tuple(_switched_off(report.adapters)) if off else report.adapters
            note = gpu_reasons.summary(
                cards,
                report.gpus,
                report.engine,
                report.requirements,
                container=report.container,
                switched_off=off,
            )
        usage = await asyncio.to_thread(shutil.disk_usage, self._paths.root)
        return Hardware(
            cpu=report.cpu,
            memory=report.memory,
            gpus=report.gpus,
            gpu_note=note,
            engine=report.engine,
            disk_free_bytes=usage.free,
            disk_total_bytes=usage.total,
            adapters=cards,
            requirements=report.requirements,
        )

    async def _probe(self) -> ProbeResult:
        try:
            transport, process, exited = await _start(self._command)
        except OSError as error:
            return ProbeResult(None, deaths.not_started(error.strerror or str(error)))
        data = bytearray()
        output = asyncio.create_task(_read(process.stdout, data), name="probe output")
        words = asyncio.create_task(self._keep_words(process.stderr), name="probe words")
        try:
            async with asyncio.timeout(self._deadline_s):
                await output
                await exited.wait()
                await words
        except TimeoutError:
            return ProbeResult(read_result(bytes(data), None).report, deaths.hung(self._deadline_s))
        finally:
            _kill(process)
            for task in (output, words):
                task.cancel()
            await asyncio.gather(output, words, return_exceptions=True)
            await exited.wait()
            transport.close()
        return read_result(bytes(data), process.returncode)

    async def _keep_words(self, stream: asyncio.StreamReader | None) -> None:
        """Move what drivers print to the log."""
        assert stream is not None
        kept = RotatingLog(self._paths.logs_dir / "probe.log")
        while data := await stream.read(_CHUNK):
            kept.write(data)


async def _start(
    command: Sequence[str],
) -> tuple[asyncio.SubprocessTransport, asyncio.subprocess.Process, asyncio.Event]:
    """Start a probe; also give its transport, and what its end sets."""
    options: dict[str, Any] = {}
    if sys.platform == "win32":  # pragma: no cover  # this system only
        options["creationflags"] = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW
    else:
        options["process_group"] = 0  # what a driver starts ends with it
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: ProcessProtocol(limit=_CHUNK, loop=loop),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        env=worker_environment(),
        **options,
    )
    return transport, asyncio.subprocess.Process(transport, protocol, loop), protocol.exited


async def _read(stream: asyncio.StreamReader | None, data: bytearray) -> None:
    """Read to the end; of what is longer than any report the rest is dropped, and makes no sense then."""
    assert stream is not None
    while chunk := await stream.read(_CHUNK):
        if len(data) <= MAX_REPORT_BYTES:
            data += chunk


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the process and its children, also those that outlived it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":  # pragma: no cover  # this system only
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def read_result(data: bytes, code: int | None) -> ProbeResult:
    """Read what a probe printed; a whole report counts, even if the process crashed on its way out."""
    last = None
    for line in data.splitlines():
        last = _report(line) or last
    if last is not None and (last.engine.backends or last.engine.problem):
        return ProbeResult(last)
    log.info("the probe gave no whole report (exit code %s)", code)
    return ProbeResult(last, deaths.from_exit(code) if code else deaths.nonsense("no report"))


def _report(line: bytes) -> ProbeReport | None:
    try:
        return from_json(ProbeReport, json.loads(line))
    except (ValueError, RecursionError, ProtocolError):
        return None


def _switched_off(cards: Iterable[Adapter]) -> Iterable[Adapter]:
    """Give the cards as the settings leave them: unused, whatever else there is to say."""
    words = gpu_reasons.SWITCHED_OFF
    return (replace(card, usable=False, reason=words) for card in cards)


def _after_death(cards: Iterable[Adapter]) -> Iterable[Adapter]:
    """Give the cards that were listed before the probe died looking closer."""
    words = (
        "Looking closer at it crashed a process. A damaged graphics driver can be the reason; install its "
        "newest version."
    )
    return (replace(card, reason=words) for card in cards)


def own_report() -> ProbeReport:
    """Give what needs neither engine nor driver."""
    memory = psutil.virtual_memory()
    return ProbeReport(
        cpu=Cpu(
            name=_own_name(),
            physical_cores=psutil.cpu_count(logical=False) or 0,
            logical_cores=psutil.cpu_count() or 1,
        ),
        memory=Memory(total_bytes=int(memory.total), available_bytes=int(memory.available)),
    )


def _own_name(cpuinfo_path: Path = Path("/proc/cpuinfo")) -> str:
    with contextlib.suppress(OSError):
        for line in cpuinfo_path.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def death_note(death: Death) -> str:
    """Say why the probe gave no report."""
    return (
        f"{deaths.name_of('probe')} {death.cause}. A damaged graphics driver can be the reason; "
        "installing its newest version may help."
    )
