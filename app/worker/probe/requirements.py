"""What computing on a graphics card needs on this machine, and whether it is there.

Source: “LoaderDriverInterface.md” of the Vulkan loader (where drivers describe themselves); ggml's names of
plug-ins.
"""

import contextlib
import ctypes
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.gpu_reasons import PROCESSOR_PARTS, GpuParts, package_words
from app.protocol.hardware import Engine, Requirement

VULKAN_LOADERS = {"linux": "libvulkan.so.1", "win32": "vulkan-1.dll", "darwin": "libvulkan.1.dylib"}
CUDA_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_PART_NAMES = {"vulkan": "Vulkan", "cuda": "CUDA", "metal": "Metal", "hip": "HIP", "sycl": "SYCL"}
_LOADED_NAMES = {"MTL": "Metal", "METAL": "Metal"}
_PLUGIN = re.compile(r"(?:lib)?ggml-(vulkan|cuda|metal|hip|sycl)\.(?:so|dll|dylib)$")
_WINDOWS_DRIVERS = r"SOFTWARE\Khronos\Vulkan\Drivers"
_MAX_DESCRIPTIONS = 64


@dataclass(frozen=True)
class Loading:
    """Whether a library can be loaded.

    Attributes:
        found: it can.
        missing: the library that is not there: itself or one that it needs; empty where that is not told.
        detail: the system's words where it cannot.
    """

    found: bool
    missing: str = ""
    detail: str = ""


def load(name: str) -> Loading:
    """Try to load a library, with all that it needs."""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        return Loading(False, missing_library(str(error), name), str(error)[:300])
    return Loading(True)


def missing_library(words: str, name: str) -> str:
    """Read which library is missing from what the system's loader says.

    Source: dlerror of glibc and musl, dyld's messages, ctypes on Windows (which never tells what a library
    lacks).
    """
    for pattern in (
        r"([^\s:]+): cannot open shared object file",
        r"Error loading shared library ([^\s:]+):",
        r"Library not loaded: (\S+)",
    ):
        found = re.search(pattern, words)
        if found:
            return re.split(r"[/\\]", found[1])[-1]
    if "Could not find module" in words or "no such file" in words:
        return re.split(r"[/\\]", name)[-1]
    return ""


# --------------------------------------------------------------------------------------------- Vulkan drivers


def vulkan_drivers(
    root: Path = Path("/"), environment: Mapping[str, str] = os.environ, system: str = sys.platform
) -> list[str]:
    """Give the names of the Vulkan drivers that describe themselves to the loader: `radeon_icd.x86_64`."""
    given = environment.get("VK_DRIVER_FILES") or environment.get("VK_ICD_FILENAMES")
    if given:
        paths = [Path(each) for each in given.split(os.pathsep) if each]
    elif system == "win32":
        paths = [Path(each) for each in _registered_drivers()]
    else:
        paths = [path for folder in _folders(root, environment) for path in _descriptions(folder)]
    return list(dict.fromkeys(path.stem for path in paths[:_MAX_DESCRIPTIONS] if _describes_driver(path)))


def _folders(root: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("HOME", "/")
    config = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    data = environment.get("XDG_DATA_HOME") or f"{home}/.local/share"
    config_dirs = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    data_dirs = (environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    for folder in (config, *config_dirs, "/usr/local/etc", "/etc", data, *data_dirs):
        yield root / folder.lstrip("/") / "vulkan/icd.d"


def _descriptions(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError:
        return []


def _describes_driver(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        value = json.loads(path.read_text("utf-8", "replace")[:100_000])
        return isinstance(value, dict) and isinstance(value.get("ICD"), dict)
    return False


def _registered_drivers() -> list[str]:
    """Give the descriptions that Windows' registry names; those inside the driver store belong to cards."""
    import winreg  # this system only

    registry: Any = winreg
    found: list[str] = []
    with contextlib.suppress(OSError), registry.OpenKey(registry.HKEY_LOCAL_MACHINE, _WINDOWS_DRIVERS) as key:
        for number in range(_MAX_DESCRIPTIONS):
            found.append(str(registry.EnumValue(key, number)[0]))
    return found


# ------------------------------------------------------------------------------------------- the engine's
# parts


def plugins(directory: Path) -> dict[str, Path]:
    """Give the parts for graphics cards that are files of their own, by name: `Vulkan`, `CUDA`."""
    found = {}
    for path in _files(directory):
        name = _PLUGIN.match(path.name)
        if name:
            found[_PART_NAMES[name[1]]] = path
    return found


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def engine_parts(
    engine: Engine, found_plugins: Mapping[str, Path], loader: bool, drivers: Sequence[str]
) -> GpuParts:
    """Put together what the engine has for graphics cards and what keeps it from loading that."""
    loaded = tuple(_LOADED_NAMES.get(part, part) for part in engine.backends if part not in PROCESSOR_PARTS)
    idle = [path for part, path in found_plugins.items() if part not in loaded]
    missing = [load(str(path)).missing for path in idle] if not loaded else []
    return GpuParts(
        loaded=loaded,
        built=tuple(dict.fromkeys((*loaded, *found_plugins))),
        missing=tuple(dict.fromkeys(filter(None, missing))),
        loader=loader,
        drivers=tuple(drivers),
        problem=engine.problem,
    )


# ------------------------------------------------------------------------------------------------
# requirements


def requirements(
    engine: Engine,
    directory: Path,
    vendors: Sequence[str],
    distribution: str = "",
    system: str = sys.platform,
) -> tuple[tuple[Requirement, ...], GpuParts]:
    """Look for everything; give it in the order in which it is needed, and what the reasons are made from.

    Args:
        engine: as it was asked, or with its problem.
        directory: of its libraries.
        vendors: of the graphics cards.
        distribution: of Linux, whose package's name is told.
        system: as in `sys.platform`.
    """
    found_plugins = plugins(directory)
    loader_name = VULKAN_LOADERS.get(system, VULKAN_LOADERS["linux"])
    loader = load(loader_name)
    drivers = vulkan_drivers(system=system)
    parts = engine_parts(engine, found_plugins, loader.found, drivers)
    if system == "darwin":
        return (_part("Metal", parts, found_plugins),), parts
    found = [
        Requirement(
            name=f"Vulkan loader ({loader_name})",
            found=loader.found,
            detail=_loader_detail(loader, distribution, system),
            needed_for="Vulkan",
        ),
        Requirement(
            name="Vulkan driver",
            found=bool(drivers),
            detail=", ".join(drivers) or _no_driver_detail(vendors, distribution, system),
            needed_for="Vulkan",
        ),
        _part("Vulkan", parts, found_plugins),
    ]
    if system in CUDA_DRIVERS and ("NVIDIA" in vendors or "CUDA" in parts.built):
        driver = load(CUDA_DRIVERS[system])
        found.append(
            Requirement(
                name=f"CUDA driver ({CUDA_DRIVERS[system]})",
                found=driver.found,
                detail=driver.detail,
                needed_for="CUDA",
            )
        )
        found.append(_part("CUDA", parts, found_plugins))
    return tuple(found), parts


def _loader_detail(loader: Loading, distribution: str, system: str) -> str:
    if loader.found:
        return ""
    if system == "win32":
        return "missing; a graphics driver brings it along"
    return f"missing; install {package_words('loader', distribution)}"


def _no_driver_detail(vendors: Sequence[str], distribution: str, system: str) -> str:
    if system == "win32":
        return "none is installed; install the newest graphics driver of the card's maker"
    return f"none is installed; install {package_words(vendors[0] if vendors else '', distribution)}"


def _part(name: str, parts: GpuParts, found_plugins: Mapping[str, Path]) -> Requirement:
    if name in parts.loaded:
        detail = "loaded"
    elif name in found_plugins:
        tried = load(str(found_plugins[name]))
        lacks = f"it needs {tried.missing}, which is missing" if tried.missing else tried.detail
        detail = lacks or "it is there, but the engine did not take it"
    else:
        detail = "this build of the engine has none"
    return Requirement(
        name=f"The engine's part for {name}", found=name in parts.loaded, detail=detail, needed_for=name
    )
