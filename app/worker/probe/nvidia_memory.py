"""The memory of NVIDIA's cards, asked from their driver's management library where it is installed.

Source: nvml.h of NVIDIA's Management Library: `nvmlMemory_t` and the functions used here.
"""

import ctypes
import sys
from collections.abc import Sequence
from dataclasses import replace

from app.core.gpu_reasons import Card

_LIBRARIES = {"linux": "libnvidia-ml.so.1", "win32": "nvml.dll"}
_SUCCESS = 0


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def with_memory(cards: Sequence[Card], library: str = "") -> list[Card]:
    """Give the cards with the memory that the library knows; the same cards where it is not there.

    Calls the driver, so a damaged one can crash the process.

    Args:
        cards: of all makers; only those in the charge of NVIDIA's driver are asked for.
        library: its file; the usual one of this system if none is given.
    """
    asked = [card for card in cards if card.driver == "nvidia" and card.address]
    name = library or _LIBRARIES.get(sys.platform, "")
    if not asked or not name:
        return list(cards)
    try:
        nvml = ctypes.CDLL(name)
        if nvml.nvmlInit_v2() != _SUCCESS:
            return list(cards)
        sizes = {card.address: _total(nvml, card.address) for card in asked}
        nvml.nvmlShutdown()
    except (OSError, AttributeError):  # not installed, or too old
        return list(cards)
    return [
        replace(card, memory_total_bytes=sizes[card.address]) if sizes.get(card.address) else card
        for card in cards
    ]


def _total(nvml: ctypes.CDLL, address: str) -> int:
    device, memory = ctypes.c_void_p(), _Memory()
    if nvml.nvmlDeviceGetHandleByPciBusId_v2(address.encode("ascii"), ctypes.byref(device)) != _SUCCESS:
        return 0
    if nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) != _SUCCESS:
        return 0
    return int(memory.total)
