"""What the computer has, in lines for people: what the doctor prints and a diagnostics page can show."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.protocol.hardware import Adapter, Gpu, Hardware, Requirement

_GB, _GIB = 1e9, 2**30


@dataclass(frozen=True)
class Section:
    """A heading and its lines."""

    title: str
    lines: tuple[str, ...]


def sections(hardware: Hardware) -> list[Section]:
    """Give the computer, its graphics cards, the engine and what computing on a graphics card needs."""
    found = [
        Section("Computer", tuple(_computer(hardware))),
        Section("Graphics", tuple(_graphics(hardware))),
        Section("Engine", tuple(_engine(hardware))),
    ]
    if hardware.requirements:
        found.append(Section("Requirements", tuple(map(_requirement, hardware.requirements))))
    return found


def unused_features(hardware: Hardware) -> tuple[str, ...]:
    """Give the instruction sets that the processor has and the engine's variant does not use.

    The engine has code for each of them, so another build of it, or another variant, would compute faster.
    Empty where the engine could not be asked.
    """
    used = hardware.engine.cpu_features
    return tuple(feature for feature in hardware.cpu.features if feature not in used) if used else ()


def _computer(hardware: Hardware) -> Iterator[str]:
    cpu, memory = hardware.cpu, hardware.memory
    cores = f"{cpu.physical_cores or cpu.logical_cores} cores"
    if cpu.logical_cores > cpu.physical_cores > 0:
        cores += f", {cpu.logical_cores} threads"
    yield f"Processor: {cpu.name} ({cores})"
    if cpu.cores_used:
        yield f"Cores that models use: {cpu.cores_used}"
    if cpu.features:
        yield f"Instruction sets: {', '.join(cpu.features)}"
    limit = f", limited to {_memory(memory.limit_bytes)}" if memory.limit_bytes else ""
    yield f"Memory: {_memory(memory.total_bytes)}{limit}, {_memory(memory.available_bytes)} free"
    yield (
        f"Disk of the data folder: {hardware.disk_total_bytes / _GB:.0f} GB, "
        f"{hardware.disk_free_bytes / _GB:.1f} GB free"
    )


def _graphics(hardware: Hardware) -> Iterator[str]:
    for adapter in hardware.adapters:
        yield _adapter(adapter)
        if adapter.reason:
            yield f"  Not used: {adapter.reason}"
        elif adapter.usable:
            yield f"  Used through {' and '.join(adapter.backends)}"
    for gpu in hardware.gpus:
        yield _gpu(gpu)
    told = {f"{adapter.name}: {adapter.reason}" for adapter in hardware.adapters}
    yield from (line for line in hardware.gpu_note.splitlines() if line not in told)


def _adapter(adapter: Adapter) -> str:
    parts = [adapter.name]
    driver = f"{adapter.driver} {adapter.driver_version}".strip()
    parts.append(f"driver {driver}" if driver else "no driver")
    if adapter.memory_total_bytes:
        parts.append(_memory(adapter.memory_total_bytes))
    return ", ".join(parts)


def _gpu(gpu: Gpu) -> str:
    tested = {True: ", tested", False: ", failed its test", None: ""}[gpu.tested]
    shared = " shared with the processor" if gpu.integrated else ""
    return (
        f"{gpu.name}: {gpu.description or 'a graphics processor'}, "
        f"{_memory(gpu.memory_total_bytes)}{shared}, {_memory(gpu.memory_free_bytes)} free{tested}"
    )


def _engine(hardware: Hardware) -> Iterator[str]:
    engine = hardware.engine
    if engine.problem:
        yield f"It could not be loaded: {engine.problem}"
        return
    if not engine.backends:
        yield "It could not be asked."
        return
    yield f"Parts: {', '.join(engine.backends)}"
    yield f"Variant for this processor: {engine.cpu_variant or 'one for all'}"
    yield f"Uses: {', '.join(engine.cpu_features)}"
    unused = unused_features(hardware)
    if unused:
        yield f"Does not use: {', '.join(unused)}; {_better(engine.cpu_variant)}"


def _better(variant: str) -> str:
    if variant:
        return "it has no variant that does on this processor."
    return "the installers' build has a variant for each processor, which does."


def _requirement(requirement: Requirement) -> str:
    mark = "found  " if requirement.found else "missing"
    detail = f": {requirement.detail}" if requirement.detail else ""
    return f"{mark}  {requirement.name}{detail}"


def _memory(n_bytes: int) -> str:
    """Give a size of memory as people count it, in powers of two."""
    return f"{n_bytes / _GIB:.1f} GB"
