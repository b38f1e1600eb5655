"""What a calibration of this machine is valid for."""

from app.protocol.hardware import Cpu, Engine, Gpu


def calibration_key(cpu: Cpu, engine: Engine, gpus: tuple[Gpu, ...], n_threads: int) -> str:
    """Name a machine as far as its speed goes: processor, the engine's parts, threads, graphics processors.

    A calibration with another key than the machine's own is stale. Host and worker compute it alike.
    """
    parts = [
        cpu.name,
        "+".join(engine.backends),
        engine.cpu_variant,
        "+".join(sorted(engine.cpu_features)),
        f"{n_threads} threads",
        *(f"{gpu.backend} {gpu.description} {gpu.driver}".strip() for gpu in gpus),
    ]
    return " | ".join(part for part in parts if part)
