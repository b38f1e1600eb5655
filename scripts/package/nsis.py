"""Pack the staged tree into the Windows installer with NSIS (`makensis`), on Windows or Linux."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.package import sign_windows
from scripts.package.nsis_script import Tree, read_tree, script
from scripts.setup.layout import REPOSITORY_DIR
from scripts.setup.progress import Progress, SetupError

TEMPLATE_PATH = REPOSITORY_DIR / "installer" / "windows" / "h2ogpt.nsi"
EXECUTABLES = ("h2ogpt.exe", "h2ogpt-desktop.exe", "h2ogpt-worker.exe")
# A 64-bit installer starts on 64-bit Windows only, and on 64-bit wine; not every makensis can make one.
WANTED_TARGET = "amd64-unicode"
_MAX_BYTES = 2**31 - 1
_INSTALL_HINT = (
    "Install NSIS 3.08 or later: apt-get install nsis on Debian and Ubuntu, choco install nsis on Windows."
)


def output_name(version: str, variant: str) -> str:
    """Return the installer's file name."""
    return f"h2ogpt-desktop-{version}-windows-x86_64-{variant}.exe"


def build(stage_dir: Path, output_dir: Path, version: str, variant: str, progress: Progress) -> list[Path]:
    """Make the installer.

    Args:
        stage_dir: The frozen program. Its three programs are signed in place where a certificate is given.
        output_dir: Where the installer goes.
        version: Of the program.
        variant: ``standard`` or ``slim``.
        progress: Where the lines go.

    Returns:
        The installer.

    Raises:
        SetupError: A tool or a part of the program is missing, or NSIS refused.
    """
    from scripts.package import icons

    with tempfile.TemporaryDirectory(prefix="h2ogpt-nsis-") as work:
        work_dir = Path(work)
        icons.write_ico(work_dir / "app.ico")
        icons.write_wizard_picture(work_dir / "picture.bmp")
        return [
            pack(stage_dir, output_dir / output_name(version, variant), version, variant, work_dir, progress)
        ]


def pack(
    stage_dir: Path, output_path: Path, version: str, variant: str, work_dir: Path, progress: Progress
) -> Path:
    """Make the installer with the pictures `app.ico` and `picture.bmp` of `work_dir`.

    Raises:
        SetupError: See `build`.
    """
    makensis = find_makensis()
    missing = [name for name in EXECUTABLES if not (stage_dir / name).is_file()]
    if missing:
        raise SetupError(f"{missing[0]} is not in {stage_dir}.", "Freeze the program for Windows first.")
    if sign_windows.is_wanted():
        with progress.step("Signing the programs"):
            sign_windows.sign([stage_dir / name for name in EXECUTABLES])
    tree = read_tree(stage_dir)
    _write_licence(stage_dir, work_dir / "licence.txt")
    output_path.parent.mkdir(parents=True, exist_ok=True)
    values = defines(tree, version, variant, work_dir, output_path)
    if target := supported_target(makensis, work_dir):
        values["TARGET"] = target
    script_path = work_dir / "installer.nsi"
    script_path.write_text(script(tree, values, TEMPLATE_PATH), encoding="utf-8-sig")
    with progress.step(
        f"Packing {len(tree.files)} files ({tree.size_kb // 1024} MB) into {output_path.name}"
    ):
        run_makensis(makensis, script_path)
    return _checked(output_path)


def find_makensis() -> str:
    """Find the compiler: on the PATH, or where its Windows installer puts it.

    Raises:
        SetupError: It is not here.
    """
    folders = [os.environ.get("PROGRAMFILES(X86)"), os.environ.get("PROGRAMFILES")]
    places = [Path(folder) / "NSIS" / "makensis.exe" for folder in folders if folder]
    found = shutil.which("makensis") or next((str(path) for path in places if path.is_file()), None)
    if found is None:
        raise SetupError("makensis, which packs the Windows installer, is not here.", _INSTALL_HINT)
    return found


def four_numbers(version: str) -> str:
    """Return a version as Windows wants it in a file's properties: four numbers."""
    numbers = re.findall(r"\d+", re.split(r"[-+]|(?<=\d)(?=a|b|rc|\.dev|\.post)", version)[0])
    return ".".join([*numbers, "0", "0", "0", "0"][:4])


def defines(tree: Tree, version: str, variant: str, work_dir: Path, output_path: Path) -> dict[str, str]:
    """Return the constants that the template asks for."""
    values = {
        "APP_VERSION": version,
        "APP_VERSION_4": four_numbers(version),
        "VARIANT": variant,
        "OUTPUT_FILE": str(output_path.absolute()),
        "ICON_FILE": str(work_dir / "app.ico"),
        "PICTURE_FILE": str(work_dir / "picture.bmp"),
        "LICENCE_FILE": str(work_dir / "licence.txt"),
        "SIZE_KB": str(tree.size_kb),
        "MAX_FOLDER_LENGTH": str(tree.max_folder_length),
    }
    if sign_windows.is_wanted():
        signer = Path(sign_windows.__file__).resolve()
        words = (sys.executable, str(signer), "%1")
        values["SIGN_COMMAND"] = " ".join(f'$\\"{word}$\\"' for word in words)
    return values


def _write_licence(stage_dir: Path, path: Path) -> None:
    """Write the page of terms: what the bundle is made of, then the program's own licence."""
    texts = []
    for name in ("NOTICE", "LICENSE"):
        source_path = stage_dir / name
        if not source_path.is_file():
            raise SetupError(f"{name} is not in {stage_dir}.", "Freeze the program again.")
        texts.append(source_path.read_text(encoding="utf-8"))
    path.write_text("\n\n".join(texts), encoding="utf-8-sig", newline="\r\n")


def supported_target(makensis: str, work_dir: Path) -> str | None:
    """Return the 64-bit target where this makensis has it; None leaves its own default (32-bit)."""
    probe_path = work_dir / "probe.nsi"
    lines = ["Unicode true", f"Target {WANTED_TARGET}", f'OutFile "{work_dir / "probe.exe"}"']
    probe_path.write_text("\n".join([*lines, "Section", "SectionEnd", ""]), encoding="utf-8-sig")
    result = subprocess.run(
        [makensis, "-V0", str(probe_path)], capture_output=True, check=False, env=_environment()
    )
    return WANTED_TARGET if result.returncode == 0 else None


def run_makensis(makensis: str, script_path: Path) -> None:
    """Compile a script; every warning counts as an error.

    Raises:
        SetupError: It failed, with what it said.
    """
    result = subprocess.run(
        [makensis, "-V2", "-WX", "-NOCD", str(script_path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=_environment(),
    )
    if result.returncode != 0:
        lines = [line.strip() for line in (result.stdout + result.stderr).splitlines() if line.strip()]
        reasons = [line for line in lines if re.search("error|warning|invalid", line, re.IGNORECASE)]
        words = " / ".join((reasons or lines)[-5:])
        raise SetupError(
            f"makensis could not make the installer: {words}", "Mend the script, then try again."
        )


def _environment() -> dict[str, str]:
    """Return the variables for makensis; on Linux it reads file names by the locale."""
    return dict(os.environ) if os.name == "nt" else {**os.environ, "LC_ALL": "C.UTF-8"}


def _checked(path: Path) -> Path:
    if not path.is_file():
        raise SetupError(f"makensis did not write {path.name}.", _INSTALL_HINT)
    if path.stat().st_size > _MAX_BYTES:
        raise SetupError(
            f"{path.name} is larger than 2 GB, which Windows installers of this kind cannot be.",
            "Leave models out of the bundle (--variant slim).",
        )
    return path
