"""Make the macOS application and its disk image from the staged tree: assemble, sign, notarize, pack.

PyInstaller assembles the `.app` (`installer/macos/bundle.spec`); this module fills its `Info.plist`, signs
from the inside out, has Apple notarize it where credentials are given, and packs the image. Variables:
H2OGPT_MAC_IDENTITY (a "Developer ID Application" identity of the keychain; without it the signature is ad
hoc), H2OGPT_NOTARY_PROFILE (of `notarytool store-credentials`), or H2OGPT_NOTARY_KEY, H2OGPT_NOTARY_KEY_ID
and H2OGPT_NOTARY_ISSUER (file, id and issuer of an App Store Connect key). No password is on a command line.
"""

from __future__ import annotations

import os
import platform
import plistlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.package.file_types import FILE_TYPES, FileType
from scripts.setup.layout import REPOSITORY_DIR
from scripts.setup.progress import Progress, SetupError

MAC_DIR = REPOSITORY_DIR / "installer" / "macos"
APP_FOLDER = "h2oGPT Desktop.app"
VOLUME = "h2oGPT Desktop"
# The first is the one that a double-click starts.
EXECUTABLES = ("h2ogpt-desktop", "h2ogpt", "h2ogpt-worker")
IDENTITY = "H2OGPT_MAC_IDENTITY"
NOTARY_PROFILE = "H2OGPT_NOTARY_PROFILE"
NOTARY_KEY = ("H2OGPT_NOTARY_KEY", "H2OGPT_NOTARY_KEY_ID", "H2OGPT_NOTARY_ISSUER")
# Source: <mach-o/loader.h> and <mach-o/fat.h>; the first bytes of a program or library.
_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")
_FILES_PER_COMMAND = 100

Run = Callable[[Sequence[str]], None]
Entry = tuple[str, str, str]


def output_name(version: str, architecture: str, variant: str) -> str:
    """Return the disk image's file name."""
    return f"h2ogpt-desktop-{version}-macos-{architecture}-{variant}.dmg"


def run_tool(command: Sequence[str]) -> None:
    """Run one tool silently.

    Raises:
        SetupError: It is not here, or failed (with its last line).
    """
    if shutil.which(command[0]) is None:
        raise SetupError(
            f"{command[0]} is not here.", "Install Apple's command line tools: xcode-select --install"
        )
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode != 0:
        lines = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else "it gave no reason"
        raise SetupError(
            f"{Path(command[0]).name} failed: {reason}", "See docs/installers.md, section macOS."
        )


# ---------------------------------------------------------------------------------------- Info.plist


def read_template() -> dict[str, object]:
    """Return what `Info.plist` holds in every version."""
    content: dict[str, object] = plistlib.loads((MAC_DIR / "Info.plist").read_bytes())
    return content


def document_types(types: Sequence[FileType] = FILE_TYPES) -> list[dict[str, object]]:
    """Return the types that Finder offers to open with the program, never as their default."""
    return [
        {
            "CFBundleTypeName": item.description,
            "CFBundleTypeRole": "Viewer",
            "LSHandlerRank": "Alternate",
            "LSItemContentTypes": [item.uti],
        }
        for item in types
    ]


def imported_types(types: Sequence[FileType] = FILE_TYPES) -> list[dict[str, object]]:
    """Declare the types that macOS does not know by itself."""
    return [
        {
            "UTTypeIdentifier": item.uti,
            "UTTypeDescription": item.description,
            "UTTypeConformsTo": ["public.plain-text"],
            "UTTypeTagSpecification": {
                "public.filename-extension": list(item.extensions),
                "public.mime-type": [item.mime],
            },
        }
        for item in types
        if not item.is_known_to_macos
    ]


def info_plist(version: str) -> dict[str, object]:
    """Return the whole `Info.plist`, the icon apart, which PyInstaller adds.

    Args:
        version: Of the program; macOS takes only its leading numbers.
    """
    numbers = re.match(r"\d+(\.\d+){0,2}", version)
    short = numbers[0] if numbers else "0"
    return {
        **read_template(),
        "CFBundleShortVersionString": short,
        "CFBundleVersion": short,
        "CFBundleGetInfoString": f"h2oGPT Desktop {version}",
        "CFBundleDocumentTypes": document_types(),
        "UTImportedTypeDeclarations": imported_types(),
    }


# ------------------------------------------------------------------------------------- the application


def is_code(path: Path) -> bool:
    """Return whether a file is a macOS program or library."""
    with path.open("rb") as stream:
        return stream.read(4) in _MACH_O


def bundle_entries(stage_dir: Path) -> list[Entry]:
    """List the staged tree for PyInstaller: where a file goes, where it is, and what it is.

    Raises:
        SetupError: One of the three programs is missing.
    """
    missing = [name for name in EXECUTABLES if not (stage_dir / name).is_file()]
    if missing:
        raise SetupError(f"{missing[0]} is not in {stage_dir}.", "Freeze the program for macOS first.")
    entries: list[Entry] = [(name, str(stage_dir / name), "EXECUTABLE") for name in EXECUTABLES]
    inner_dir = stage_dir / "_internal"
    for folder, folders, files in os.walk(stage_dir):
        for name in sorted([*files, *folders]):
            path = Path(folder) / name
            if path.parent == stage_dir and name in EXECUTABLES:
                continue
            base_dir = inner_dir if inner_dir in path.parents else stage_dir
            target = path.relative_to(base_dir).as_posix()
            if path.is_symlink():
                entries.append((target, str(path.readlink()), "SYMLINK"))
            elif path.is_file():
                entries.append((target, str(path), "BINARY" if is_code(path) else "DATA"))
    return entries


def assemble_command(stage_dir: Path, icon_path: Path, version: str, work_dir: Path) -> list[str]:
    """Return the command with which PyInstaller makes the application in `work_dir`."""
    options = ["--noconfirm", "--log-level", "WARN", "--distpath", str(work_dir)]
    options += ["--workpath", str(work_dir / "pyinstaller")]
    arguments = ["--", str(stage_dir), str(icon_path), version]
    return [sys.executable, "-m", "PyInstaller", *options, str(MAC_DIR / "bundle.spec"), *arguments]


# ------------------------------------------------------------------------------------------ signatures


def signing_order(app_dir: Path) -> tuple[list[Path], list[Path]]:
    """Return what is signed before the application itself, innermost first.

    Returns:
        Libraries and frameworks, which get no entitlements; then the programs, which do.
    """
    frameworks_dir = app_dir / "Contents" / "Frameworks"
    bundles = [path for path in frameworks_dir.rglob("*.framework") if not path.is_symlink()]
    libraries = [
        path
        for path in frameworks_dir.rglob("*")
        if path.is_file() and not path.is_symlink() and is_code(path) and not _signed_as_main(path, bundles)
    ]
    inner = sorted([*libraries, *bundles], key=lambda path: (-len(path.parts), str(path)))
    programs = [app_dir / "Contents" / "MacOS" / name for name in EXECUTABLES[1:]]
    return inner, programs


def _signed_as_main(path: Path, bundles: Sequence[Path]) -> bool:
    """Return whether a file is the library of a framework, which is signed with it."""
    return any(bundle in path.parents and path.name == bundle.stem for bundle in bundles)


def signing_commands(app_dir: Path, environment: Mapping[str, str] = os.environ) -> list[list[str]]:
    """Return the commands that sign the application from the inside out and then check it."""
    identity = environment.get(IDENTITY, "")
    sign = ["codesign", "--force", "--sign", identity or "-"]
    if identity:
        sign += ["--options", "runtime", "--timestamp"]
    entitled = [*sign, "--entitlements", str(MAC_DIR / "entitlements.plist")]
    inner, programs = signing_order(app_dir)
    commands = []
    for start in range(0, len(inner), _FILES_PER_COMMAND):
        commands.append([*sign, *(str(path) for path in inner[start : start + _FILES_PER_COMMAND])])
    commands += [[*entitled, str(path)] for path in [*programs, app_dir]]
    commands.append(["codesign", "--verify", "--deep", "--strict", str(app_dir)])
    return commands


def notary_options(environment: Mapping[str, str] = os.environ) -> list[str] | None:
    """Return the options that name the credentials for Apple's notary; None without credentials.

    Raises:
        SetupError: Only some of a key's three parts are given, or there is no identity to sign with.
    """
    key = [environment.get(name, "") for name in NOTARY_KEY]
    profile = environment.get(NOTARY_PROFILE)
    if not profile and not any(key):
        return None
    if not environment.get(IDENTITY):
        raise SetupError("Apple notarizes only what is signed.", f"Set {IDENTITY}, too.")
    if profile:
        return ["--keychain-profile", profile]
    if not all(key):
        raise SetupError("The key for the notary is not complete.", f"Set all of {', '.join(NOTARY_KEY)}.")
    return ["--key", key[0], "--key-id", key[1], "--issuer", key[2]]


def notary_commands(path: Path, work_dir: Path, credentials: Sequence[str]) -> list[list[str]]:
    """Return the commands that have an application or image notarized and fasten Apple's answer to it."""
    commands = []
    submitted = path
    if path.suffix == ".app":  # the notary takes files only
        submitted = work_dir / f"{path.stem}.zip"
        commands.append(["ditto", "-c", "-k", "--keepParent", str(path), str(submitted)])
    commands.append(["xcrun", "notarytool", "submit", str(submitted), *credentials, "--wait"])
    commands.append(["xcrun", "stapler", "staple", str(path)])
    return commands


# ------------------------------------------------------------------------------------------ the image


def image_command(folder: Path, output_path: Path) -> list[str]:
    """Return the command that packs a folder into a compressed, read-only image."""
    options = ["-volname", VOLUME, "-fs", "HFS+", "-format", "ULMO", "-ov"]
    return ["hdiutil", "create", *options, "-srcfolder", str(folder), str(output_path)]


def pack(
    app_dir: Path,
    output_path: Path,
    work_dir: Path,
    progress: Progress,
    run: Run = run_tool,
    environment: Mapping[str, str] = os.environ,
) -> Path:
    """Sign the application, have it notarized where credentials are given, and pack the image.

    Raises:
        SetupError: A tool is missing or refused.
    """
    credentials = notary_options(environment)
    identity = environment.get(IDENTITY)
    with progress.step(f"Signing ({'with an identity' if identity else 'ad hoc, there is no identity'})"):
        _run_all(signing_commands(app_dir, environment), run)
    if credentials:
        with progress.step("Having the application notarized by Apple"):
            _run_all(notary_commands(app_dir, work_dir, credentials), run)
    image_dir = work_dir / "image"
    image_dir.mkdir()
    shutil.move(app_dir, image_dir / app_dir.name)
    (image_dir / "Applications").symlink_to("/Applications")
    output_path.parent.mkdir(parents=True, exist_ok=True)
    with progress.step(f"Packing {output_path.name}"):
        run(image_command(image_dir, output_path))
        if identity:
            run(["codesign", "--force", "--sign", identity, "--timestamp", str(output_path)])
    if credentials:
        with progress.step("Having the image notarized by Apple"):
            _run_all(notary_commands(output_path, work_dir, credentials), run)
    return output_path


def _run_all(commands: Sequence[Sequence[str]], run: Run) -> None:
    for command in commands:
        run(command)


def build(stage_dir: Path, output_dir: Path, version: str, variant: str, progress: Progress) -> list[Path]:
    """Make the disk image; on macOS only, for the processor that this runs on.

    Args:
        stage_dir: The frozen program.
        output_dir: Where the image goes.
        version: Of the program.
        variant: ``standard`` or ``slim``.
        progress: Where the lines go.

    Returns:
        The image.

    Raises:
        SetupError: This is not macOS, a tool or a part of the program is missing, or a tool refused.
    """
    if platform.system() != "Darwin":
        raise SetupError(
            "A macOS application can be made on macOS only.",
            "Run this on a Mac, or let the workflow .github/workflows/installers.yml do it.",
        )
    from scripts.package import icons

    with tempfile.TemporaryDirectory(prefix="h2ogpt-mac-") as work:
        work_dir = Path(work)
        icon_path = work_dir / "h2ogpt-desktop.icns"
        icons.write_icns(icon_path)
        with progress.step(f"Assembling {APP_FOLDER}"):
            run_tool(assemble_command(stage_dir.absolute(), icon_path, version, work_dir))
        output_path = output_dir / output_name(version, platform.machine(), variant)
        return [pack(work_dir / APP_FOLDER, output_path, work_dir, progress)]
