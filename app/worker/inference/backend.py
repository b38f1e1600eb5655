"""The process-wide side of llama.cpp: starting it, its log, its devices, the flag that aborts it.

Source: `llama.h` of the llama.cpp that llama-cpp-python 0.3.36 brings.
"""

import ctypes
import logging
import re
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from app.worker.inference.native import lib, load_plugins

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Buffer:
    """Memory that the engine allocated.

    Attributes:
        device: `CPU`, `CPU_Mapped`, `CPU_REPACK`, `Vulkan0`, `Vulkan_Host`, …
        use: `model`, `KV`, `RS`, `compute`, `output`.
    """

    device: str
    use: str
    size_bytes: int


_LOG_LEVELS = {3: logging.WARNING, 4: logging.ERROR}

_INFO = 2
# The engine says what it allocates: `Vulkan0 compute buffer size =    21.51 MiB`.
_BUFFER = re.compile(rb"(\S+) +(\w+) buffer size = +([\d.]+) MiB")

# Warnings that belong to models without a vocabulary, which only the calibration makes.
_EXPECTED = (b"dummy tokens",)

_recent_errors: deque[str] = deque(maxlen=20)
_recent_buffers: list[Buffer] = []
_flags: "WeakSet[AbortFlag]" = WeakSet()


def _on_log(level: int, text: bytes, _user_data: Any) -> None:
    """Pass the engine's warnings and errors to the log, note its buffers; called from any of its threads."""
    if level == _INFO and (found := _BUFFER.search(text)):
        device, use, mebibytes = (part.decode("utf-8", "replace") for part in found.groups())
        _recent_buffers.append(Buffer(device, use, int(float(mebibytes) * 2**20)))
    severity = _LOG_LEVELS.get(level)
    if any(words in text for words in _EXPECTED) or any(
        flag.is_set() for flag in _flags
    ):  # it calls every abort an error
        severity = None
    line = text.decode("utf-8", "replace").strip() if severity else ""
    if severity is None or not line:
        return
    if severity >= logging.ERROR:
        _recent_errors.append(line)
    log.log(severity, "llama.cpp: %s", line)


# The library keeps the bare pointer: the callback must live as long as the process.
_log_callback = lib.llama_log_callback(_on_log)


def start_backend() -> None:
    """Prepare llama.cpp and send its log to ours; once a process, before anything else here."""
    lib.llama_log_set(_log_callback, ctypes.c_void_p(0))
    load_plugins()
    lib.llama_backend_init()


def has_gpu() -> bool:
    """Whether the engine found a device that can take layers from the processor."""
    return bool(lib.llama_supports_gpu_offload())


def take_errors() -> str:
    """Give and forget what the engine complained about lately (the cause of a failed load)."""
    text = "; ".join(_recent_errors)
    _recent_errors.clear()
    return text


def take_buffers() -> tuple[Buffer, ...]:
    """Give and forget the buffers that the engine allocated since the last call."""
    buffers = tuple(_recent_buffers)
    _recent_buffers.clear()
    return buffers


class AbortFlag:
    """A flag that the engine reads between the nodes of a graph, without entering Python.

    The engine's callback is C's `strlen` on two bytes of ours: 0 ("go on") while the first is zero, 1
    ("abort") once it is not. A Python callback would take the interpreter lock about a thousand times a
    token.

    Attributes:
        callback: for `llama_set_abort_callback`.
        address: its user data.
    """

    def __init__(self) -> None:
        """Make the flag, not set."""
        _flags.add(self)
        self._bytes = ctypes.create_string_buffer(2)
        runtime = ctypes.CDLL("msvcrt") if sys.platform == "win32" else ctypes.CDLL(None)
        self.callback: Any = ctypes.cast(runtime.strlen, lib.ggml_abort_callback)
        self.address: Any = ctypes.cast(self._bytes, ctypes.c_void_p)

    def set(self) -> None:
        """Make the engine abort what it evaluates. Any thread."""
        self._bytes[0] = b"\x01"

    def clear(self) -> None:
        """Let the engine run."""
        self._bytes[0] = b"\x00"

    def is_set(self) -> bool:
        """Whether the engine was told to abort."""
        return bool(self._bytes[0] != b"\x00")
