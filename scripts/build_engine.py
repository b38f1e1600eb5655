#!/usr/bin/env python3
"""Compile the engine that the installers carry: every CPU variant and the GPU's backend as plug-ins.

    python3 scripts/build_engine.py [--output DIR]

Prints the path of the wheel, which is kept in the user's cache. It runs on any processor of this kind and
uses the GPU where a driver is there; which plug-in serves is chosen when the engine starts
(`app/worker/inference/native.py`). Linux needs glslc and Vulkan headers newer than those of Debian 12: where
they are too old, those of the next Debian release are unpacked beside the build, through the system's own
package sources. Windows takes them from the Vulkan SDK; macOS has Metal.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.setup import engine
from scripts.setup.layout import Layout, current_layout
from scripts.setup.progress import Progress, SetupError, explain
from scripts.setup.system_libraries import Need, ensure, is_debian

MIN_HEADER_VERSION = 301  # VK_EXT_layer_settings in vulkan.hpp; Debian 12 has 239
NEXT_RELEASE = {"bookworm": "trixie"}
VULKAN_NEEDS = (
    Need("command", "glslc", "glslc", "compiling the GPU's programs"),
    Need("library", "libvulkan.so.1", "libvulkan1", "linking the GPU's plug-in"),
)
PURPOSE = "for every machine, with the GPU's plug-in"
_SYSTEM_INCLUDE_DIR = Path("/usr/include")


def portable_arguments(system: str) -> list[str]:
    """Return CMake's switches of the installers' engine on a system (`platform.system()`)."""
    arguments = [
        "-DGGML_NATIVE=OFF",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DGGML_BACKEND_DL=ON",
        "-DGGML_CPU_ALL_VARIANTS=ON",
    ]
    return arguments + (["-DGGML_METAL=ON"] if system == "Darwin" else ["-DGGML_VULKAN=ON"])


def portable_build(layout: Layout, progress: Progress) -> engine.EngineBuild:
    """Return the installers' build for this system, with its tools in place.

    Raises:
        SetupError: A tool is missing and could not be fetched.
    """
    system = platform.system()
    if system == "Linux":
        missing = ensure(VULKAN_NEEDS, progress)
        if missing:
            raise SetupError(
                f"{missing[0].name} is missing.", f"Install the package {missing[0].package}, then try again."
            )
        prefix = _linux_headers(layout, progress)
        if prefix is not None:
            return _build_with_headers(prefix)
    elif system == "Windows" and not os.environ.get("VULKAN_SDK"):
        raise SetupError("The Vulkan SDK is not installed.", "Install it, open a new terminal and try again.")
    return engine.EngineBuild(PURPOSE, portable_arguments(system))


def _build_with_headers(prefix: Path) -> engine.EngineBuild:
    """Return the Linux build with headers of a folder and the system's library."""
    library = next(Path("/usr/lib").glob("*-linux-gnu/libvulkan.so.1"))
    include_dir = prefix / "include"
    arguments = [
        *portable_arguments("Linux"),
        f"-DVulkan_INCLUDE_DIR={include_dir}",
        f"-DVulkan_LIBRARY={library}",
        f"-DCMAKE_PREFIX_PATH={prefix}",
    ]
    return engine.EngineBuild(PURPOSE, arguments, {"CXXFLAGS": f"-I{include_dir}"})


def header_version(include_dir: Path) -> int:
    """Return the number of the Vulkan headers in a folder (the last part of 1.x.N); 0: there are none."""
    try:
        text = (include_dir / "vulkan" / "vulkan_core.h").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"#define VK_HEADER_VERSION (\d+)", text)
    return int(found[1]) if found else 0


def _linux_headers(layout: Layout, progress: Progress) -> Path | None:
    """Give the folder with new enough headers; None where the system's are."""
    if os.environ.get("VULKAN_SDK") or header_version(_SYSTEM_INCLUDE_DIR) >= MIN_HEADER_VERSION:
        return None
    root = layout.cache_dir / "vulkan-headers"
    if header_version(root / "usr" / "include") < MIN_HEADER_VERSION:
        if not is_debian():
            raise SetupError(
                "The Vulkan headers are missing or too old.",
                "Install the Vulkan SDK, set VULKAN_SDK, and try again.",
            )
        with progress.step("Fetching newer Vulkan headers from the next Debian release"):
            _unpack_next_release(("libvulkan-dev", "spirv-headers"), root)
    return root / "usr"


def _unpack_next_release(packages: Sequence[str], root: Path) -> None:
    """Download packages of the release after this one, with apt's own keys and addresses; install nothing.

    Raises:
        SetupError: apt could not.
    """
    work_dir = root.with_name(root.name + ".part")
    shutil.rmtree(work_dir, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial"):
        (work_dir / name).mkdir(parents=True)
    sources = work_dir / "next.sources"
    sources.write_text(next_release_sources(_read_sources()), encoding="utf-8")
    options = [
        f"-oDir::Etc::sourcelist={sources}",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={work_dir / 'lists'}",
        f"-oDir::Cache={work_dir / 'cache'}",
        "-oAPT::Sandbox::User=root",
    ]
    for command in (["update"], ["download", *packages]):
        result = subprocess.run(
            ["apt-get", *options, *command], cwd=work_dir, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise SetupError(f"apt could not fetch newer Vulkan headers: {_last_line(result.stderr)}")
    for package in work_dir.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(work_dir / "root")], check=True)
    shutil.rmtree(root, ignore_errors=True)
    (work_dir / "root").replace(root)
    shutil.rmtree(work_dir)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"


def _read_sources() -> str:
    path = Path("/etc/apt/sources.list.d/debian.sources")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{path} cannot be read.", "Install newer Vulkan headers by hand.") from error


def next_release_sources(text: str) -> str:
    """Turn apt's sources (deb822) of a release into those of the next one, its main suite only.

    Raises:
        SetupError: The release is not known.
    """
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        suites = re.search(r"^Suites:\s*(\S+)", paragraph, re.MULTILINE)
        if suites and suites[1] in NEXT_RELEASE:
            return re.sub(r"(?m)^Suites:.*$", f"Suites: {NEXT_RELEASE[suites[1]]}", paragraph) + "\n"
    raise SetupError("This Debian release is not known.", "Install newer Vulkan headers by hand.")


def build(layout: Layout, progress: Progress) -> Path:
    """Return the installers' engine wheel, from the cache or compiled now.

    Raises:
        SetupError: It could not be compiled.
    """
    return engine.built_wheel(layout, progress, portable_build(layout, progress))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Compile the engine that the installers carry.")
    parser.add_argument("--output", type=Path, help="copy the wheel into this folder")
    options = parser.parse_args(arguments)
    try:
        wheel_path = build(current_layout(), Progress(sys.stderr))
    except SetupError as error:
        explain(error)
        return 1
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        wheel_path = Path(shutil.copy2(wheel_path, options.output))
    print(wheel_path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
