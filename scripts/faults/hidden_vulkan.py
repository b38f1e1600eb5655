"""Take the Vulkan drivers, then the loader, away from the program; print what its doctor says.

The files disappear in a mount namespace of this drill only. Needs Linux, root, `unshare` and overlay mounts,
and the engine that installers carry (CPU variants and Vulkan as plug-ins), unpacked into a folder:

    python -m scripts.faults.hidden_vulkan --engine FOLDER
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.faults.program import Program, report

DESCRIPTIONS_DIR = Path("/usr/share/vulkan/icd.d")
LOADER = "libvulkan.so.1"
_INSIDE = "--inside"


def loader_dir() -> Path | None:
    """Give the folder of the system's Vulkan loader; None where it has none."""
    for folder in (f"/usr/lib/{os.uname().machine}-linux-gnu", "/usr/lib64", "/usr/lib"):
        if (Path(folder) / LOADER).exists():
            return Path(folder)
    return None


def hide(folder: Path, names: list[str], work_dir: Path) -> None:
    """Lay a writable layer over a folder and delete files in it; only this mount namespace sees that."""
    layer = Path(tempfile.mkdtemp(dir=work_dir))
    subprocess.run(["mount", "-t", "tmpfs", "none", str(layer)], check=True)
    for name in ("upper", "work"):
        (layer / name).mkdir()
    options = f"lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(folder)], check=True)
    for name in names:
        (folder / name).unlink()


def look(what: str, work_dir: Path, note: str, requirement: str) -> bool:
    """Run the doctor, which also writes an answer; check note and requirement."""
    program = Program(Path(tempfile.mkdtemp(dir=work_dir)))
    (said,) = program.json("doctor")
    hardware = said["hardware"]
    missing = [each["name"] for each in hardware["requirements"] if not each["found"]]
    ok = report(f"{what}: the note", note in hardware["gpu_note"], hardware["gpu_note"])
    ok &= report(
        f"{what}: the requirement",
        any(requirement in name for name in missing) if requirement else not missing,
        f"missing: {missing or 'nothing'}; parts: {hardware['engine']['backends']}",
    )
    checks = {check["name"]: check for check in said["checks"]}
    generation = checks["engine.generation"]
    ok &= report(f"{what}: the model answers", generation["status"] == "ok", generation["detail"])
    program.stop_host()
    return ok


def inside(work_dir: Path) -> bool:
    """The drill, in a mount namespace of its own."""
    ok = look("as it is", work_dir, "", "")
    folder = loader_dir()
    assert folder is not None
    if DESCRIPTIONS_DIR.is_dir():
        hide(DESCRIPTIONS_DIR, [path.name for path in DESCRIPTIONS_DIR.iterdir()], work_dir)
        ok &= look("without drivers", work_dir, "mesa-vulkan-drivers", "Vulkan driver")
    hide(folder, [LOADER], work_dir)
    return ok & look("without the loader", work_dir, LOADER, "Vulkan loader")


def main() -> int:
    """Start the drill in a namespace, or be the one in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", type=Path, required=True, help="folder that holds llama_cpp")
    parser.add_argument(_INSIDE, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return 0 if inside(options.inside) else 1
    if loader_dir() is None or shutil.which("unshare") is None:
        print(f"This drill needs {LOADER} and unshare.")
        return 2
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(options.engine.resolve()), *filter(None, others)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryDirectory() as work_dir:
        command = ["unshare", "-m", sys.executable, "-m", "scripts.faults.hidden_vulkan"]
        return subprocess.run(
            [*command, "--engine", str(options.engine), _INSIDE, work_dir], env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
