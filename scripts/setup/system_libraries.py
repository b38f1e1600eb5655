"""Find missing system libraries, and install them where the system is Debian or Ubuntu."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.setup.progress import Progress, SetupError


@dataclass(frozen=True)
class Need:
    """Something that the system must have.

    Attributes:
        kind: ``library`` (loaded by its file name), ``command`` (found on the PATH), ``file``, or
            ``module`` (of this Python's standard library).
        name: The library's file name, the command, the file's path or the module.
        package: The Debian package that brings it.
        purpose: What it is for, in words.
    """

    kind: str
    name: str
    package: str
    purpose: str


_WINDOW_LIBRARIES = (
    ("libGL.so.1", "libgl1"),
    ("libEGL.so.1", "libegl1"),
    ("libdbus-1.so.3", "libdbus-1-3"),
    ("libfontconfig.so.1", "libfontconfig1"),
    ("libglib-2.0.so.0", "libglib2.0-0"),
    ("libxkbcommon.so.0", "libxkbcommon0"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    ("libxcb-cursor.so.0", "libxcb-cursor0"),
    ("libxcb-icccm.so.4", "libxcb-icccm4"),
    ("libxcb-image.so.0", "libxcb-image0"),
    ("libxcb-keysyms.so.1", "libxcb-keysyms1"),
    ("libxcb-randr.so.0", "libxcb-randr0"),
    ("libxcb-render-util.so.0", "libxcb-render-util0"),
    ("libxcb-shape.so.0", "libxcb-shape0"),
    ("libxcb-xinerama.so.0", "libxcb-xinerama0"),
    ("libwayland-client.so.0", "libwayland-client0"),
    ("libwayland-cursor.so.0", "libwayland-cursor0"),
)

WINDOW_NEEDS = (
    *(Need("library", name, package, "the window") for name, package in _WINDOW_LIBRARIES),
    Need("file", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "fonts-dejavu-core", "readable text"),
)

ENGINE_NEEDS = (Need("library", "libgomp.so.1", "libgomp1", "the engine"),)

VOICE_NEEDS = (Need("library", "libportaudio.so.2", "libportaudio2", "microphone and loudspeaker"),)

RUN_NEEDS = (*WINDOW_NEEDS, *ENGINE_NEEDS, *VOICE_NEEDS)

COMPILER_NEEDS = (
    Need("command", "g++", "g++", "building the engine"),
    Need("command", "gcc", "gcc", "building the engine"),
)

# Debian and Ubuntu leave both parts out of their package ``python3``.
VENV_NEEDS = tuple(
    Need("module", name, f"python{sys.version_info[0]}.{sys.version_info[1]}-venv", "the environment")
    for name in ("venv", "ensurepip")
)

# PortAudio speaks ALSA; this plug-in of ALSA reaches the sound server.
_ALSA_TO_PULSE = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/alsa-lib/libasound_module_pcm_pulse.so"

TEST_NEEDS = (
    Need("command", "Xvfb", "xvfb", "tests of the real window"),
    Need("command", "xdotool", "xdotool", "tests of the real window"),
    Need("command", "xwininfo", "x11-utils", "tests of the real window"),
    Need("command", "strace", "strace", "the test that no connection is opened"),
    Need("command", "unshare", "util-linux", "the test without a network"),
    Need("command", "ip", "iproute2", "the test without a network"),
    Need("command", "makensis", "nsis", "tests of the Windows installer"),
    Need("command", "7z", "p7zip-full", "tests of the Windows installer"),
    Need("command", "osslsigncode", "osslsigncode", "tests of the Windows installer"),
    Need("command", "desktop-file-validate", "desktop-file-utils", "tests of the Linux packages"),
    Need("command", "appstreamcli", "appstream", "tests of the Linux packages"),
    Need("command", "dpkg-shlibdeps", "dpkg-dev", "tests of the Linux packages"),
    Need("command", "espeak-ng", "espeak-ng", "tests of speech in another language"),
    Need("command", "pulseaudio", "pulseaudio", "tests with a virtual sound card"),
    Need("command", "pactl", "pulseaudio-utils", "tests with a virtual sound card"),
    Need("file", _ALSA_TO_PULSE, "libasound2-plugins", "tests with a virtual sound card"),
)


def is_present(need: Need) -> bool:
    """Return whether the system has what is needed."""
    if need.kind == "command":
        return shutil.which(need.name) is not None
    if need.kind == "file":
        return Path(need.name).exists()
    if need.kind == "module":
        importlib.invalidate_caches()  # it may have been installed a moment ago
        return importlib.util.find_spec(need.name) is not None
    try:
        ctypes.CDLL(need.name)
    except OSError:
        return False
    return True


def is_debian() -> bool:
    """Return whether this system installs software with apt."""
    return platform.system() == "Linux" and shutil.which("apt-get") is not None


def apt_prefix() -> list[str] | None:
    """Return what stands before ``apt-get`` to run it with enough rights, or None if that cannot be had."""
    if os.name == "posix" and os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    allowed = subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0
    return [sudo, "-n"] if allowed else None


def apt_install(prefix: Sequence[str], packages: Sequence[str]) -> str:
    """Install Debian packages; return an empty text, or the reason why not.

    The package lists are fetched only when the first try does not find the packages.
    """
    install = [*prefix, "apt-get", "install", "--yes", "--no-install-recommends", *packages]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (install, [*prefix, "apt-get", "update"], install):
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if command is install and result.returncode == 0:
            return ""
    lines = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "apt-get gave no reason"


def ensure(
    needs: Sequence[Need],
    progress: Progress,
    present: Callable[[Need], bool] = is_present,
) -> list[Need]:
    """Install what is missing where that is possible; say how to get the rest, and return it.

    Args:
        needs: What the system must have.
        progress: Where the lines go.
        present: Stands in for the look at the system in tests.
    """
    missing = [need for need in needs if not present(need)]
    if not missing or platform.system() != "Linux":
        return missing
    packages = sorted({need.package for need in missing})
    manual = f"apt-get install {' '.join(packages)}"
    purposes = ", ".join(sorted({need.purpose for need in missing}))
    if not is_debian():
        names = ", ".join(need.name for need in missing)
        progress.say(f"  Missing for {purposes}: {names}. Install them with your system's package manager.")
        return missing
    prefix = apt_prefix()
    if prefix is None:
        progress.say(f"  Missing for {purposes}. Run this as administrator: sudo {manual}")
        return missing
    with progress.step(f"Installing system libraries for {purposes}: {' '.join(packages)}"):
        reason = apt_install(prefix, packages)
    missing = [need for need in needs if not present(need)]
    if missing:
        progress.say(f"  apt-get could not install all of them ({reason}). Try: sudo {manual}")
    return missing


def require_compiler(progress: Progress) -> None:
    """Make sure that the engine can be compiled.

    Raises:
        SetupError: There is no C++ compiler, with the way to get one on this system.
    """
    system = platform.system()
    if system == "Linux":
        missing = ensure(COMPILER_NEEDS, progress)
        hint = "Install a C and C++ compiler (Debian and Ubuntu: sudo apt-get install g++)."
    elif system == "Darwin":
        missing = [need for need in COMPILER_NEEDS if not is_present(Need("command", "clang++", "", ""))]
        hint = "Install Apple's command line tools: xcode-select --install"
    else:
        missing = [] if _has_visual_studio() else list(COMPILER_NEEDS)
        hint = "Install the Visual Studio Build Tools with the workload 'Desktop development with C++'."
    if missing:
        raise SetupError("The engine must be compiled once, and no C++ compiler was found.", hint)


def _has_visual_studio() -> bool:
    # Windows compares names of variables without regard to case.
    folders = (os.environ.get("PROGRAMFILES(X86)", ""), os.environ.get("PROGRAMFILES", ""))
    return any(
        folder and (Path(folder) / "Microsoft Visual Studio" / "Installer" / "vswhere.exe").exists()
        for folder in folders
    )
