"""Messages about the computer: processor, memory, graphics processors, free disk."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request


@dataclass(frozen=True, kw_only=True)
class Cpu(Body):
    """The processor.

    Attributes:
        name: as its maker calls it; the kind of machine where that is not known.
        physical_cores: 0 where not known.
        logical_cores: threads that it runs at once.
        features: instruction sets that the engine has code for, in ggml's words (`avx2`, `avx512_vnni`,
            `neon`, `dotprod`, …); empty where they are not known.
        cores_used: that generation uses: physical, fast, allowed to this process and paid for by its quota; 0
            where not known.
    """

    name: str
    physical_cores: int
    logical_cores: int
    features: tuple[str, ...] = ()
    cores_used: int = 0


@dataclass(frozen=True, kw_only=True)
class Memory(Body):
    """The main memory.

    Attributes:
        available_bytes: can be used without swapping, within the limit.
        limit_bytes: that a container or the system sets for this program; None where there is none.
    """

    total_bytes: int
    available_bytes: int
    limit_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Gpu(Body):
    """A graphics processor that the engine can compute on.

    Attributes:
        name: the engine's name of the device: `Vulkan0`.
        description: as its maker calls it.
        backend: `Vulkan`, `Metal`, `CUDA`, …
        integrated: it uses the main memory, so `memory_*_bytes` is a share of that.
        driver: with its version, as far as the system says; empty where it does not.
        tested: one real generation on it gave the processor's text; None where it was not tried yet.
    """

    name: str
    description: str
    memory_total_bytes: int
    memory_free_bytes: int
    backend: str
    integrated: bool = False
    driver: str = ""
    tested: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Engine(Body):
    """What the engine has to compute with.

    Attributes:
        backends: its parts that are loaded (`CPU`, `Vulkan`, …); empty where it could not be asked.
        cpu_variant: its variant for this processor (`haswell`, `zen4`, …); empty where it has only one.
        cpu_features: instruction sets that this variant uses, in the words of `Cpu.features`.
        problem: why it could not be loaded; empty where it was.
    """

    backends: tuple[str, ...] = ()
    cpu_variant: str = ""
    cpu_features: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Adapter(Body):
    """A graphics card as the operating system lists it, whether or not the engine can use it.

    Attributes:
        name: as its maker calls it; the PCI numbers where that is not known.
        vendor: `NVIDIA`, `AMD`, `Intel`, `Apple`, …
        driver: the kernel driver in charge with its version: `nvidia 550.54`; empty where none is.
        memory_total_bytes: None where the system does not say.
        usable: the engine computes on it.
        reason: why not, in words with the next step; empty where it can.
        backends: parts of the engine that can use it.
    """

    name: str
    vendor: str
    driver: str = ""
    driver_version: str = ""
    memory_total_bytes: int | None = None
    usable: bool = False
    reason: str = ""
    backends: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Requirement(Body):
    """A library, driver or part of the engine that computing on a GPU needs.

    Attributes:
        name: `libvulkan.so.1`, `a Vulkan driver (ICD)`, `the engine's Vulkan part`, …
        found: it is there and can be loaded.
        detail: where it was found or what happened when it was loaded.
        needed_for: `Vulkan`, `CUDA`, `Metal`.
    """

    name: str
    found: bool
    detail: str = ""
    needed_for: str = ""


@dataclass(frozen=True, kw_only=True)
class ProbeReport(Body):
    """What the background process `probe` prints, as JSON on a line of stdout.

    It prints two: one before it asks engine and graphics drivers (`engine` is empty there), and a whole one.

    Attributes:
        container: the program runs inside one, which hides cards that it was not given.
    """

    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...] = ()
    engine: Engine = Engine()
    adapters: tuple[Adapter, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    container: bool = False


@dataclass(frozen=True, kw_only=True)
class Hardware(Body):
    """The computer, as far as it could be found out.

    Attributes:
        gpu_note: why no graphics processor is used, in plain words; empty where one can be.
        disk_free_bytes: on the disk of the data folder.
        disk_total_bytes: of that disk.
    """

    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...]
    gpu_note: str
    engine: Engine
    disk_free_bytes: int
    disk_total_bytes: int
    adapters: tuple[Adapter, ...] = ()
    requirements: tuple[Requirement, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GetHardware(Request[Hardware]):
    """Ask what this computer has; a process of its own looks, which takes a second or two."""

    TYPE: ClassVar[str] = "hardware.get"
    RESULT: ClassVar[type[Body]] = Hardware
