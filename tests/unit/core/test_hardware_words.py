"""What the doctor prints about the computer."""

from dataclasses import replace

from app.core.hardware_words import sections, unused_features
from app.protocol.hardware import Adapter, Cpu, Engine, Gpu, Hardware, Memory, Requirement

GIB = 2**30
GPU = Gpu(
    name="Vulkan0",
    description="Card 7",
    memory_total_bytes=8 * GIB,
    memory_free_bytes=7 * GIB,
    backend="Vulkan",
    tested=True,
)
FULL = Hardware(
    cpu=Cpu(name="Chip 9", physical_cores=4, logical_cores=8, features=("avx2", "avx512"), cores_used=3),
    memory=Memory(total_bytes=16 * GIB, available_bytes=8 * GIB, limit_bytes=12 * GIB),
    gpus=(GPU,),
    gpu_note="",
    engine=Engine(backends=("Vulkan", "CPU"), cpu_variant="haswell", cpu_features=("avx2", "repack")),
    disk_free_bytes=40_500_000_000,
    disk_total_bytes=500_000_000_000,
    adapters=(
        Adapter(
            name="Card 7",
            vendor="AMD",
            driver="amdgpu",
            driver_version="Linux 6.1",
            memory_total_bytes=8 * GIB,
            usable=True,
            backends=("Vulkan",),
        ),
        Adapter(name="Card 8", vendor="NVIDIA", reason="No kernel driver is in charge of it."),
    ),
    requirements=(
        Requirement(name="Vulkan loader", found=True),
        Requirement(name="Vulkan driver", found=False, detail="none"),
    ),
)


def lines(hardware: Hardware) -> dict[str, tuple[str, ...]]:
    return {section.title: section.lines for section in sections(hardware)}


def test_everything_is_told() -> None:
    assert lines(FULL) == {
        "Computer": (
            "Processor: Chip 9 (4 cores, 8 threads)",
            "Cores that models use: 3",
            "Instruction sets: avx2, avx512",
            "Memory: 16.0 GB, limited to 12.0 GB, 8.0 GB free",
            "Disk of the data folder: 500 GB, 40.5 GB free",
        ),
        "Graphics": (
            "Card 7, driver amdgpu Linux 6.1, 8.0 GB",
            "  Used through Vulkan",
            "Card 8, no driver",
            "  Not used: No kernel driver is in charge of it.",
            "Vulkan0: Card 7, 8.0 GB, 7.0 GB free, tested",
        ),
        "Engine": (
            "Parts: Vulkan, CPU",
            "Variant for this processor: haswell",
            "Uses: avx2, repack",
            "Does not use: avx512; it has no variant that does on this processor.",
        ),
        "Requirements": ("found    Vulkan loader", "missing  Vulkan driver: none"),
    }


def test_little_is_told_in_few_lines() -> None:
    bare = replace(
        FULL,
        cpu=Cpu(name="Chip", physical_cores=0, logical_cores=2),
        memory=Memory(total_bytes=GIB, available_bytes=GIB),
        gpus=(replace(GPU, description="", integrated=True, tested=False),),
        gpu_note="Card 8: No kernel driver is in charge of it.\nMore.",
        engine=Engine(),
        adapters=(FULL.adapters[1], Adapter(name="Card 9", vendor="", driver="x")),
        requirements=(),
    )
    found = lines(bare)
    assert found["Computer"][0] == "Processor: Chip (2 cores)" and len(found["Computer"]) == 3
    assert found["Graphics"] == (
        "Card 8, no driver",
        "  Not used: No kernel driver is in charge of it.",
        "Card 9, driver x",
        "Vulkan0: a graphics processor, 8.0 GB shared with the processor, 7.0 GB free, failed its test",
        "More.",
    )
    assert found["Engine"] == ("It could not be asked.",) and "Requirements" not in found
    broken = lines(replace(bare, engine=Engine(problem="OSError: x")))
    assert broken["Engine"] == ("It could not be loaded: OSError: x",)


def test_a_better_build_is_named() -> None:
    own = replace(FULL, engine=Engine(backends=("CPU",), cpu_features=("avx2",)))
    assert unused_features(own) == ("avx512",)
    assert lines(own)["Engine"][-1].endswith(
        "the installers' build has a variant for each processor, which does."
    )
    best = replace(FULL, engine=Engine(backends=("CPU",), cpu_features=("avx2", "avx512")))
    assert len(lines(best)["Engine"]) == 3
    assert unused_features(replace(FULL, engine=Engine(problem="x"))) == ()
