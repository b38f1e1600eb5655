#!/usr/bin/env python3
"""Build the installers of this platform into ``dist/``.

    python3 scripts/build_installer.py [--variant standard] [--variant slim] [--quick]

Linux: ``.deb`` (where Debian's tools are) and ``.tar.xz``. Windows: ``.exe`` (NSIS). macOS: ``.dmg``. The
environment is set up first (as ``scripts/run.py`` does), the engine compiled with every processor's and the
GPU's plug-ins, the program frozen, checked and packed. Checksums are written to ``dist/SHA256SUMS``.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the message must reach users of older versions
    sys.exit(
        "Python %d.%d is too old; Python 3.11 or later is needed.\n" % sys.version_info[:2]  # noqa: UP031
        + "Start this script with a newer one, for example: python3.12 scripts/build_installer.py"
    )

import argparse
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import build_engine
from scripts.package import bundle as bundling
from scripts.package import weights
from scripts.package.bundle import Bundle
from scripts.package.staging import VARIANTS
from scripts.setup import legacy
from scripts.setup.layout import Layout, current_layout
from scripts.setup.model_files import sha256_of
from scripts.setup.progress import Progress, SetupError, explain
from scripts.setup.steps import set_up

Builder = Callable[[Bundle, Path, Progress], list[Path]]
IN_ENVIRONMENT = "H2OGPT_BUILDING_INSTALLER"


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Build the installers of this platform.")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="both, if none is named")
    parser.add_argument("--output", type=Path, help="where they go (dist/)")
    parser.add_argument("--quick", action="store_true", help="compress less (for trying things out)")
    parser.add_argument(
        "--engine-of-environment",
        action="store_true",
        help="take the engine that was compiled for this machine; the result runs on machines like it only",
    )
    parser.add_argument("--tree-only", action="store_true", help="stop when the program's folder is made")
    return parser.parse_args(arguments)


def trees(layout: Layout, options: argparse.Namespace, progress: Progress) -> list[Bundle]:
    """Freeze and stage each variant, and check what is in it.

    Raises:
        SetupError: It could not be made, holds what it may not, or is too large.
    """
    wheel = None if options.engine_of_environment else build_engine.build(layout, progress)
    work_dir = layout.root_dir / "build"
    _write_program_icons(work_dir)
    frozen_dir = bundling.freeze(layout, work_dir, progress)
    legacy_wheel = legacy.built_wheel(layout, progress)
    slim_tree = bundling.complete(layout, frozen_dir, wheel, work_dir, progress, legacy_wheel)
    progress.say(weights.report(slim_tree))
    found = weights.problems(slim_tree)
    if found:
        raise SetupError(
            f"The program may not be shipped: {'; '.join(found)}.", "See scripts/package/freezing.py."
        )
    return bundling.variants(layout, slim_tree, options.variant or VARIANTS, work_dir, progress)


def _write_program_icons(work_dir: Path) -> None:
    """Make the icons that PyInstaller puts into the executables."""
    from scripts.package import icons

    (work_dir / "icons").mkdir(parents=True, exist_ok=True)
    if platform.system() == "Windows":
        icons.write_ico(work_dir / "icons" / "h2ogpt.ico")
    elif platform.system() == "Darwin":
        icons.write_icns(work_dir / "icons" / "h2ogpt.icns")


def builders(options: argparse.Namespace) -> list[Builder]:
    """Return what makes this platform's packages."""
    if platform.system() == "Windows":
        from scripts.package import nsis

        return [lambda item, out, progress: nsis.build(item.tree, out, item.version, item.variant, progress)]
    if platform.system() == "Darwin":
        from scripts.package import mac

        return [lambda item, out, progress: mac.build(item.tree, out, item.version, item.variant, progress)]
    from scripts.package import deb, tarball

    level = 1 if options.quick else 6
    made: list[Builder] = [lambda item, out, progress: tarball.build(item, out, progress, level)]
    if shutil.which("dpkg-deb"):  # only Debian's own tools know which packages bring a library
        made.insert(0, lambda item, out, progress: deb.build(item, out, progress, level))
    return made


def check_sizes(paths: Sequence[Path], models_bytes: int) -> list[str]:
    """Return a sentence for each package that is too large, models aside (they hardly compress)."""
    limit = weights.COMPRESSED_LIMIT_BYTES + models_bytes
    return [
        f"{path.name} has {path.stat().st_size / 1e6:.0f} MB; {limit / 1e6:.0f} MB are allowed"
        for path in paths
        if path.stat().st_size > limit
    ]


def pack(items: Sequence[Bundle], options: argparse.Namespace, output_dir: Path, progress: Progress) -> None:
    """Make each variant's packages and their checksums.

    Raises:
        SetupError: One could not be made, or is too large.
    """
    made: list[Path] = []
    for item in items:
        paths = [path for build in builders(options) for path in build(item, output_dir, progress)]
        models = weights.sizes(item.tree).get("models", 0)
        found = [] if options.quick else check_sizes(paths, models)
        if found:
            raise SetupError(f"A package is too large: {'; '.join(found)}.")
        made += paths
    sums = "".join(f"{sha256_of(path)}  {path.name}\n" for path in sorted(made))
    (output_dir / "SHA256SUMS").write_text(sums, encoding="utf-8")
    for path in made:
        progress.say(f"{path.stat().st_size / 1e6:8.1f} MB  {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = options_of(arguments)
    layout, progress = current_layout(), Progress()
    try:
        set_up(layout, progress)
        if os.environ.get(IN_ENVIRONMENT) != "1":  # the rest needs the environment's packages
            command = [str(layout.python_path), str(Path(__file__).resolve()), *(arguments or sys.argv[1:])]
            return subprocess.call(command, env={**os.environ, IN_ENVIRONMENT: "1"})
        items = trees(layout, options, progress)
        if not options.tree_only:
            pack(items, options, (options.output or layout.root_dir / "dist").absolute(), progress)
    except SetupError as error:
        explain(error)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Running the same command again begins anew.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
