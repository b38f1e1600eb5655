"""The computer in words, for the guide."""

from PySide6.QtCore import QCoreApplication, QLocale

from app.protocol.hardware import Cpu, Gpu, Hardware

# What the user may know by name; the engine's own parts and small steps are left out.
_FEATURE_NAMES = {
    "avx": "AVX",
    "avx2": "AVX2",
    "avx512": "AVX-512",
    "amx_int8": "AMX",
    "neon": "NEON",
    "sve": "SVE",
}
_GIB = 1024**3


def hardware_rows(hardware: Hardware) -> list[tuple[str, str]]:
    """Give (what, words) for each part of the computer."""
    memory = hardware.memory
    return [
        (_tr("Processor"), hardware.cpu.name),
        (_tr("Cores"), cores(hardware.cpu)),
        (_tr("Memory"), free_of(memory.available_bytes, memory.total_bytes)),
        (_tr("Graphics"), graphics(hardware)),
        (_tr("Disk"), disk_free_of(hardware.disk_free_bytes, hardware.disk_total_bytes)),
    ]


def cores(cpu: Cpu) -> str:
    """Give the number of cores, and the instruction sets known by name."""
    words = core_count(cpu)
    names = [name for feature, name in _FEATURE_NAMES.items() if feature in cpu.features]
    return f"{words} ({', '.join(names)})" if names else words


def core_count(cpu: Cpu) -> str:
    """Give the number of cores, with threads where they differ."""
    number = cpu.physical_cores or cpu.logical_cores
    words = _tr("1 core") if number == 1 else _tr("{0} cores").format(number)
    if cpu.logical_cores > number:
        words = _tr("{0}, {1} threads").format(words, cpu.logical_cores)
    return words


def graphics(hardware: Hardware) -> str:
    """Give the graphics processors, or say that none is used and why."""
    if hardware.gpus:
        return "\n".join(_gpu(gpu) for gpu in hardware.gpus)
    words = _tr("No usable GPU was found; answers are computed on the processor.")
    return f"{words}\n{hardware.gpu_note}".strip()


def _gpu(gpu: Gpu) -> str:
    name = gpu.description or gpu.name
    if gpu.memory_total_bytes <= 0:
        return _tr("{0} ({1})").format(name, gpu.backend)
    memory = free_of(gpu.memory_free_bytes, gpu.memory_total_bytes)
    if gpu.integrated:
        return _tr("{0} ({1}); it shares the main memory: {2}").format(name, gpu.backend, memory)
    return _tr("{0} ({1}): {2}").format(name, gpu.backend, memory)


def free_of(free: int, total: int) -> str:
    """Give a size and how much of it is free, both in bytes."""
    return _tr("{0} GB, {1} GB free").format(gigabytes(total), gigabytes(free))


def disk_free_of(free: int, total: int) -> str:
    """Give the size of a disk and how much of it is free, in 1000³ bytes as files' sizes are shown."""
    sizes = (QLocale().toString(n_bytes / 1000**3, "f", 0) for n_bytes in (total, free))
    return _tr("{0} GB, {1} GB free").format(*sizes)


def gigabytes(n_bytes: int) -> str:
    """Give gigabytes as systems show them for memory (1024³ bytes): one digit below ten, none above."""
    gigabytes = n_bytes / _GIB
    return QLocale().toString(gigabytes, "f", 1 if gigabytes < 10 else 0)


def _tr(text: str) -> str:
    return QCoreApplication.translate("GuideWords", text)
