"""Entry of the background process `probe`: prints one JSON object (`ProbeReport`) and exits."""

import json
import logging
import os

import psutil

from app.protocol.body import to_json
from app.protocol.hardware import Engine, Gpu, Memory, ProbeReport
from app.worker.inference.memory import available_memory
from app.worker.probe.devices import Devices
from app.worker.probe.processor import processor

log = logging.getLogger(__name__)


def main(_argv: list[str]) -> int:
    """Print the report on what was stdout; drivers that print get stderr."""
    output = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    with output:
        output.write(json.dumps(to_json(report())) + "\n")
    return 0


def report() -> ProbeReport:
    """Look at processor, memory and devices."""
    gpus, engine = _engine()
    memory = Memory(total_bytes=int(psutil.virtual_memory().total), available_bytes=available_memory())
    return ProbeReport(cpu=processor(), memory=memory, gpus=gpus, engine=engine)


def _engine() -> tuple[tuple[Gpu, ...], Engine]:
    try:
        from app.worker.inference import native  # loads the engine, which may fail

        native.load_plugins()
        devices = Devices(native.lib)
        return devices.gpus(), devices.engine()
    except Exception as error:  # the border to foreign code: what it raises depends on system and driver
        log.info("the engine cannot be asked", exc_info=True)
        return (), Engine(problem=f"{type(error).__name__}: {error}"[:300])
