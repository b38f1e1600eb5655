"""Entry of the background process `probe`: prints what it finds and exits.

It prints one JSON object (`ProbeReport`) on a line as soon as it knows what needs no engine and no graphics
driver, and a second one with everything: where a driver crashes, the first one is still there.
"""

import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import psutil

from app.core import gpu_reasons
from app.core.gpu_reasons import Card
from app.protocol.body import to_json
from app.protocol.hardware import Adapter, Engine, Gpu, Memory, ProbeReport
from app.worker.inference.memory import available_memory
from app.worker.probe.cards import linux_cards
from app.worker.probe.desktop_cards import macos_cards, windows_cards
from app.worker.probe.devices import Devices
from app.worker.probe.machine import machine, memory_limit
from app.worker.probe.nvidia_memory import with_memory
from app.worker.probe.processor import processor
from app.worker.probe.requirements import requirements

log = logging.getLogger(__name__)


def main(_argv: list[str]) -> int:
    """Print the reports on what was stdout; drivers that print get stderr."""
    output = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    cards = _cards()
    first = without_engine(cards)
    with output:
        _print(first, output)
        _print(with_engine(first, cards), output)
    return 0


def _print(found: ProbeReport, output: TextIO) -> None:
    output.write(json.dumps(to_json(found)) + "\n")
    output.flush()


def without_engine(cards: list[Card]) -> ProbeReport:
    """Look at processor and memory, and list the cards."""
    memory = Memory(
        total_bytes=int(psutil.virtual_memory().total),
        available_bytes=available_memory(),
        limit_bytes=memory_limit(),
    )
    listed = tuple(
        Adapter(
            name=card.name,
            vendor=card.vendor,
            driver=card.driver,
            driver_version=card.driver_version,
            memory_total_bytes=card.memory_total_bytes,
        )
        for card in cards
    )
    return ProbeReport(cpu=processor(), memory=memory, adapters=listed, container=machine().container)


def with_engine(first: ProbeReport, cards: list[Card]) -> ProbeReport:
    """Ask the engine for its devices, look for what it needs, and tell for each card why it is not used."""
    cards = with_memory(cards)
    gpus, engine, directory = _engine()
    vendors = [card.vendor for card in cards]
    here = machine()
    needed, parts = requirements(engine, directory, vendors, here.distribution)
    found = gpu_reasons.adapters(cards, gpus, here, parts)
    return replace(
        first,
        gpus=_with_drivers(gpus, cards),
        engine=engine,
        adapters=tuple(found),
        requirements=needed,
    )


def report() -> ProbeReport:
    """Look at everything."""
    cards = _cards()
    return with_engine(without_engine(cards), cards)


def _with_drivers(gpus: tuple[Gpu, ...], cards: list[Card]) -> tuple[Gpu, ...]:
    owners = gpu_reasons.cards_of(cards, gpus)
    return tuple(
        gpu if owner is None else replace(gpu, driver=f"{cards[owner].driver} {cards[owner].driver_version}")
        for gpu, owner in zip(gpus, owners, strict=True)
    )


def _cards() -> list[Card]:
    """List the graphics cards; never fails."""
    readers = {"linux": linux_cards, "win32": windows_cards, "darwin": macos_cards}
    try:
        return readers[sys.platform]() if sys.platform in readers else []
    except Exception:  # the border to what systems say about themselves
        log.info("the graphics cards cannot be listed", exc_info=True)
        return []


def _engine() -> tuple[tuple[Gpu, ...], Engine, Path]:
    directory = Path()
    try:
        from app.worker.inference import native  # loads the engine, which may fail

        directory = native.library_dir()
        native.load_plugins()
        devices = Devices(native.lib)
        return devices.gpus(), devices.engine(), directory
    except Exception as error:  # the border to foreign code: what it raises depends on system and driver
        log.info("the engine cannot be asked", exc_info=True)
        return (), Engine(problem=f"{type(error).__name__}: {error}"[:300]), directory
