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

INTERNAL = "_internal"
ENGINE_DIR = Path(INTERNAL) / "llama_cpp" / "lib"
VARIANTS = ("standard", "slim")
# AMX: only servers have it, and an engine built for it crashed on virtual machines that announce it.
LEFT_OUT_PLUGINS = ("sapphirerapids",)
# Of the chat and embedding models only what the program reads.
MODEL_FILES = (
    "chat/SmolLM2-135M-Instruct.Q4_1.gguf",
    "embedding/all-MiniLM-L6-v2/model.int8.onnx",
    "embedding/all-MiniLM-L6-v2/tokenizer.json",
)
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
    r"libgomp\.so.*",
    r"libxcb-(cursor|icccm|image|keysyms|render-util|util)\.so.*",
    r"lib(pyside|shiboken)6.*",
    r"libQt6.*",
    r"libicu.*",
)
_SONAME = re.compile(r"(?P<stem>lib[A-Za-z0-9_-]+\.so)(?P<major>\.\d+)?(\.\d+)*")


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
            found = _SONAME.fullmatch(file_name)
            is_copy = found is not None and f"llama_cpp/lib/{found['stem']}.0" in names
            if is_copy and found is not None and found["major"] != ".0":
                continue  # the plain name or the full version of a library that has a versioned name
            if is_copy and file_name.count(".") > 2:
                continue
            (target_dir / file_name).write_bytes(wheel.read(name))
            if is_copy and found is not None:
                _link(target_dir / found["stem"], file_name)


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def add_openmp(tree: Path) -> None:
    """Copy the compiler's OpenMP library, which the engine needs, beside the engine (Linux)."""
    if sys.platform != "linux":
        return
    listing = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"libgomp\.so\.1 .*=> (\S+)", listing)
    if found is None:
        raise FileNotFoundError("libgomp.so.1")
    shutil.copyfile(Path(found[1]).resolve(), tree / ENGINE_DIR / "libgomp.so.1")


def remove_system_libraries(tree: Path) -> list[str]:
    """Delete the libraries that every desktop system brings itself; return their names (Linux).

    Links there lead to libraries that Python packages bring, and stay.
    """
    if sys.platform != "linux":
        return []
    removed = []
    for path in sorted((tree / INTERNAL).iterdir()):
        is_library = not path.is_symlink() and re.fullmatch(r"lib.*\.so(\.\d+)*", path.name) is not None
        if is_library and not any(re.fullmatch(pattern, path.name) for pattern in CARRIED_LIBRARIES):
            path.unlink()
            removed.append(path.name)
    return removed


def add_models(models_dir: Path, tree: Path, names: Iterable[str] = MODEL_FILES) -> None:
    """Copy the starter models to where the program looks for them (`app.core.paths.starter_models_dir`)."""
    for name in names:
        target_path = tree / INTERNAL / "resources" / "models" / name
        target_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(models_dir / name, target_path)


def strip_symbols(tree: Path) -> int:
    """Remove debug symbols from libraries that carry many; return the bytes saved (Linux).

    The libraries of packages are stripped already, and rewriting those whose paths were patched can break
    them: only Python's own library and the engine's are touched.
    """
    strip = shutil.which("strip")
    if sys.platform != "linux" or strip is None:
        return 0
    paths = [*(tree / INTERNAL).glob("libpython3*.so*"), *(tree / ENGINE_DIR).glob("*.so*")]
    paths += (tree / INTERNAL).glob("python3*/lib-dynload/*.so")
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
