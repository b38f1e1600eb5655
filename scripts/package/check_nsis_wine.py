#!/usr/bin/env python3
"""Run the Windows installer under 64-bit wine: install, upgrade, refuse, uninstall. Run by hand, on Linux.

    python3 scripts/package/check_nsis_wine.py [--keep DIR]

Needs makensis and wine64 (apt-get install nsis wine64). It packs a small tree of its own in place of the
program, in a wine folder of its own, silently, and looks at files and registry afterwards. Prints a line for
each check and exits with 1 if one fails. What only Windows can show (the pages, SmartScreen) stays open.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.package import nsis
from scripts.package.file_types import FILE_TYPES
from scripts.package.nsis_script import prog_id
from scripts.setup.progress import Progress, SetupError, explain

WINE_PLACES = ("wine64", "/usr/lib/wine/wine64", "/usr/lib/wine/wine64-stable")
CLASSES = "HKCU\\Software\\Classes"
UNINSTALL = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\h2oGPT Desktop"
APP_PATHS = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\App Paths"
WINDOWS_VERSION = "HKLM\\Software\\Microsoft\\Windows NT\\CurrentVersion"
LONG_PATH = ";".join(f"C:\\Some tools\\é 中文\\folder {number:03d}" for number in range(150))
FILES = {
    "LICENSE": "licence",
    "NOTICE": "notice",
    "sbom.cdx.json": "{}",
    "licences/A b.txt": "text",
    "_internal/resources/models/chat/model.gguf": "model",
    "_internal/é 中文/x $y.txt": "letters",
    "_internal/" + "/".join(["deep folder"] * 12) + "/f.txt": "deep",
}
OLD_FILE, NEW_FILE = "_internal/only old/a.txt", "_internal/only new/b.txt"
SLEEPER = (
    'Unicode true\nTarget amd64-unicode\nOutFile "{path}"\nRequestExecutionLevel user\nSilentInstall silent\n'
)
SLEEPER += "Section\nSleep {milliseconds}\nSectionEnd\n"


class Wine:
    """One wine folder.

    Attributes:
        prefix_dir: The folder.
        local_dir: The user's LOCALAPPDATA in it.
    """

    def __init__(self, prefix_dir: Path) -> None:
        """Find wine and make the folder.

        Raises:
            SetupError: wine is not here.
        """
        program = next((found for name in WINE_PLACES if (found := shutil.which(name))), None)
        if program is None:
            raise SetupError("wine64 is not here.", "Install it: apt-get install wine64")
        self._program = program
        self.prefix_dir = prefix_dir
        self._environment = {
            **os.environ,
            "WINEPREFIX": str(prefix_dir),
            "WINEDEBUG": "-all",
            "LC_ALL": "C.UTF-8",
        }
        self._environment |= {"WINEDLLOVERRIDES": "mscoree,mshtml=", "DISPLAY": ""}
        self.run("wineboot", "-i")
        user_dir = next(
            path for path in (prefix_dir / "drive_c" / "users").iterdir() if path.name != "Public"
        )
        self.user_dir = user_dir
        self.local_dir = user_dir / "AppData" / "Local"

    def run(self, *command: str | Path, timeout: float = 120) -> int:
        """Run a Windows program and return its exit code."""
        words = [self._program, *(str(word) for word in command)]
        return subprocess.run(
            words, env=self._environment, capture_output=True, check=False, timeout=timeout
        ).returncode

    def start(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start a Windows program."""
        return subprocess.Popen([self._program, *(str(word) for word in command)], env=self._environment)

    def read(self, key: str, name: str = "") -> str | None:
        """Read a value of the registry as text; None where it is not there."""
        value = ["/v", name] if name else ["/ve"]
        result = subprocess.run(
            [self._program, "reg", "query", key, *value],
            env=self._environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        for line in result.stdout.splitlines() if result.returncode == 0 else []:
            words = line.split("    ")
            if len(words) >= 3 and words[2].startswith("REG_"):
                return "    ".join(words[3:]).strip()
        return None

    def read_path(self) -> str | None:
        """Read the user's PATH; None where there is none.

        `reg query` prints in a console's letters, so this reads an exported file, which is UTF-16.
        """
        export_path = self.prefix_dir / "export.reg"
        export_path.unlink(missing_ok=True)
        self.run("reg", "export", "HKCU\\Environment", f"Z:{export_path}", "/y")
        text = export_path.read_text(encoding="utf-16").replace("\\\n", "")
        if found := re.search(r'^"Path"=hex\(2\):(.*)$', text, re.MULTILINE):
            return bytes.fromhex(found[1].replace(",", " ")).decode("utf-16-le").rstrip("\0")
        found = re.search(r'^"Path"="(.*)"$', text, re.MULTILINE)
        return found[1].replace("\\\\", "\\") if found else None

    def write(self, key: str, name: str, value: str, kind: str = "REG_SZ") -> None:
        """Write a value of the registry."""
        which = ["/v", name] if name else ["/ve"]
        self.run("reg", "add", key, *which, "/t", kind, "/d", value, "/f")

    def has_key(self, key: str) -> bool:
        """Return whether the registry has a key."""
        return self.run("reg", "query", key) == 0

    def close(self) -> None:
        """End every process of the folder."""
        server = shutil.which("wineserver", path=f"{os.environ.get('PATH', '')}:/usr/lib/wine")
        if server:
            subprocess.run([server, "-k"], env=self._environment, capture_output=True, check=False)


class Checks:
    """The checks and how they end.

    Attributes:
        n_failed: How many failed so far.
    """

    def __init__(self, wine: Wine, work_dir: Path) -> None:
        """Pack two versions of a small tree."""
        self.n_failed = 0
        self._wine = wine
        self._work_dir = work_dir
        self._install_dir = wine.local_dir / "Programs" / "h2oGPT Desktop"
        self._data_dir = wine.local_dir / "h2ogpt-desktop"
        self._menu_dir = wine.user_dir / "AppData/Roaming/Microsoft/Windows/Start Menu/Programs"
        self._old = self._pack("0.1.0", {**FILES, OLD_FILE: "old"})
        self._new = self._pack("0.2.0", {**FILES, NEW_FILE: "new"})

    def check(self, what: str, is_so: bool) -> None:
        """Print one check."""
        self.n_failed += not is_so
        print(f"{'ok    ' if is_so else 'FAILED'} {what}", flush=True)

    def _pack(self, version: str, files: dict[str, str]) -> Path:
        stage_dir = self._work_dir / f"stage {version}"
        for name, text in files.items():
            path = stage_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        sleeper_path = self._work_dir / "sleeper.nsi"
        for name in nsis.EXECUTABLES:
            text = SLEEPER.format(path=stage_dir / name, milliseconds=20_000)
            sleeper_path.write_text(text, encoding="utf-8-sig")
            nsis.run_makensis(nsis.find_makensis(), sleeper_path)
        output_dir = self._work_dir / "dist"
        return nsis.build(stage_dir, output_dir, version, "slim", Progress(quiet=True))[0]

    def _is_whole(self, version: str, extra: str) -> bool:
        expected = {*FILES, *nsis.EXECUTABLES, "uninstall.exe", extra}
        stage_dir = self._work_dir / f"stage {version}"
        found = {
            path.relative_to(self._install_dir).as_posix()
            for path in self._install_dir.rglob("*")
            if path.is_file()
        }
        same = all(
            (stage_dir / name).read_bytes() == (self._install_dir / name).read_bytes()
            for name in found & expected - {"uninstall.exe"}
        )
        return found - {"mine.txt"} == expected and same

    def too_old(self) -> None:
        """Refuse a Windows that is too old."""
        self._wine.write(WINDOWS_VERSION, "CurrentBuildNumber", "17134")
        self.check("Windows 10 1803 is refused with code 3", self._wine.run(self._old, "/S") == 3)
        self.check("... and nothing is installed", not self._install_dir.exists())
        self._wine.write(WINDOWS_VERSION, "CurrentBuildNumber", "17763")

    def install(self) -> None:
        """Install with every option, beside associations and a PATH of the user's own."""
        wine = self._wine
        wine.write("HKCU\\Environment", "Path", LONG_PATH, "REG_EXPAND_SZ")
        wine.write(f"{CLASSES}\\.pdf", "", "Other.Reader")
        wine.write(f"{CLASSES}\\.md\\OpenWithProgids", "Other.Editor", "")
        code = wine.run(self._old, "/S", "/ADDPATH=1", "/DESKTOP=1")
        self.check("it installs silently", code == 0 and self._is_whole("0.1.0", OLD_FILE))
        values = {name: wine.read(UNINSTALL, name) for name in ("DisplayName", "DisplayVersion", "Publisher")}
        self.check(f"it is listed among the programs: {values}", values["DisplayVersion"] == "0.1.0")
        quiet = wine.read(UNINSTALL, "QuietUninstallString") or ""
        self.check(f"the quiet uninstallation is given: {quiet}", quiet.endswith('\\uninstall.exe" /S'))
        shortcuts = [self._menu_dir / "h2oGPT Desktop.lnk", wine.user_dir / "Desktop" / "h2oGPT Desktop.lnk"]
        self.check("shortcuts in the Start menu and on the desktop", all(path.exists() for path in shortcuts))
        app_path = wine.read(f"{APP_PATHS}\\h2ogpt.exe") or ""
        self.check(f"App Paths: {app_path}", app_path.endswith("\\h2oGPT Desktop\\h2ogpt.exe"))
        path = wine.read_path() or ""
        entry = path.removeprefix(LONG_PATH)
        self.check(
            f"a PATH of {len(LONG_PATH)} characters keeps them all, then {entry}",
            path.startswith(LONG_PATH) and entry.startswith(";C:") and entry.endswith("\\h2oGPT Desktop"),
        )
        self._associations()

    def _associations(self) -> None:
        wine = self._wine
        for item in FILE_TYPES:
            command = wine.read(f"{CLASSES}\\{prog_id(item)}\\shell\\open\\command") or ""
            offered = all(
                wine.read(f"{CLASSES}\\.{extension}\\OpenWithProgids", prog_id(item)) is not None
                for extension in item.extensions
            )
            self.check(f"{item.name} is offered: {command}", offered and command.endswith('" "%1"'))
        self.check("the default for .pdf stays", wine.read(f"{CLASSES}\\.pdf") == "Other.Reader")

    def running(self) -> None:
        """Refuse while one of the programs runs."""
        process = self._wine.start(self._install_dir / "h2ogpt-worker.exe")
        time.sleep(1)
        self.check("a running program stops the upgrade with code 4", self._wine.run(self._new, "/S") == 4)
        self.check("... and changes nothing", self._is_whole("0.1.0", OLD_FILE))
        batch_path = self._work_dir / "uninstall.bat"  # the last option stands without quotation marks
        line = f'"{self._windows_path()}\\uninstall.exe" /S _?={self._windows_path()}'
        batch_path.write_text(f"{line}\r\nexit /b %errorlevel%\r\n")
        code = self._wine.run("cmd", "/c", f"Z:{batch_path}")
        self.check("... and the uninstallation, too", code == 4)
        process.wait(timeout=60)

    def _windows_path(self) -> str:
        return "C:\\" + str(self._install_dir.relative_to(self._wine.prefix_dir / "drive_c")).replace(
            "/", "\\"
        )

    def upgrade(self) -> None:
        """Upgrade in place, then go back."""
        (self._install_dir / "mine.txt").write_text("mine")
        self._data_dir.mkdir(parents=True)
        (self._data_dir / "library.db").write_text("data")
        code = self._wine.run(self._new, "/S")
        self.check("it upgrades", code == 0 and self._is_whole("0.2.0", NEW_FILE))
        self.check("the new version is listed", self._wine.read(UNINSTALL, "DisplayVersion") == "0.2.0")
        self.check("a file of the user's stays", (self._install_dir / "mine.txt").exists())
        self.check("the data stays", (self._data_dir / "library.db").read_text() == "data")
        path = self._wine.read_path() or ""
        self.check("the PATH entry is there once", path.count("h2oGPT Desktop") == 1)
        desktop = self._wine.user_dir / "Desktop" / "h2oGPT Desktop.lnk"
        self.check("the choice of a desktop shortcut is kept", desktop.exists())
        self.check("a silent downgrade is refused with code 5", self._wine.run(self._old, "/S") == 5)
        self.check("... unless it is wanted", self._wine.run(self._old, "/S", "/ALLOWDOWNGRADE") == 0)
        self.check("... and then whole", self._is_whole("0.1.0", OLD_FILE))
        code = self._wine.run(self._new, "/S", "/ADDPATH=0", "/DESKTOP=0", "/OPENWITH=0")
        self.check("choices can be taken back", code == 0 and not desktop.exists())
        self.check("... the PATH is as before", self._wine.read_path() == LONG_PATH)
        self.check("... no type is ours", not self._wine.has_key(f"{CLASSES}\\{prog_id(FILE_TYPES[0])}"))

    def cut_off(self) -> None:
        """Leave what an upgrade leaves that was cut off between removing and writing; install again."""
        shutil.rmtree(self._install_dir / "_internal")
        for name in nsis.EXECUTABLES:
            (self._install_dir / name).unlink()
        code = self._wine.run(self._new, "/S")
        is_whole = self._is_whole("0.2.0", NEW_FILE)
        self.check("an upgrade that was cut off is mended by installing again", code == 0 and is_whole)

    def long_folder(self) -> None:
        """Refuse a folder in which paths would be too long."""
        code = self._wine.run(self._new, "/S", "/D=C:\\" + "long-folder\\" * 12)
        self.check("a folder with too long a name is refused with code 6", code == 6)

    def uninstall(self) -> None:
        """Uninstall, keeping the data; then again, removing them."""
        wine = self._wine
        wine.run(self._new, "/S", "/ADDPATH=1", "/OPENWITH=1")
        strayed_path = self._work_dir / "strayed.exe"
        shutil.copyfile(self._install_dir / "uninstall.exe", strayed_path)
        wine.run(strayed_path, "/S")
        time.sleep(3)  # it goes on from a copy of itself
        self.check("a copy of the uninstaller elsewhere removes nothing", self._is_whole("0.2.0", NEW_FILE))
        self.check("it uninstalls", self._uninstalled())
        left = [path.name for path in self._install_dir.rglob("*")]
        self.check(f"only the user's file is left: {left}", left == ["mine.txt"])
        self.check("the data stays", (self._data_dir / "library.db").exists())
        keys = [UNINSTALL, "HKCU\\Software\\h2oGPT Desktop", f"{APP_PATHS}\\h2ogpt.exe", f"{CLASSES}\\.docx"]
        keys += [f"{CLASSES}\\{prog_id(item)}" for item in FILE_TYPES]
        keys.append(f"{CLASSES}\\Applications\\h2ogpt-desktop.exe")
        found = [key for key in keys if wine.has_key(key)]
        self.check(f"no key is left: {found}", not found)
        self.check("the user's own keys are", wine.read(f"{CLASSES}\\.pdf") == "Other.Reader")
        other = wine.read(f"{CLASSES}\\.md\\OpenWithProgids", "Other.Editor")
        self.check("... also where ours stood beside", other is not None)
        self.check("the PATH is as before", wine.read_path() == LONG_PATH)
        self.check("no shortcut is left", not (self._menu_dir / "h2oGPT Desktop.lnk").exists())
        (self._install_dir / "mine.txt").unlink()
        (self._data_dir / "files" / "deep").mkdir(parents=True)
        (self._data_dir / "files" / "deep" / "x").write_text("x")
        wine.run("reg", "delete", "HKCU\\Environment", "/v", "Path", "/f")
        wine.run(self._new, "/S", "/ADDPATH=1")
        path = wine.read_path() or ""
        self.check(f"without a PATH there is one entry: {path}", path == self._windows_path())
        self.check("it uninstalls with the data", self._uninstalled("/REMOVEDATA"))
        self.check("nothing is left", not self._install_dir.exists() and not self._data_dir.exists())
        self.check("... and no PATH entry", not wine.read_path())

    def _uninstalled(self, *options: str) -> bool:
        """Run the uninstaller as Windows does: it goes on from a copy of itself after the first returned."""
        self._wine.run(self._install_dir / "uninstall.exe", "/S", *options)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if not (self._install_dir / "uninstall.exe").exists() and not self._wine.has_key(UNINSTALL):
                time.sleep(1)
                return True
            time.sleep(0.2)
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Run the Windows installer under wine.")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave everything there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="h2ogpt-wine-") as temporary:
        work_dir: Path = options.keep or Path(temporary)
        work_dir.mkdir(parents=True, exist_ok=True)
        try:
            wine = Wine(work_dir / "prefix")
            try:
                checks = Checks(wine, work_dir)
                for step in (checks.too_old, checks.install, checks.running, checks.upgrade):
                    step()
                for step in (checks.cut_off, checks.long_folder, checks.uninstall):
                    step()
            finally:
                wine.close()
        except SetupError as error:
            explain(error)
            return 1
    print(f"{checks.n_failed} checks failed" if checks.n_failed else "every check passed")
    return 1 if checks.n_failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
