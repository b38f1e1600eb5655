"""Loads llama.cpp's library and its plug-ins; everything else imports it from here.

From source the engine is compiled for this processor and is one piece. The installed program's engine has a
plug-in for each generation of processors and one for the GPU, beside the library: the best one that this
machine can run is chosen here.

Attributes:
    lib: the module `llama_cpp`, of which only the C functions are used.
"""

import ctypes
import logging
import os
import sys
from pathlib import Path
from typing import Any

# OpenMP's threads wait for each other after every node of a graph, by spinning for milliseconds. Where
# another program holds a core, all of them then wait for the one that lost it, and the spinning keeps that
# one from moving to another core: 1.3 to 10 tokens a second on two busy cores instead of 20 to 28. This many
# turns (about 20 µs) cover what threads wait for on free cores (90 tokens a second with either); then they
# sleep. libgomp reads the variable when it is loaded; to other OpenMP libraries it means nothing.
# Source: GCC's libgomp manual.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# Where the engine ends the process, it would first call a debugger to print where it stood.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

import llama_cpp

log = logging.getLogger(__name__)

lib: Any = llama_cpp

CPU_VARIANT_VARIABLE = "H2OGPT_CPU_VARIANT"
"""Names the processor's plug-in to use instead of the best one, such as `sse42`; for tests and support."""

_BACKEND_PATH_VARIABLE = "GGML_BACKEND_PATH"
_CPU = "ggml-cpu-"


def library_dir() -> Path:
    """Give the folder of the engine's libraries."""
    return Path(llama_cpp.__file__).parent / "lib"


def load_plugins(directory: Path | None = None) -> None:
    """Load the engine's plug-ins, where it has any; once a process, before the engine starts.

    Only this folder is searched: left to itself, the engine also looks into the working directory.

    Args:
        directory: where they are; beside the library if none is given.

    Raises:
        OSError: the plug-in that H2OGPT_CPU_VARIANT names is not there or cannot run on this processor.
    """
    directory = directory or library_dir()
    plugins = _plugins(directory)
    if not any(_CPU in path.name for path in plugins):
        return
    ggml = _ggml(directory)
    os.environ.pop(_BACKEND_PATH_VARIABLE, None)  # it would load a library from anywhere
    variant = os.environ.get(CPU_VARIANT_VARIABLE)
    if not variant:
        ggml.ggml_backend_load_all_from_path(_name(directory))
        return
    for path in plugins:
        if _CPU not in path.name:
            ggml.ggml_backend_load(_name(path))
        elif path.name.partition(_CPU)[2].partition(".")[0] == variant:
            log.info("the engine's plug-in %s was asked for", variant)
            if not ggml.ggml_backend_load(_name(path)):
                raise OSError(f"the engine's plug-in {variant} cannot be used on this processor")
            variant = ""
    if variant:
        raise OSError(f"the engine has no plug-in called {variant}")


def _plugins(directory: Path) -> list[Path]:
    """Give the plug-ins in a folder; the GPU's come first, so that theirs is the first choice."""
    suffix = ".dll" if sys.platform == "win32" else ".so"  # a plug-in is a .so on macOS too
    prefix = "" if sys.platform == "win32" else "lib"
    found = sorted(directory.glob(f"{prefix}ggml-*{suffix}"), key=lambda path: (_CPU in path.name, path.name))
    return [path for path in found if not path.name.startswith(f"{prefix}ggml-base")]


def _ggml(directory: Path) -> Any:
    """Open the registry of plug-ins: the very file that the library links, or there would be two."""
    names = {"win32": "ggml.dll", "darwin": "libggml.dylib"}
    ggml = ctypes.CDLL(str(directory / names.get(sys.platform, "libggml.so.0")))
    ggml.ggml_backend_load.argtypes = [ctypes.c_char_p]
    ggml.ggml_backend_load.restype = ctypes.c_void_p
    ggml.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
    ggml.ggml_backend_load_all_from_path.restype = None
    return ggml


def _name(path: Path) -> bytes:
    """Give a path as the engine takes it: UTF-8 on Windows, the system's bytes elsewhere."""
    return str(path).encode() if sys.platform == "win32" else os.fsencode(path)
