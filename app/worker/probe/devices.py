"""The devices that the engine can compute on, asked through ggml's C interface.

Source: ggml/include/ggml-backend.h of llama.cpp.
"""

import ctypes
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from app.protocol.hardware import Engine, Gpu

_GPU, _IGPU = 1, 2  # enum ggml_backend_dev_type
# A plug-in such as libggml-cpu-haswell.so; the one library of other builds has no word behind "cpu".
_VARIANT = re.compile(r"(?:lib)?ggml-cpu-(\w+)\.(?:so|dll|dylib)")
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "ggml_backend_dev_count": (ctypes.c_size_t, []),
    "ggml_backend_dev_get": (ctypes.c_void_p, [ctypes.c_size_t]),
    "ggml_backend_dev_name": (ctypes.c_char_p, [ctypes.c_void_p]),
    "ggml_backend_dev_description": (ctypes.c_char_p, [ctypes.c_void_p]),
    "ggml_backend_dev_type": (ctypes.c_int, [ctypes.c_void_p]),
    "ggml_backend_dev_memory": (
        None,
        [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)],
    ),
    "ggml_backend_dev_backend_reg": (ctypes.c_void_p, [ctypes.c_void_p]),
    "ggml_backend_reg_count": (ctypes.c_size_t, []),
    "ggml_backend_reg_get": (ctypes.c_void_p, [ctypes.c_size_t]),
    "ggml_backend_reg_name": (ctypes.c_char_p, [ctypes.c_void_p]),
}


class Devices:
    """Asks the engine's registry of backends and devices."""

    def __init__(self, lib: Any) -> None:
        """Take the module `llama_cpp` as `app.worker.inference.native` loaded it.

        Raises:
            AttributeError: the engine lacks one of the functions.
        """
        self._lib = lib
        handles = list(_handles(lib))
        self._functions = {
            name: _function(handles, name, result, arguments)
            for name, (result, arguments) in _SIGNATURES.items()
        }

    def gpus(self) -> tuple[Gpu, ...]:
        """Give the graphics processors, in the engine's order."""
        count = int(self._functions["ggml_backend_dev_count"]())
        devices = [self._functions["ggml_backend_dev_get"](number) for number in range(count)]
        kinds = [int(self._functions["ggml_backend_dev_type"](device)) for device in devices]
        return tuple(
            self._gpu(device, kind)
            for device, kind in zip(devices, kinds, strict=True)
            if kind in (_GPU, _IGPU)
        )

    def _gpu(self, device: int, kind: int) -> Gpu:
        free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
        self._functions["ggml_backend_dev_memory"](device, ctypes.byref(free), ctypes.byref(total))
        registry = self._functions["ggml_backend_dev_backend_reg"](device)
        return Gpu(
            name=_text(self._functions["ggml_backend_dev_name"](device)),
            description=_text(self._functions["ggml_backend_dev_description"](device)),
            memory_total_bytes=int(total.value),
            memory_free_bytes=int(free.value),
            backend=_text(self._functions["ggml_backend_reg_name"](registry)),
            integrated=kind == _IGPU,
        )

    def engine(self) -> Engine:
        """Give the engine's parts and the processor's variant in use."""
        count = int(self._functions["ggml_backend_reg_count"]())
        registries = [self._functions["ggml_backend_reg_get"](number) for number in range(count)]
        return Engine(
            backends=tuple(_text(self._functions["ggml_backend_reg_name"](each)) for each in registries),
            cpu_variant=variant_of(_loaded_files()),
            cpu_features=engine_features(_text(self._lib.llama_print_system_info())),
        )


def engine_features(system_info: str) -> tuple[str, ...]:
    """Read the processor's part of `llama_print_system_info`: `CPU : SSE3 = 1 | AVX2 = 1 | …`."""
    features = []
    part = ""
    for item in system_info.split("|"):
        name, _, value = item.rpartition("=")
        if ":" in name:
            part, _, name = name.rpartition(":")
        if part.strip().rpartition(" ")[2] == "CPU" and value.strip() == "1":
            features.append(name.strip().lower())
    return tuple(features)


def variant_of(paths: Iterator[str]) -> str:
    """Give the processor's variant among loaded files; empty where the engine has only one."""
    for path in paths:
        found = _VARIANT.match(re.split(r"[/\\]", path)[-1])
        if found:
            return found[1]
    return ""


def _loaded_files() -> Iterator[str]:
    maps = getattr(psutil.Process(), "memory_maps", None)  # macOS has none
    if maps is not None:
        for each in maps():
            yield str(each.path)


def _handles(lib: Any) -> Iterator[Any]:
    """Give the libraries to look for functions in.

    The system finds those of ggml through libllama, which links them; a second load by name could get a copy
    of the file with an empty registry. Windows does not look through: there the files are loaded already,
    and there are no copies.
    """
    handle = lib.llama_cpp._lib
    yield handle
    if sys.platform == "win32":  # pragma: no cover  # this system only
        folder = Path(handle._name).parent
        for name in ("ggml.dll", "ggml-base.dll"):
            yield ctypes.CDLL(str(folder / name))


def _function(handles: list[Any], name: str, result: Any, arguments: list[Any]) -> Any:
    for handle in handles:
        function = getattr(handle, name, None)
        if function is not None:
            function.restype, function.argtypes = result, arguments
            return function
    raise AttributeError(f"the engine has no function {name}")


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace").strip()
