"""From PyInstaller's folder to the tree that every kind of package is made of.

Adds the engine (each library once), the starter models, licences and the list of parts; takes away what the
system brings; sets modes.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from app.worker.voice.bundled_portaudio import FOLDER as SOUND_FOLDER
from app.worker.voice.bundled_portaudio import LIBRARIES as SOUND_LIBRARIES
from scripts.setup.model_pins import SPEECH_TO_TEXT_MODEL, TEXT_TO_SPEECH_MODEL

INTERNAL = "_internal"
ENGINE_DIR = Path(INTERNAL) / "llama_cpp" / "lib"
LEGACY_DIR = Path(INTERNAL) / "ctransformers"
SOUND_DIR = Path(INTERNAL) / SOUND_FOLDER
# What the worker imports of that package; the rest would bring a client of a model hub.
LEGACY_MODULES = ("lib.py", "llm.py", "logger.py", "utils.py")
VARIANTS = ("standard", "slim")
# AMX: only servers have it, and an engine built for it crashed on virtual machines that announce it.
LEFT_OUT_PLUGINS = ("sapphirerapids",)
# Only what the program reads of them. Search by meaning and voice are in every variant.
SLIM_MODELS = (
    "embedding/all-MiniLM-L6-v2/model.int8.onnx",
    "embedding/all-MiniLM-L6-v2/tokenizer.json",
    *(file.target for file in (*SPEECH_TO_TEXT_MODEL.files, *TEXT_TO_SPEECH_MODEL.files)),
)
STANDARD_MODELS = (*SLIM_MODELS, "chat/SmolLM2-135M-Instruct.Q4_1.gguf")
# Libraries directly below `_internal` that travel along; all others there are the system's own, which its
# drivers, fonts and input methods must agree with.
CARRIED_LIBRARIES = (
    r"libpython3.*",
    r"libssl\.so.*",
    r"libcrypto\.so.*",
    r"libffi\.so.*",
    r"libz\.so.*",
    r"libbz2\.so.*",
    r"liblzma\.so.*",
    r"libexpat\.so.*",
    r"libsqlite3\.so.*",
    r"libuuid\.so.*",
    r"libzstd\.so.*",
    r"libgomp\.so.*",
    r"libxcb-(cursor|icccm|image|keysyms|render-util|util)\.so.*",
    r"lib(pyside|shiboken)6.*",
    r"libQt6.*",
    r"libicu.*",
)
# CTranslate2's own module has 63 MB of debug symbols, PyAV's fifty have 25 MB in all.
_WITH_SYMBOLS = ("ctranslate2/_ext*.so", "av/**/*.so")


def add_engine(wheel_path: Path, tree: Path) -> None:
    """Copy the engine's libraries and plug-ins out of its wheel; each once, the plain name as a link.

    The wheel holds three copies of each library, because wheels have no links.
    """
    target_dir = tree / ENGINE_DIR
    target_dir.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel_path) as wheel:
        names = wheel.namelist()
        for name in names:
            if not name.startswith(("bin/", "llama_cpp/lib/")) or name.endswith("/"):
                continue
            file_name = Path(name).name
            if any(f"-{left_out}." in file_name for left_out in LEFT_OUT_PLUGINS):
                continue
            kept = _kept_name(file_name, names)
            if kept == file_name:
                (target_dir / file_name).write_bytes(wheel.read(name))
            elif _is_plain(file_name):
                _link(target_dir / file_name, kept)


def _kept_name(file_name: str, names: Iterable[str]) -> str:
    """Return under which name a library is kept: the one that other libraries ask for, where it is there.

    A wheel holds libX.so, libX.so.0 and libX.so.0.5.0 (on macOS libX.dylib, libX.0.dylib, …), all the same.
    """
    found = re.fullmatch(r"(lib[A-Za-z0-9_-]+)(\.so)?((?:\.\d+)*)(\.dylib)?", file_name)
    if found is None or not (found[2] or found[4]):
        return file_name
    asked_for = f"{found[1]}.so.0" if found[2] else f"{found[1]}.0.dylib"
    return asked_for if f"llama_cpp/lib/{asked_for}" in names else file_name


def _is_plain(file_name: str) -> bool:
    """Whether a library's name has no version; such a name is what Python's side of the engine opens."""
    return re.search(r"\.\d", file_name) is None


def add_engine_of(python: Path, tree: Path) -> None:
    """Copy the engine of an environment: it has no plug-ins and runs on processors like this one only."""
    command = [str(python), "-c", "import importlib.util as u; print(u.find_spec('llama_cpp').origin)"]
    origin = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    source_dir, target_dir = Path(origin).parent / "lib", tree / ENGINE_DIR
    target_dir.mkdir(parents=True, exist_ok=True)
    names = [f"llama_cpp/lib/{path.name}" for path in source_dir.iterdir()]
    for path in sorted(source_dir.iterdir()):
        kept = _kept_name(path.name, names)
        if kept == path.name:
            shutil.copyfile(path, target_dir / path.name)
        elif _is_plain(path.name):
            _link(target_dir / path.name, kept)


def add_legacy(wheel_path: Path, tree: Path) -> None:
    """Copy the engine for old files out of its wheel: its libraries and the four modules that are used."""
    with zipfile.ZipFile(wheel_path) as wheel:
        for name in wheel.namelist():
            folder, _, inner = name.partition("/")
            is_wanted = inner in LEGACY_MODULES or (inner.startswith("lib/") and not inner.endswith("/"))
            if folder == LEGACY_DIR.name and is_wanted:
                target_path = tree / LEGACY_DIR / inner
                target_path.parent.mkdir(parents=True, exist_ok=True)
                target_path.write_bytes(wheel.read(name))


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def add_openmp(tree: Path) -> None:
    """Copy the compiler's OpenMP library, which the engine needs, beside the engine (Linux)."""
    if sys.platform != "linux":
        return
    path = _system_library("libgomp.so.1")
    if path is None:
        raise FileNotFoundError("libgomp.so.1")
    shutil.copyfile(path, tree / ENGINE_DIR / "libgomp.so.1")


def _system_library(name: str) -> Path | None:
    """Find a library of this system by the name that the loader knows."""
    listing = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^\s*{re.escape(name)} .*=> (\S+)", listing, re.MULTILINE)
    return Path(found[1]).resolve() if found else None


def add_portaudio(tree: Path) -> list[str]:
    """Copy PortAudio, and what it needs beside ALSA, into a folder of its own; return the names (Linux).

    It is used where the system has none (`app.worker.voice.bundled_portaudio`). ALSA's library stays the
    system's: its settings and its way to the sound server belong to it.

    Raises:
        FileNotFoundError: this system has no PortAudio.
    """
    if sys.platform != "linux":
        return []
    found = {name: _system_library(name) for name in SOUND_LIBRARIES}
    if found["libportaudio.so.2"] is None:
        raise FileNotFoundError("libportaudio.so.2")
    (tree / SOUND_DIR).mkdir(parents=True, exist_ok=True)
    for name, path in found.items():
        if path is not None:
            shutil.copyfile(path, tree / SOUND_DIR / name)
    return [name for name, path in found.items() if path is not None]


def keep_own_libraries(tree: Path) -> list[str]:
    """Delete the libraries that every desktop system brings itself; return the names that stay (Linux).

    Links there lead to libraries that Python packages bring, and stay.
    """
    if sys.platform != "linux":
        return []
    kept = ["libgomp.so.1"]
    for path in sorted((tree / INTERNAL).iterdir()):
        if path.is_symlink() or not re.fullmatch(r"lib.*\.so(\.\d+)*", path.name):
            continue
        if any(re.fullmatch(pattern, path.name) for pattern in CARRIED_LIBRARIES):
            kept.append(path.name)
        else:
            path.unlink()
    return kept


def add_models(models_dir: Path, tree: Path, names: Iterable[str]) -> None:
    """Copy the starter models to where the program looks for them (`app.core.paths.starter_models_dir`)."""
    for name in names:
        target_path = tree / INTERNAL / "resources" / "models" / name
        target_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(models_dir / name, target_path)


def strip_symbols(tree: Path) -> int:
    """Remove debug symbols from libraries that carry many; return the bytes saved (Linux).

    Most libraries of packages are stripped already, and rewriting those whose paths were patched can break
    them: only Python's own library, the engine's and those that carry many megabytes of symbols are touched.
    """
    strip = shutil.which("strip")
    if sys.platform != "linux" or strip is None:
        return 0
    paths = [*(tree / INTERNAL).glob("libpython3*.so*"), *(tree / ENGINE_DIR).glob("*.so*")]
    paths += (tree / INTERNAL).glob("python3*/lib-dynload/*.so")
    paths += (tree / LEGACY_DIR).glob("lib/*/*.so")
    for pattern in _WITH_SYMBOLS:
        paths += (tree / INTERNAL).glob(pattern)
    before = sum(path.stat().st_size for path in paths if not path.is_symlink())
    for path in paths:
        if not path.is_symlink():
            subprocess.run([strip, "--strip-unneeded", str(path)], check=True)
    return before - sum(path.stat().st_size for path in paths if not path.is_symlink())


def set_modes(tree: Path) -> None:
    """Make everything readable by all and writable by its owner alone; only programs are executable."""
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if _is_program(path, tree) else 0o644)


def _is_program(path: Path, tree: Path) -> bool:
    is_executable = bool(path.stat().st_mode & stat.S_IXUSR)
    return is_executable and (path.parent == tree or path.suffix == ".sh")
