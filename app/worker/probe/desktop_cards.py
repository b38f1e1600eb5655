"""Graphics cards as Windows and macOS list them."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from app.core.gpu_reasons import Card, vendor_of

PROFILER_LIMIT_S = 8.0

# Source: “System-Defined Device Setup Classes” and “Plug and Play registry routines”, Microsoft: the class of
# display adapters, whose subkeys 0000, 0001, … are the installed ones.
_CLASS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
_MAX_CARDS = 32


def windows_cards() -> list[Card]:
    """Give the display adapters of the registry that have a driver; empty where it cannot be read."""
    import winreg  # this system only

    registry: Any = winreg
    found = []
    with contextlib.suppress(OSError), registry.OpenKey(registry.HKEY_LOCAL_MACHINE, _CLASS) as key:
        for number in range(_MAX_CARDS):
            name = registry.EnumKey(key, number)  # OSError behind the last one
            if re.fullmatch(r"\d{4}", name):
                with contextlib.suppress(OSError), registry.OpenKey(key, name) as adapter:
                    found.append(_windows_card(registry, adapter))
    return found


def _windows_card(registry: Any, adapter: Any) -> Card:
    def value(name: str) -> Any:
        try:
            return registry.QueryValueEx(adapter, name)[0]
        except OSError:
            return None

    title = str(registry.QueryValueEx(adapter, "DriverDesc")[0])
    memory = value("HardwareInformation.qwMemorySize")
    provider = str(value("ProviderName") or "")
    return Card(
        name=title,
        vendor=vendor_of(title) or vendor_of(provider) or provider,
        driver=provider or "installed",
        driver_version=str(value("DriverVersion") or ""),
        memory_total_bytes=memory if isinstance(memory, int) and memory > 0 else None,
    )


def macos_cards() -> list[Card]:
    """Give the cards that the system's profiler lists; empty where it does not answer in time."""
    try:
        done = subprocess.run(
            ["/usr/sbin/system_profiler", "SPDisplaysDataType", "-json"],
            capture_output=True,
            timeout=PROFILER_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return list(profiler_cards(done.stdout))


def profiler_cards(data: bytes) -> Iterator[Card]:
    """Read the profiler's JSON.

    Source: the output of `system_profiler SPDisplaysDataType -json`.
    """
    try:
        items = json.loads(data)["SPDisplaysDataType"]
    except (ValueError, KeyError, TypeError):
        return
    for item in items if isinstance(items, list) else ():
        name = str(item.get("sppci_model") or item.get("_name") or "")
        yield Card(
            name=name or "Graphics card",
            vendor=vendor_of(name) or vendor_of(str(item.get("spdisplays_vendor", ""))),
            driver="macOS",
            memory_total_bytes=_megabytes(str(item.get("spdisplays_vram", ""))),
        )


def _megabytes(text: str) -> int | None:
    """Read `8 GB` or `1536 MB`."""
    found = re.match(r"(\d+)\s*(GB|MB)", text)
    return int(found[1]) * (2**30 if found[2] == "GB" else 2**20) if found else None
