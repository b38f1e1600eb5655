"""The decision table: every way in which a card can be left unused has its words, and only then."""

import itertools
from dataclasses import replace

import pytest

from app.core.gpu_reasons import (
    CODES,
    Card,
    GpuParts,
    Machine,
    adapters,
    cards_of,
    is_software,
    package_words,
    reason,
    summary,
    vendor_of,
)
from app.protocol.hardware import Engine, Gpu, Requirement

GIB = 2**30
NVIDIA = Card(
    name="NVIDIA GeForce RTX 3060",
    vendor="NVIDIA",
    driver="nvidia",
    driver_version="550.54",
    memory_total_bytes=12 * GIB,
    node="/dev/nvidia0",
    access="ok",
)
AMD = Card(name="AMD Navi 31", vendor="AMD", driver="amdgpu", node="/dev/dri/renderD128", access="ok")
INTEL = Card(name="Intel UHD 620", vendor="Intel", driver="i915", node="/dev/dri/renderD129", access="ok")
DEBIAN, FEDORA = Machine(distribution="debian"), Machine(distribution="fedora")
WINDOWS, MACOS = Machine(system="windows"), Machine(system="macos")
VULKAN = GpuParts(
    loaded=("Vulkan",), built=("Vulkan",), drivers=("nvidia_icd", "radeon_icd.x86_64", "intel_icd.x86_64")
)
BROKEN = replace(VULKAN, loaded=())


def gpu(description: str, backend: str = "Vulkan", name: str = "Vulkan0", integrated: bool = False) -> Gpu:
    return Gpu(
        name=name,
        description=description,
        memory_total_bytes=8 * GIB,
        memory_free_bytes=7 * GIB,
        backend=backend,
        integrated=integrated,
    )


CASES = [
    (NVIDIA, DEBIAN, replace(VULKAN, switched_off=True), "switched_off", "Set the layers to automatic"),
    (NVIDIA, DEBIAN, replace(BROKEN, problem="OSError: x"), "engine", "could not be loaded (OSError: x)"),
    (NVIDIA, DEBIAN, GpuParts(), "build", "the installers' build can use both"),
    (replace(NVIDIA, vendor="Red Hat"), DEBIAN, VULKAN, "virtual", "the screen of a virtual machine"),
    (replace(NVIDIA, vendor="ASPEED"), DEBIAN, VULKAN, "display_only", "only shows a picture"),
    (replace(NVIDIA, driver="vfio-pci"), DEBIAN, VULKAN, "reserved", "virtual machines (driver vfio-pci)"),
    (replace(NVIDIA, driver=""), DEBIAN, VULKAN, "no_driver", "Install the package nvidia-driver."),
    (replace(NVIDIA, driver=""), FEDORA, VULKAN, "no_driver", "Install the package akmod-nvidia."),
    (replace(NVIDIA, driver=""), Machine(), VULKAN, "no_driver", "nvidia-driver (Debian and Ubuntu)"),
    (replace(NVIDIA, driver="nouveau"), DEBIAN, BROKEN, "nouveau", "not NVIDIA's own. Install the package"),
    (replace(NVIDIA, driver="nouveau"), DEBIAN, VULKAN, "nouveau", "offers nothing to compute with"),
    (
        AMD,
        DEBIAN,
        replace(BROKEN, loader=False),
        "loader",
        "libvulkan.so.1 is missing. Install the package libvulkan1.",
    ),
    (AMD, Machine(distribution="arch"), replace(BROKEN, loader=False), "loader", "vulkan-icd-loader"),
    (
        AMD,
        WINDOWS,
        replace(BROKEN, loader=False),
        "loader",
        "vulkan-1.dll) is missing. Install the newest graphics driver of AMD.",
    ),
    (
        NVIDIA,
        DEBIAN,
        replace(BROKEN, missing=("libgomp.so.1",)),
        "library",
        "needs libgomp.so.1, which is not there",
    ),
    (
        replace(AMD, access="denied"),
        DEBIAN,
        VULKAN,
        "permission",
        "may not open /dev/dri/renderD128. Add the user to the group “render”",
    ),
    (
        replace(AMD, access="missing"),
        replace(DEBIAN, container=True),
        VULKAN,
        "container",
        "Start the container with it.",
    ),
    (replace(AMD, access="missing"), DEBIAN, VULKAN, "node", "the driver amdgpu did not start it"),
    (
        AMD,
        DEBIAN,
        replace(VULKAN, drivers=("lvp_icd.x86_64",)),
        "descriptions",
        "Install the package mesa-vulkan-drivers.",
    ),
    (
        NVIDIA,
        DEBIAN,
        replace(VULKAN, drivers=("radeon_icd",)),
        "descriptions",
        "Install the package nvidia-driver.",
    ),
    (
        replace(AMD, vendor="PCI 1234"),
        DEBIAN,
        replace(VULKAN, drivers=("lvp_icd",)),
        "descriptions",
        "mesa-vulkan-drivers",
    ),
    (
        replace(AMD, memory_total_bytes=256 * 2**20),
        DEBIAN,
        VULKAN,
        "memory",
        "Its memory (256 MB) is too small",
    ),
    (AMD, DEBIAN, BROKEN, "part", "needs a library, which is not there"),
    (AMD, DEBIAN, VULKAN, "no_device", "Install the newest version of the package mesa-vulkan-drivers."),
    (AMD, WINDOWS, VULKAN, "no_device", "Install the newest graphics driver of AMD."),
    (replace(AMD, vendor="Odd"), WINDOWS, VULKAN, "no_device", "graphics driver of its maker."),
]


@pytest.mark.parametrize(("card", "machine", "parts", "code", "words"), CASES)
def test_each_reason(card: Card, machine: Machine, parts: GpuParts, code: str, words: str) -> None:
    found = reason(card, machine, parts, used=False)
    assert (found.code, words in found.words) == (code, True), found.words


def test_every_code_has_a_case() -> None:
    assert {code for *_, code, _ in CASES} == set(CODES)


def test_every_combination_of_facts_has_a_sentence() -> None:
    """No mixture of facts is left without words, and none gives words to a card that is used."""
    cards = [
        replace(NVIDIA, vendor=vendor, driver=driver, access=access, memory_total_bytes=memory)
        for vendor, driver, access, memory in itertools.product(
            ("NVIDIA", "AMD", "Red Hat", ""),
            ("", "nvidia", "nouveau", "amdgpu", "vfio-pci"),
            ("ok", "denied", "missing", "unknown"),
            (None, 2**20),
        )
    ]
    machines = [
        *(
            Machine(distribution=distribution, container=container)
            for distribution in ("", "debian")
            for container in (False, True)
        ),
        WINDOWS,
        MACOS,
    ]
    parts = [
        GpuParts(loaded=loaded, built=built, missing=missing, loader=loader, drivers=drivers)
        for (loaded, built), missing, loader, drivers in itertools.product(
            (((), ()), ((), ("Vulkan",)), (("CUDA",), ("CUDA",)), (("Vulkan",), ("Vulkan", "CUDA"))),
            ((), ("libx.so",)),
            (True, False),
            ((), ("nvidia_icd",)),
        )
    ]
    for card, machine, part in itertools.product(cards, machines, parts):
        found = reason(card, machine, part, used=False)
        assert found.code in CODES and found.words[0].isupper() and found.words.endswith(".")
        assert "  " not in found.words and "None" not in found.words
        if machine.system != "linux":
            assert "package" not in found.words and "/dev" not in found.words
    assert reason(NVIDIA, DEBIAN, VULKAN, used=True).words == ""
    assert reason(NVIDIA, DEBIAN, replace(VULKAN, switched_off=True), used=True).code == "switched_off"


def test_packages() -> None:
    assert package_words("loader", "debian") == "the package libvulkan1"
    assert package_words("Klingon", "arch") == "the package vulkan-swrast"
    assert "libvulkan1 (Debian and Ubuntu), vulkan-loader (Fedora)" in package_words("loader", "")


@pytest.mark.parametrize(
    ("text", "vendor"),
    [
        ("NVIDIA GeForce RTX 3060", "NVIDIA"),
        ("Tesla T4", "NVIDIA"),
        ("AMD Radeon RX 7900 XTX (RADV NAVI31)", "AMD"),
        ("Intel(R) UHD Graphics 620 (KBL GT2)", "Intel"),
        ("Apple M3 Pro", "Apple"),
        ("Mali-G78", ""),
    ],
)
def test_makers_are_read_from_descriptions(text: str, vendor: str) -> None:
    assert vendor_of(text) == vendor


def test_software_devices_are_told_apart() -> None:
    assert is_software("llvmpipe (LLVM 15.0.6, 256 bits)") and is_software("SwiftShader Device")
    assert not is_software("NVIDIA GeForce RTX 3060")


def test_devices_find_their_cards() -> None:
    second = replace(NVIDIA, name="NVIDIA GeForce RTX 4090")
    gpus = [
        gpu("NVIDIA GeForce RTX 4090"),
        gpu("NVIDIA GeForce RTX 3060"),
        gpu("NVIDIA GeForce RTX 4090", "CUDA"),
        gpu("Intel(R) UHD Graphics 620", integrated=True),
        gpu("llvmpipe"),
        gpu("Mali-G78"),
    ]
    assert cards_of([NVIDIA, second, INTEL], gpus) == [1, 0, 1, 2, None, None]
    twins = [NVIDIA, NVIDIA]
    assert cards_of(twins, [gpu("NVIDIA GeForce RTX 3060")] * 3) == [0, 1, None]


def test_a_laptop_with_two_cards() -> None:
    found = adapters(
        [INTEL, replace(NVIDIA, driver="nouveau", memory_total_bytes=None)],
        [gpu("Intel(R) UHD Graphics 620 (KBL GT2)", integrated=True)],
        DEBIAN,
        VULKAN,
    )
    assert [(each.usable, each.backends, bool(each.reason)) for each in found] == [
        (True, ("Vulkan",), False),
        (False, (), True),
    ]
    assert "nouveau" in found[1].reason and found[0].memory_total_bytes is None
    assert summary(found, [gpu("Intel(R) UHD Graphics 620")], Engine(backends=("Vulkan", "CPU"))) == ""


def test_the_engine_knows_the_memory_that_the_system_does_not_tell() -> None:
    card = replace(NVIDIA, memory_total_bytes=None)
    (found,) = adapters([card], [gpu("NVIDIA GeForce RTX 3060")], DEBIAN, VULKAN)
    assert (found.usable, found.memory_total_bytes, found.driver_version) == (True, 8 * GIB, "550.54")


def test_the_summary_names_each_card() -> None:
    engine = Engine(backends=("Vulkan", "CPU"))
    found = adapters([replace(AMD, access="denied"), replace(NVIDIA, driver="")], [], DEBIAN, VULKAN)
    lines = summary(found, [], engine).splitlines()
    assert lines[0].startswith("AMD Navi 31: This user may not") and "nvidia-driver" in lines[1]


@pytest.mark.parametrize(
    ("gpus", "engine", "container", "words"),
    [
        ((), Engine(problem="OSError: libx"), False, "could not be loaded (OSError: libx)"),
        ((), Engine(backends=("Vulkan", "CPU")), False, "lists no graphics card."),
        ((), Engine(backends=("CPU",)), True, "container, which sees only what it was given. This build"),
        ((), Engine(backends=("CPU",)), False, "computes on the processor only"),
        ((), Engine(backends=("CPU",), cpu_variant="zen4"), False, "part for graphics cards was not loaded"),
        ((gpu("llvmpipe"),), Engine(backends=("Vulkan", "CPU")), False, "“llvmpipe”, which is the processor"),
    ],
)
def test_the_summary_without_cards(
    gpus: tuple[Gpu, ...], engine: Engine, container: bool, words: str
) -> None:
    assert words in summary([], gpus, engine, container=container)


def test_the_summary_names_what_is_missing() -> None:
    needed = (
        Requirement(name="Vulkan loader (libvulkan.so.1)", found=False, detail="missing; install it"),
        Requirement(name="Vulkan driver", found=True, detail="lvp"),
    )
    note = summary([], (), Engine(backends=("CPU",), cpu_variant="zen4"), needed)
    assert note.endswith("was not loaded. Vulkan loader (libvulkan.so.1): missing; install it.")


def test_a_device_without_a_listed_card_is_enough() -> None:
    engine = Engine(backends=("Metal", "CPU"))
    assert summary([], [gpu("Apple M3")], engine) == ""
    assert "lists no graphics card" in summary([], [gpu("Apple M3")], engine, switched_off=True)
