"""Install, use, upgrade and remove the Linux packages in a clean Debian system."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from scripts.package.deb import HOME as DEB_HOME
from scripts.package.tarball import DEBIAN_PACKAGES
from scripts.package.weights import files_of
from scripts.setup.progress import Progress
from scripts.smoke.clean_root import USER, Root, clean_root, make_base
from scripts.smoke.job import OLDER_NOTE_NAME, Installed, left_in_home, main_job, measure_starts, own
from scripts.smoke.places import check_places
from scripts.smoke.report import Report
from scripts.smoke.screen import Screen, screen
from scripts.smoke.sound import there_and_back

DATA_DIR = f"/home/{USER}/.local/share/h2ogpt-desktop"
X_SOCKETS = Path("/tmp/.X11-unix")
OLD_VERSION = "0.0.1"


class LinuxSmoke:
    """One package in one clean system."""

    def __init__(
        self, package: Path, pictures: Path, cache_dir: Path, report: Report, progress: Progress
    ) -> None:
        """Prepare; nothing is installed yet."""
        self._package, self._pictures = package, pictures
        self._cache_dir, self._report, self._progress = cache_dir, report, progress

    def run(self, *, places: bool) -> None:
        """Run everything.

        Args:
            places: Also the odd places and old processors, which take some minutes.
        """
        base_dir = make_base(self._cache_dir, self._progress)
        with tempfile.TemporaryDirectory(prefix="smoke-", dir="/var/tmp") as temporary, screen() as view:
            work_dir = Path(temporary)
            with clean_root(base_dir, work_dir, X_SOCKETS) as root:
                root.display = view.display
                absent = root.absent_tools()
                self._report.check(
                    "no Python and no compiler in the clean system", not absent, ", ".join(absent)
                )
                if self._package.suffix == ".deb":
                    self._debian(root, view, work_dir, places)
                else:
                    self._archive(root, view, work_dir, places)

    # --- Debian package

    def _debian(self, root: Root, view: Screen, work_dir: Path, places: bool) -> None:
        name = "h2ogpt-desktop"
        shutil.copyfile(self._package, root.path / "var" / "tmp" / "new.deb")
        with self._progress.step("Making an older package for the upgrade"):
            make_older(self._package, root.path / "var" / "tmp" / "old.deb", work_dir)
        # What a package manager does with the network; from here on there is none.
        fetch = [
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            "--download-only",
            "/var/tmp/new.deb",
        ]
        root.administer(["apt-get", "update"], network=True)
        root.administer(fetch, network=True)
        before = root.files()
        install = [
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            "--allow-downgrades",
        ]
        with self._progress.step("Installing without a network"):
            root.administer([*install, "/var/tmp/old.deb"])
        program = Installed(root, "/usr/bin/h2ogpt", "/usr/bin/h2ogpt-desktop", f"/{DEB_HOME}/")
        self._upgrade(program, lambda: root.administer([*install, "/var/tmp/new.deb"]), root.path / DEB_HOME)
        check_modes(self._report, root.path / DEB_HOME)
        self._use(program, view, work_dir, places)
        root.administer(["apt-get", "remove", "--yes", name])
        gone = not (root.path / DEB_HOME).exists()
        self._report.check("removing takes the program away", gone)
        self._report.check("the data stays", (root.path / DATA_DIR.lstrip("/") / "library.db").exists())
        root.administer(["dpkg", "--purge", name])
        root.administer(["apt-get", "autoremove", "--purge", "--yes"])  # what came along with it
        self._check_left(root, before, DATA_DIR)

    def _upgrade(self, program: Installed, upgrade: Callable[[], object], program_dir: Path) -> None:
        """Read a file with the older version, upgrade, and see that it is there and nothing old is left."""
        note_path = program.root.home / OLDER_NOTE_NAME
        note_path.write_text("The lighthouse keeper paints the railing every second May.\n")
        own(program.root, note_path)
        said = program.call("ingest", program.root.inside(note_path))
        self._report.check("the older version reads a file", said.returncode == 0, said.stderr.strip()[-300:])
        program.call("doctor")  # its host has ended by the time that the packages change
        with self._progress.step("Upgrading"):
            upgrade()
        states = program.states()
        self._report.check(
            "the upgrade keeps the library", states.get(note_path.name) == "ready", str(states)
        )
        self._report.check(
            "the upgrade leaves nothing old", not (program_dir / "_internal" / "only-in-old").exists()
        )

    # --- archive

    def _archive(self, root: Root, view: Screen, work_dir: Path, places: bool) -> None:
        needs = [*DEBIAN_PACKAGES, "fontconfig"]  # what a desktop has
        root.administer(["apt-get", "update"], network=True)
        root.administer(["apt-get", "install", "--yes", "--no-install-recommends", *needs], network=True)
        before = root.files()
        unpacked_dir = root.home / "unpacked é 中文"
        unpacked_dir.mkdir()
        with self._progress.step("Unpacking the archive"):
            subprocess.run(["tar", "-xf", str(self._package), "-C", str(unpacked_dir)], check=True)
        own(root, unpacked_dir)
        top = next(unpacked_dir.iterdir())
        relocated = Installed(root, f"{root.inside(top)}/program/h2ogpt", "", "", "/tmp/relocated data")
        said = relocated.call("doctor")
        self._report.check(
            "the program runs where it was unpacked", said.returncode == 0, said.stdout.strip()[-300:]
        )
        check_modes(self._report, top / "program")
        prefix = f"/home/{USER}/.local"
        install = [f"{root.inside(top)}/install.sh"]
        said = root.run(install)
        self._report.check("install.sh", said.returncode == 0, (said.stdout + said.stderr).strip()[-400:])
        self._report.check("no library is missing", "lacks" not in said.stdout, said.stdout[:200])
        program_dir = root.home / ".local" / "lib" / "h2ogpt-desktop"
        program = Installed(
            root, f"{prefix}/bin/h2ogpt", f"{prefix}/bin/h2ogpt-desktop", f"{prefix}/lib/h2ogpt-desktop/"
        )
        (program_dir / "_internal" / "only-in-old").write_text("of an older version")
        self._upgrade(program, lambda: root.run(install), program_dir)
        shutil.rmtree(unpacked_dir)
        self._use(program, view, work_dir, places)
        said = root.run([f"{prefix}/lib/h2ogpt-desktop/uninstall.sh", "--keep-data"])
        self._report.check("uninstall.sh", said.returncode == 0, (said.stdout + said.stderr).strip())
        self._report.check("the data stays", (root.path / DATA_DIR.lstrip("/") / "library.db").exists())
        self._check_left(root, before, DATA_DIR)

    # --- both

    def _use(self, program: Installed, view: Screen, work_dir: Path, places: bool) -> None:
        self._report.figure("installed", f"{installed_bytes(program) / 1e6:.0f} MB")
        self._report.figure("package", f"{self._package.stat().st_size / 1e6:.0f} MB")
        job = Installed(program.root, program.console, program.window, program.program_dir)
        main_job(job, view, self._report, self._pictures, work_dir)
        wav_path = program.root.home / "spoken é.wav"
        there_and_back(lambda words: job.call(*words), wav_path, program.root.inside(wav_path), self._report)
        measure_starts(job, self._report, view)
        if places:
            check_places(program, self._report, work_dir)

    def _check_left(self, root: Root, before: dict[str, tuple[int, int]], data_dir: str) -> None:
        after = root.files()
        ignored = re.compile(
            r"^/(var/(log|cache|tmp)|etc/ld\.so\.cache|usr/share/(icons|mime|applications)/.*cache)"
        )
        new = [name for name in after if name not in before and not ignored.match(name)]
        self._report.check("nothing is left in the system", not new, ", ".join(new[:8]))
        left = left_in_home(root, data_dir)
        self._report.check(
            "nothing is left at home outside of the data folder", not left, ", ".join(left[:8])
        )


def make_older(package: Path, output: Path, work_dir: Path) -> None:
    """Repack a Debian package under a lower version number, with a file that the newer one lacks."""
    tree = work_dir / "older"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    control = tree / "DEBIAN" / "control"
    text = re.sub(r"(?m)^Version: .*$", f"Version: {OLD_VERSION}", control.read_text(encoding="utf-8"))
    control.write_text(text, encoding="utf-8")
    (tree / DEB_HOME / "_internal" / "only-in-old").write_text("of an older version")
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(output)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)


def installed_bytes(program: Installed) -> int:
    """Return what the installed program takes, links not counted."""
    top = program.root.path / program.program_dir.strip("/")
    return sum(path.stat().st_size for path in files_of(top))


def check_modes(report: Report, tree: Path) -> None:
    """See that nothing is writable by others and nothing runs with another's rights."""
    bad = []
    for folder, _, names in os.walk(tree):
        for path in (Path(folder), *(Path(folder) / name for name in names)):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID):
                bad.append(str(path))
    report.check("nothing is writable by others or setuid", not bad, ", ".join(bad[:5]))
