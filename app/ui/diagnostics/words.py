"""The computer and the engine in words, for the diagnostics page."""

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from app.protocol.hardware import Adapter, Engine, Gpu, Hardware
from app.ui.guide.words import core_count, disk_free_of, free_of, gigabytes


@dataclass(frozen=True)
class GpuAnswer:
    """Whether a graphics card is used, and if not, why.

    Attributes:
        severity: `ok`, `info`, `warning` or `error`.
        title: the answer in one line.
        reasons: one a line, each with its next step; empty where nothing is in the way.
    """

    severity: str
    title: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """One graphics card as the page shows it.

    Attributes:
        state: `used`, `untested` or `unused`.
        facts: (what, words) in order.
        reason: why it is not used; empty where it is.
    """

    name: str
    state: str
    facts: tuple[tuple[str, str], ...]
    reason: str = ""


def gpu_answer(hardware: Hardware) -> GpuAnswer:
    """Answer “is my graphics card used, and if not, why?”."""
    working = [gpu for gpu in hardware.gpus if gpu.tested is not False]
    if working:
        tested = [gpu for gpu in working if gpu.tested]
        names = ", ".join(gpu_name(gpu) for gpu in tested or working)
        if tested:
            return GpuAnswer("ok", _tr("Your GPU is used: {0}").format(names))
        later = _tr("It is tried with one short answer before a model first runs on it.")
        return GpuAnswer("info", _tr("Your GPU can be used: {0}").format(names), (later,))
    reasons = _reasons(hardware)
    if hardware.engine.problem:
        return GpuAnswer("error", _tr("The engine could not be asked"), reasons)
    if hardware.gpus or hardware.adapters:
        return GpuAnswer(
            "warning", _tr("Your GPU is not used; answers are computed on the processor"), reasons
        )
    title = _tr("No graphics card was found; answers are computed on the processor")
    return GpuAnswer("info", title, reasons)


def _reasons(hardware: Hardware) -> tuple[str, ...]:
    """Give what is in the way, the most direct first, each once."""
    reasons = [hardware.engine.problem]
    reasons += [
        _tr("{0} gave a wrong answer when it was tried. A newer driver may help.").format(gpu_name(gpu))
        for gpu in hardware.gpus
        if gpu.tested is False
    ]
    own = [f"{adapter.name}: {adapter.reason}" for adapter in hardware.adapters if adapter.reason]
    reasons += own
    if not any(hardware.gpu_note in reason for reason in own):
        reasons.append(hardware.gpu_note)
    return tuple(dict.fromkeys(reason for reason in reasons if reason))


def cards(hardware: Hardware) -> tuple[Card, ...]:
    """Give the engine's devices, then the adapters of the system that none of them is."""
    devices = [_device_card(gpu) for gpu in hardware.gpus]
    known = [gpu_name(gpu) for gpu in hardware.gpus]
    others = [_adapter_card(each) for each in hardware.adapters if not _is_known(each, known)]
    return (*devices, *others)


def _is_known(adapter: Adapter, device_names: list[str]) -> bool:
    """Tell whether the engine's device is this adapter; their names differ in small things only."""
    name = adapter.name.casefold()
    return adapter.usable and any(
        name in device.casefold() or device.casefold() in name for device in device_names
    )


def _device_card(gpu: Gpu) -> Card:
    facts = [(_tr("Device"), f"{gpu.name} ({gpu.backend})")]
    if gpu.memory_total_bytes > 0:
        memory = free_of(gpu.memory_free_bytes, gpu.memory_total_bytes)
        shared = _tr("{0}; a share of the main memory").format(memory)
        facts.append((_tr("Memory"), shared if gpu.integrated else memory))
    if gpu.driver:
        facts.append((_tr("Driver"), gpu.driver))
    tested = {
        True: _tr("One short answer on it was right"),
        False: _tr("One short answer on it was wrong, so it is not used"),
        None: _tr("Not tried yet"),
    }[gpu.tested]
    facts.append((_tr("Self-test"), tested))
    state = {True: "used", None: "untested", False: "unused"}[gpu.tested]
    return Card(gpu_name(gpu), state, tuple(facts))


def _adapter_card(adapter: Adapter) -> Card:
    facts = [(_tr("Maker"), adapter.vendor)] if adapter.vendor else []
    if adapter.memory_total_bytes:
        facts.append((_tr("Memory"), _tr("{0} GB").format(gigabytes(adapter.memory_total_bytes))))
    driver = adapter.driver
    if adapter.driver_version and adapter.driver_version not in driver:
        driver = f"{driver} {adapter.driver_version}".strip()
    facts.append((_tr("Driver"), driver or _tr("none is installed")))
    if adapter.backends:
        facts.append((_tr("Could use it"), ", ".join(adapter.backends)))
    return Card(adapter.name, "untested" if adapter.usable else "unused", tuple(facts), adapter.reason)


def gpu_name(gpu: Gpu) -> str:
    """Give a device's name for people."""
    return gpu.description or gpu.name


def state_words(state: str) -> str:
    """Give the words of a Card's state."""
    return {"used": _tr("used"), "untested": _tr("can be used"), "unused": _tr("not used")}[state]


def processor_rows(hardware: Hardware) -> list[tuple[str, str]]:
    """Give (what, words) for processor, memory and disk."""
    cpu = hardware.cpu
    rows = [(_tr("Processor"), cpu.name), (_tr("Cores"), core_count(cpu))]
    if cpu.cores_used:
        of_all = _tr("{0} of {1}").format(cpu.cores_used, cpu.logical_cores or cpu.physical_cores)
        rows.append((_tr("Used for answers"), of_all))
    if cpu.features:
        rows.append((_tr("Instructions"), ", ".join(cpu.features)))
    memory = hardware.memory
    rows.append((_tr("Memory"), free_of(memory.available_bytes, memory.total_bytes)))
    rows.append((_tr("Disk"), disk_free_of(hardware.disk_free_bytes, hardware.disk_total_bytes)))
    return rows


def engine_rows(engine: Engine) -> list[tuple[str, str]]:
    """Give (what, words) for the engine."""
    rows = [(_tr("Computes with"), ", ".join(engine.backends) or _tr("not known"))]
    if engine.cpu_variant:
        rows.append((_tr("Variant for this processor"), engine.cpu_variant))
    if engine.cpu_features:
        rows.append((_tr("It uses"), ", ".join(engine.cpu_features)))
    if engine.problem:
        rows.append((_tr("Problem"), engine.problem))
    return rows


def _tr(text: str) -> str:
    return QCoreApplication.translate("DiagnosticsWords", text)
