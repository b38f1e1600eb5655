"""The Debian package: the program below /usr/lib, its dependencies read off its binaries."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.package.bundle import PROGRAM, Bundle, link_or_copy
from scripts.package.linux_files import TEMPLATES_DIR, release_date, write_gzip, write_share
from scripts.package.sbom import system_parts
from scripts.package.staging import ENGINE_DIR, INTERNAL, SOUND_DIR
from scripts.package.text import filled
from scripts.package.weights import files_of
from scripts.setup.progress import Progress, SetupError
from scripts.setup.system_libraries import Need, ensure

NEEDS = (
    Need("command", "dpkg-shlibdeps", "dpkg-dev", "making a Debian package"),
    Need("library", "libwayland-egl.so.1", "libwayland-egl1", "making a Debian package"),
)
HOME = Path("usr/lib") / PROGRAM
# Loaded by file name where they are there; the program does without.
_RECOMMENDED = ("libggml-vulkan.so",)
_GTK_PLUGIN = "libqgtk3.so"
_SUGGESTS = "libgtk-3-0 | libgtk-3-0t64"
# Not to be seen in any binary: the compiled keyboard tables, and a font for every script of the interface.
_MORE_DEPENDS = ("xkb-data", "fontconfig")
_MORE_RECOMMENDS = (
    "fonts-dejavu-core | fonts-noto-core",
    "mesa-vulkan-drivers",
    "xdg-utils",
    "pipewire-alsa | libasound2-plugins",  # from ALSA, which PortAudio speaks, to the sound server
)
_CONTENT = {
    "standard": "A small chat model is included, so that it works at once.",
    "slim": "This package brings no chat model: put one (GGUF) into the data folder.",
}


def package_name(variant: str) -> str:
    """Return the package's name; only one of the variants can be installed."""
    return PROGRAM if variant == "standard" else f"{PROGRAM}-{variant}"


def build(bundle: Bundle, output_dir: Path, progress: Progress, level: int = 6) -> list[Path]:
    """Make the package; return its path in a list.

    Args:
        bundle: What goes into it.
        output_dir: Receives it.
        progress: Where the lines go.
        level: Of compression, 0 to 9.

    Raises:
        SetupError: A tool is missing, or one failed.
    """
    missing = ensure(NEEDS, progress)
    if missing:
        raise SetupError(f"{missing[0].name} is missing.", f"Install the package {missing[0].package}.")
    architecture = _output(["dpkg", "--print-architecture"]).strip()
    name = package_name(bundle.variant)
    path = output_dir / f"{name}_{bundle.version}_{architecture}.deb"
    output_dir.mkdir(parents=True, exist_ok=True)
    with (
        progress.step(f"Making {path.name}"),
        tempfile.TemporaryDirectory(prefix="deb-", dir=bundle.tree.parent) as temporary,
    ):
        root = Path(temporary) / "root"
        lay_out(bundle, root)
        write_control(bundle, root, architecture)
        _output(["dpkg-deb", "--root-owner-group", "-Zxz", f"-z{level}", "--build", str(root), str(path)])
    return [path]


def lay_out(bundle: Bundle, root: Path) -> None:
    """Put every file where the package installs it."""
    name = package_name(bundle.variant)
    shutil.copytree(bundle.tree, root / HOME, symlinks=True, copy_function=link_or_copy)
    (root / "usr" / "bin").mkdir(parents=True)
    for program in ("h2ogpt", "h2ogpt-desktop"):
        (root / "usr" / "bin" / program).symlink_to(f"../lib/{PROGRAM}/{program}")
    write_share(root / "usr" / "share", bundle.version, "h2ogpt-desktop")
    documents_dir = root / "usr" / "share" / "doc" / name
    documents_dir.mkdir(parents=True)
    shutil.copyfile(TEMPLATES_DIR / "copyright", documents_dir / "copyright")
    write_gzip(documents_dir / "changelog.gz", _changelog(name, bundle.version))
    overrides_dir = root / "usr" / "share" / "lintian" / "overrides"
    overrides_dir.mkdir(parents=True)
    text = filled(TEMPLATES_DIR / "lintian-overrides", {"PACKAGE": name})
    (overrides_dir / name).write_text(text, encoding="utf-8")
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755)
        for file_name in files:
            path = Path(folder) / file_name
            if not path.is_symlink() and not path.is_relative_to(root / HOME):
                path.chmod(0o644)


def _changelog(name: str, version: str) -> str:
    day = _output(["date", "-R", "-d", release_date()]).strip()
    maintainer = "h2oGPT Desktop contributors <h2ogpt-desktop@users.noreply.github.com>"
    return (
        f"{name} ({version}) unstable; urgency=medium\n\n"
        f"  * Release {version}; CHANGELOG.md of the source says what is new.\n\n -- {maintainer}  {day}\n"
    )


def write_control(bundle: Bundle, root: Path, architecture: str) -> None:
    """Write the package's description, with the dependencies found in its binaries."""
    depends = dependencies(root)
    other = [package_name(variant) for variant in _CONTENT if variant != bundle.variant]
    size_bytes = sum(path.stat().st_size for path in files_of(root))
    values = {
        "PACKAGE": package_name(bundle.variant),
        "VERSION": bundle.version,
        "ARCHITECTURE": architecture,
        "INSTALLED_SIZE": str(size_bytes // 1024),
        "DEPENDS": _joined(depends["Depends"], *_MORE_DEPENDS),
        "RECOMMENDS": _joined(depends["Recommends"], *_MORE_RECOMMENDS),
        "SUGGESTS": _SUGGESTS,
        "CONFLICTS": ", ".join(other),
        "TITLE": "" if bundle.variant == "standard" else " (without chat model)",
        "CONTENT": _CONTENT[bundle.variant],
    }
    control_dir = root / "DEBIAN"
    control_dir.mkdir()
    (control_dir / "control").write_text(filled(TEMPLATES_DIR / "control", values), encoding="utf-8")
    sums = _output(["find", "usr", "-type", "f", "-exec", "md5sum", "{}", "+"], cwd=root)
    (control_dir / "md5sums").write_text(sums, encoding="utf-8")
    for path in control_dir.iterdir():
        path.chmod(0o644)


def _joined(*names: str) -> str:
    """Join lists of packages, of which some may be empty."""
    return ", ".join(filter(None, names))


def dependencies(root: Path) -> dict[str, str]:
    """Ask dpkg-shlibdeps which packages bring the libraries that the package's own do not.

    Returns:
        The fields ``Depends`` and ``Recommends``.
    """
    binaries = [path for path in files_of(root / HOME) if path.name != _GTK_PLUGIN and _is_elf(path)]
    # the system's own among them stand at the top, the compiler's beside the engine
    own_dirs = (root / HOME / INTERNAL, root / HOME / ENGINE_DIR, root / HOME / SOUND_DIR)
    carried = [path.name for path in binaries if path.parent in own_dirs]
    folders = sorted({str(path.parent) for path in binaries if ".so" in path.name})
    by_field: dict[str, list[str]] = {"Depends": [], "Recommends": []}
    for path in binaries:
        field = "Depends"
        if path.name in _RECOMMENDED:
            field = "Recommends"
        by_field[field].append(f"-e{path}")
    command = ["dpkg-shlibdeps", "-O", "--warnings=0", "--ignore-missing-info"]
    command += [f"-l{folder}" for folder in folders]
    command += [f"-x{part.name}" for part in system_parts(carried)]
    for field, files in by_field.items():
        command += [f"-d{field}", *files]
    with tempfile.TemporaryDirectory() as temporary:
        control_path = Path(temporary) / "debian" / "control"
        control_path.parent.mkdir()
        control_path.write_text(f"Source: {PROGRAM}\n\nPackage: {PROGRAM}\nArchitecture: any\n")
        text = _output(command, cwd=Path(temporary))
    found = dict(line.removeprefix("shlibs:").split("=", 1) for line in text.splitlines() if "=" in line)
    return {field: found.get(field, "") for field in by_field}


def _is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _output(command: Sequence[str], cwd: Path | None = None) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        lines = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
        raise SetupError(f"{command[0]} failed: {lines[-1] if lines else 'it gave no reason'}")
    return result.stdout
