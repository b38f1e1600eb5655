"""Why a graphics card is not used: the missing library, driver, permission or build, in words.

A table of decisions over facts that others find out (`app.worker.probe`); it touches neither system nor
engine.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.protocol.hardware import Adapter, Engine, Gpu, Requirement

MIN_MEMORY_BYTES = 512 * 1024 * 1024
"""Less holds no layer of a model together with the buffers that computing needs."""

# Parts of the engine that compute on the processor.
PROCESSOR_PARTS = frozenset({"CPU", "BLAS", "Accelerate", "AMX", "KleidiAI"})

SWITCHED_OFF = "It is switched off: the settings put no layers on the GPU. Set the layers to automatic."
"""The reason where the settings are it."""

# Makers of cards that only show a picture: those of virtual machines, and those of servers.
_VIRTUAL = frozenset({"Red Hat", "VMware", "VirtualBox", "Microsoft", "Bochs", "Amazon"})
_SERVERS = frozenset({"ASPEED", "Matrox", "Cirrus"})

_SOFTWARE = re.compile(r"llvmpipe|lavapipe|swiftshader|software|basic render", re.IGNORECASE)
_MAKERS = {
    "NVIDIA": re.compile(r"nvidia|geforce|quadro|tesla|\brtx\b|\bgtx\b", re.IGNORECASE),
    "AMD": re.compile(r"\bamd\b|radeon|radv", re.IGNORECASE),
    "Intel": re.compile(r"intel|\barc\b|iris", re.IGNORECASE),
    "Apple": re.compile(r"apple|\bm[1-9]\b", re.IGNORECASE),
}
_RESERVING = frozenset({"vfio-pci", "pciback", "pci-stub"})


@dataclass(frozen=True, kw_only=True)
class Card:
    """A graphics card as the operating system lists it.

    Attributes:
        name: as its maker calls it; the PCI numbers where that is not known.
        vendor: `NVIDIA`, `AMD`, `Intel`, `Apple`, …
        driver: the kernel driver in charge; empty where none is.
        driver_version: empty where it is not known.
        memory_total_bytes: None where the system does not say.
        node: device file that programs open; empty where there is none or it is not known.
        access: `ok`, `denied` (not for this user), `missing` (no device file) or `unknown`.
        address: place on the PCI bus, `0000:01:00.0`; empty where it has none.
    """

    name: str
    vendor: str
    driver: str = ""
    driver_version: str = ""
    memory_total_bytes: int | None = None
    node: str = ""
    access: str = "unknown"
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the reasons depend on besides card and engine.

    Attributes:
        system: `linux`, `windows` or `macos`.
        distribution: `debian`, `fedora`, `arch` or empty for others.
        container: the program runs inside one.
    """

    system: str = "linux"
    distribution: str = ""
    container: bool = False


@dataclass(frozen=True, kw_only=True)
class GpuParts:
    """What the engine has for graphics cards, and what these parts need.

    Attributes:
        loaded: parts in use: `Vulkan`, `CUDA`, `Metal`.
        built: parts that this build has, loaded or not.
        missing: libraries that parts which could not be loaded look for.
        loader: the Vulkan loader can be loaded.
        drivers: names of the Vulkan drivers that are described, `nvidia_icd`.
        problem: why the engine could not be loaded at all; empty where it was.
        switched_off: the settings keep every model off the card.
    """

    loaded: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    loader: bool = True
    drivers: tuple[str, ...] = ()
    problem: str = ""
    switched_off: bool = False


@dataclass(frozen=True)
class Reason:
    """Why a card is not used.

    Attributes:
        code: stable name; empty where it is used.
        words: for people, with the next step.
    """

    code: str = ""
    words: str = ""


# --------------------------------------------------------------------------------------------------- packages

# Source: the packages' pages at packages.debian.org, packages.fedoraproject.org, rpmfusion.org and
# archlinux.org.
_PACKAGES: dict[str, dict[str, str]] = {
    "loader": {"debian": "libvulkan1", "fedora": "vulkan-loader", "arch": "vulkan-icd-loader"},
    "NVIDIA": {"debian": "nvidia-driver", "fedora": "akmod-nvidia", "arch": "nvidia"},
    "AMD": {"debian": "mesa-vulkan-drivers", "fedora": "mesa-vulkan-drivers", "arch": "vulkan-radeon"},
    "Intel": {"debian": "mesa-vulkan-drivers", "fedora": "mesa-vulkan-drivers", "arch": "vulkan-intel"},
    "": {"debian": "mesa-vulkan-drivers", "fedora": "mesa-vulkan-drivers", "arch": "vulkan-swrast"},
}
_TITLES = {"debian": "Debian and Ubuntu", "fedora": "Fedora", "arch": "Arch"}


def package_words(what: str, distribution: str) -> str:
    """Name the package: `libvulkan1`, or each distribution's where it is not known which one runs.

    Args:
        what: `loader`, or a card's vendor for its driver.
        distribution: as in Machine.
    """
    names = _PACKAGES.get(what, _PACKAGES[""])
    if distribution in names:
        return f"the package {names[distribution]}"
    return "the package " + ", ".join(f"{names[each]} ({title})" for each, title in _TITLES.items())


# -------------------------------------------------------------------------------------------------- the table


@dataclass(frozen=True)
class _Case:
    card: Card
    machine: Machine
    parts: GpuParts

    @property
    def is_linux(self) -> bool:
        return self.machine.system == "linux"

    @property
    def uses_vulkan(self) -> bool:
        return "Vulkan" in self.parts.built

    def package(self, what: str) -> str:
        return package_words(what, self.machine.distribution)

    @property
    def newest_driver(self) -> str:
        if self.is_linux:
            return f"Install {self.package(self.card.vendor)}."
        maker = self.card.vendor if self.card.vendor in _MAKERS else "its maker"
        return f"Install the newest graphics driver of {maker}."


def _lacks_drivers(case: _Case) -> bool:
    """Whether no described Vulkan driver can be this card's; on Linux, where they are files with names."""
    pattern = {
        "NVIDIA": r"nvidia|nouveau",
        "AMD": r"radeon|amd",
        "Intel": r"intel",
    }.get(case.card.vendor, r"^(?!lvp)")
    return not any(re.search(pattern, name, re.IGNORECASE) for name in case.parts.drivers)


def _loader_words(case: _Case) -> str:
    if not case.is_linux:
        return f"The Vulkan loader (vulkan-1.dll) is missing. {case.newest_driver}"
    return f"The Vulkan loader libvulkan.so.1 is missing. Install {case.package('loader')}."


def _missing_words(case: _Case) -> str:
    libraries = " and ".join(case.parts.missing) or "a library"
    return (
        f"The engine's part for {' and '.join(case.parts.built)} needs {libraries}, which is not there. "
        f"{case.newest_driver}"
    )


def _not_loaded(case: _Case) -> bool:
    return bool(case.parts.built) and not case.parts.loaded


def _too_small(case: _Case) -> bool:
    memory = case.card.memory_total_bytes
    return memory is not None and memory < MIN_MEMORY_BYTES


# The first that holds is the reason: what the user or the build decided, then from the card upwards to the
# engine.
_TABLE: tuple[tuple[str, Callable[[_Case], bool], Callable[[_Case], str]], ...] = (
    (
        "switched_off",
        lambda case: case.parts.switched_off,
        lambda case: SWITCHED_OFF,
    ),
    (
        "engine",
        lambda case: bool(case.parts.problem),
        lambda case: f"The engine could not be loaded ({case.parts.problem}). Install the program again.",
    ),
    (
        "virtual",
        lambda case: case.card.vendor in _VIRTUAL,
        lambda case: (
            "It is the screen of a virtual machine; models cannot be computed on it. The virtual machine can "
            "be given a card of the computer that it runs on."
        ),
    ),
    (
        "display_only",
        lambda case: case.card.vendor in _SERVERS,
        lambda case: "It only shows a picture; models cannot be computed on it.",
    ),
    (
        "build",
        lambda case: not case.parts.built,
        lambda case: "This build computes on the processor only; the installers' build can use both.",
    ),
    (
        "reserved",
        lambda case: case.card.driver in _RESERVING,
        lambda case: (
            f"It is reserved for virtual machines (driver {case.card.driver}). Give it back to this system."
        ),
    ),
    (
        "no_driver",
        lambda case: case.is_linux and not case.card.driver,
        lambda case: f"No kernel driver is in charge of it. {case.newest_driver}",
    ),
    (
        "nouveau",
        lambda case: case.card.driver == "nouveau" and not case.parts.loaded,
        lambda case: f"The driver nouveau is in charge of it, not NVIDIA's own. {case.newest_driver}",
    ),
    ("loader", lambda case: case.uses_vulkan and not case.parts.loader, _loader_words),
    ("library", lambda case: _not_loaded(case) and bool(case.parts.missing), _missing_words),
    (
        "permission",
        lambda case: case.is_linux and case.card.access == "denied",
        lambda case: (
            f"This user may not open {case.card.node}. Add the user to the group “render” (on some systems "
            "“video”) and log in again."
        ),
    ),
    (
        "container",
        lambda case: case.is_linux and case.card.access == "missing" and case.machine.container,
        lambda case: (
            "This container was not given the card: its device file is not there. Start the container "
            "with it."
        ),
    ),
    (
        "node",
        lambda case: case.is_linux and case.card.access == "missing",
        lambda case: (
            f"Its device file is not there, so the driver {case.card.driver} did not start it. Restart the "
            "computer; if that does not help, install the driver again."
        ),
    ),
    (
        "descriptions",
        lambda case: case.is_linux and case.uses_vulkan and _lacks_drivers(case),
        lambda case: f"No Vulkan driver for it is installed. {case.newest_driver}",
    ),
    (
        "memory",
        _too_small,
        lambda case: (
            f"Its memory ({(case.card.memory_total_bytes or 0) // 2**20:,} MB) is too small for a layer of a "
            "model."
        ),
    ),
    (
        "nouveau",
        lambda case: case.card.driver == "nouveau",
        lambda case: f"The driver nouveau offers nothing to compute with. {case.newest_driver}",
    ),
    ("part", _not_loaded, _missing_words),
    (
        "no_device",
        lambda case: True,
        lambda case: (
            f"The engine looked through {' and '.join(case.parts.loaded)}, and this card did not answer. "
            "Its driver may be too old or damaged. "
            + (
                f"Install the newest version of {case.package(case.card.vendor)}."
                if case.is_linux
                else case.newest_driver
            )
        ),
    ),
)

CODES = tuple(dict.fromkeys(code for code, _, _ in _TABLE))
"""All codes of reasons."""


def reason(card: Card, machine: Machine, parts: GpuParts, *, used: bool) -> Reason:
    """Say why a card is not used.

    Args:
        card: as the system lists it.
        machine: what surrounds it.
        parts: of the engine.
        used: the engine found a device on it that it can compute on.
    """
    if used and not parts.switched_off:
        return Reason()
    case = _Case(card, machine, parts)
    return next(Reason(code, words(case)) for code, holds, words in _TABLE if holds(case))


# ------------------------------------------------------------------------------------------- cards and
# devices


def is_software(description: str) -> bool:
    """Whether a device is the processor, which plays a graphics card."""
    return bool(_SOFTWARE.search(description))


def vendor_of(text: str) -> str:
    """Give the maker that a name or description speaks of; empty where it names none."""
    return next((vendor for vendor, pattern in _MAKERS.items() if pattern.search(text)), "")


def cards_of(cards: Sequence[Card], gpus: Sequence[Gpu]) -> list[int | None]:
    """Find the card of each of the engine's devices; None for those of the processor and unknown ones.

    The same card can be a device of several parts. Of several cards of one maker the one with the likest name
    is taken; of equal ones each once per part.
    """
    taken: set[tuple[int, str]] = set()
    found: list[int | None] = []
    for gpu in gpus:
        best: tuple[int, int] | None = None
        if not is_software(gpu.description):
            vendor = vendor_of(gpu.description)
            for number, card in enumerate(cards):
                if (number, gpu.backend) in taken or card.vendor != vendor:
                    continue
                likeness = len(_words(card.name) & _words(gpu.description))
                if best is None or likeness > best[0]:
                    best = (likeness, number)
        found.append(best[1] if best is not None else None)
        if best is not None:
            taken.add((best[1], gpu.backend))
    return found


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def adapters(cards: Sequence[Card], gpus: Sequence[Gpu], machine: Machine, parts: GpuParts) -> list[Adapter]:
    """Give the cards with what uses them, or why nothing does."""
    owners = cards_of(cards, gpus)
    result = []
    for number, card in enumerate(cards):
        devices = [gpu for gpu, owner in zip(gpus, owners, strict=True) if owner == number]
        sizes = [gpu.memory_total_bytes for gpu in devices if not gpu.integrated]
        why = reason(card, machine, parts, used=bool(devices))
        result.append(
            Adapter(
                name=card.name,
                vendor=card.vendor,
                driver=card.driver,
                driver_version=card.driver_version,
                memory_total_bytes=card.memory_total_bytes or (max(sizes) if sizes else None),
                usable=not why.code,
                reason=why.words,
                backends=tuple(dict.fromkeys(gpu.backend for gpu in devices)),
            )
        )
    return result


# ---------------------------------------------------------------------------------------------------- summary


def summary(
    found: Iterable[Adapter],
    gpus: Sequence[Gpu],
    engine: Engine,
    requirements: Sequence[Requirement] = (),
    *,
    container: bool = False,
    switched_off: bool = False,
) -> str:
    """Say on a line, or one for each card, why no graphics processor is used; empty where one is.

    Args:
        found: the cards with their reasons.
        gpus: devices that the engine found.
        engine: as it was asked.
        requirements: of computing on a graphics card.
        container: the program runs inside one.
        switched_off: by the settings.
    """
    known = list(found)
    if any(adapter.usable for adapter in known) or (_real(gpus) and not switched_off):
        return ""
    if engine.problem:
        return f"The engine could not be loaded ({engine.problem}). Install the program again."
    if known:
        return "\n".join(f"{adapter.name}: {adapter.reason}" for adapter in known)
    return " ".join(_without_cards(gpus, engine, requirements, container))


def _real(gpus: Sequence[Gpu]) -> bool:
    return any(not is_software(gpu.description) for gpu in gpus)


def _without_cards(
    gpus: Sequence[Gpu], engine: Engine, requirements: Sequence[Requirement], container: bool
) -> list[str]:
    words = ["The operating system lists no graphics card."]
    if container:
        words.append("This is a container, which sees only what it was given.")
    if gpus:
        words.append(
            f"The engine found “{gpus[0].description}”, which is the processor playing a graphics card: "
            "slower than computing on it directly."
        )
    if not engine.backends or not set(engine.backends) <= PROCESSOR_PARTS:
        return words
    if not engine.cpu_variant:
        return [*words, "This build computes on the processor only; the installers' build can use both."]
    missing = [f"{each.name}: {each.detail}." for each in requirements if not each.found]
    return [*words, "The engine's part for graphics cards was not loaded.", *missing]
