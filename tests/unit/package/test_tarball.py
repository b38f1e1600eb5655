"""The archive for Linux: unpacked, installed for one user, upgraded and refused, by a plain sh."""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.package import tarball
from scripts.setup.progress import SetupError
from tests.unit.package.linux_bundle import PROGRAMS, draw_no_icons, make_bundle
from tests.unit.package.linux_place import QUIET, Place, command_of, is_folder, unpacked, value_of

pytestmark = [
    pytest.mark.slow,  # real tools and processes
    pytest.mark.linux,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the archive is for Linux"),
]

NOBODY = 65534


# --- the archive


def test_it_holds_the_program_and_belongs_to_nobody(archive: Path) -> None:
    assert archive.name == f"h2ogpt-desktop-1.2.3-linux-{platform.machine()}-standard.tar.xz"
    command = ["tar", "-tvf", str(archive), "--numeric-owner"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines
    assert all(re.match(r"\S+ 0/0 ", line) for line in lines)
    names = [line.split(maxsplit=5)[5] for line in lines]
    assert all(name.startswith("h2ogpt-desktop-1.2.3/") for name in names)


def test_modes_and_links_are_kept(place: Place) -> None:
    for name in (*(f"program/{name}" for name in PROGRAMS), "install.sh", "uninstall.sh"):
        assert stat.S_IMODE((place.top / name).stat().st_mode) == 0o755, name
    assert stat.S_IMODE((place.top / "LICENSE").stat().st_mode) == 0o644
    assert (place.top / "program" / "_internal" / "link.so").readlink() == Path("base_library.zip")
    assert "@MACHINE@" not in (place.top / "install.sh").read_text()


def test_a_failure_leaves_no_half_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = make_bundle(tmp_path)
    draw_no_icons(monkeypatch)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tar").write_text('#!/bin/sh\nprintf part > "$8"\necho "tar: no space left" >&2\nexit 2\n')
    (tools / "tar").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(SetupError, match="no space left"):
        tarball.build(bundle, tmp_path / "dist", QUIET, 0)
    assert not list((tmp_path / "dist").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"dist", "tools", "tree"}


needs_shellcheck = pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not here")


@needs_shellcheck
@pytest.mark.parametrize("name", ["install.sh", "uninstall.sh"])
def test_the_scripts_are_plain_sh(place: Place, name: str) -> None:
    command = ["shellcheck", "--shell=sh", "--severity=info", str(place.top / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# --- installing


def test_the_menu_entry_starts_the_real_program(place: Place) -> None:
    done = place.install()
    assert (done.returncode, done.stderr) == (0, "")
    entry = place.prefix / "share" / "applications" / "h2ogpt-desktop.desktop"
    program = str(place.target / "h2ogpt-desktop")
    assert command_of(entry) == [program, "%U"]
    assert value_of(entry, "TryExec") == program
    assert os.access(program, os.X_OK)


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-utils is not here")
def test_the_menu_entry_is_valid(place: Place) -> None:
    assert place.install().returncode == 0
    entry = place.prefix / "share" / "applications" / "h2ogpt-desktop.desktop"
    done = subprocess.run(["desktop-file-validate", str(entry)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_commands_start_the_program(place: Place) -> None:
    assert place.install().returncode == 0
    for name in ("h2ogpt", "h2ogpt-desktop"):
        command = [str(place.prefix / "bin" / name), "x y"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == "program of 1.2.3: x y\n"


def test_everything_is_where_it_belongs(place: Place) -> None:
    done = place.install()
    assert "is installed in" in done.stdout and "Remove it with" in done.stdout
    found = place.files()
    for name in (
        "metainfo/ai.h2o.h2ogpt_desktop.metainfo.xml",
        "icons/hicolor/48x48/apps/h2ogpt-desktop.png",
    ):
        assert f"share/{name}" in found
    assert (place.prefix / "share/man/man1/h2ogpt-desktop.1.gz").readlink() == Path("h2ogpt.1.gz")
    assert "lib/h2ogpt-desktop/_internal/é 中文/x $y %z.txt" in found
    assert not [path for path in place.home.rglob("*") if path.is_file() and place.prefix not in path.parents]
    for path in place.prefix.rglob("*"):
        assert path.is_symlink() or not path.stat().st_mode & 0o022, "nobody else may write"


def test_by_default_it_goes_below_the_users_home(place: Place) -> None:
    done = place.run(place.top / "install.sh", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (place.home / ".local" / "bin" / "h2ogpt").exists()


def test_a_relative_folder_is_meant_from_here(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = place.run(place.top / "install.sh", "--prefix", "here é/")
    assert done.returncode == 0, done.stderr
    entry = tmp_path / "here é" / "share" / "applications" / "h2ogpt-desktop.desktop"
    assert command_of(entry)[0] == str(tmp_path / "here é" / "lib" / "h2ogpt-desktop" / "h2ogpt-desktop")


def test_a_folder_of_commands_that_is_a_link_works(place: Place, tmp_path: Path) -> None:
    place.prefix.mkdir()
    (tmp_path / "dot files").mkdir()
    (place.prefix / "bin").symlink_to(tmp_path / "dot files")
    assert place.install().returncode == 0
    done = subprocess.run([str(place.prefix / "bin" / "h2ogpt")], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("program of 1.2.3")


# --- upgrading


def test_an_upgrade_replaces_the_program_and_keeps_the_data(
    place: Place, older: Path, tmp_path: Path
) -> None:
    before = Place(unpacked(older, tmp_path / "older"), place.home, place.prefix, place.tools)
    assert before.install().returncode == 0
    place.make_data()
    old = {"lib/h2ogpt-desktop/_internal/only in old.txt", "share/icons/hicolor/48x48/apps/only-in-old.png"}
    assert old <= place.files()
    for _ in range(2):
        done = place.install()
        assert (done.returncode, done.stderr) == (0, "")
        assert not [name for name in place.files() if "old" in name]
        command = [str(place.prefix / "bin" / "h2ogpt")]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert said.startswith("program of 1.2.3")
    assert (place.data / "library.db").read_text() == "kept"


def test_a_cut_off_copy_changes_nothing(place: Place, older: Path, tmp_path: Path) -> None:
    before = Place(unpacked(older, tmp_path / "older"), place.home, place.prefix, place.tools)
    before.install()
    files = place.files()
    place.tool("cp", 'mkdir -p "$3"; echo "no space left" >&2; exit 1')
    done = place.install()
    assert done.returncode == 1
    assert "could not be copied" in done.stderr
    assert place.files() == files


def test_an_upgrade_cut_off_between_its_renames_is_mended(place: Place, older: Path, tmp_path: Path) -> None:
    before = Place(unpacked(older, tmp_path / "older"), place.home, place.prefix, place.tools)
    before.install()
    place.target.rename(place.target.with_name("h2ogpt-desktop.old"))
    assert place.install().returncode == 0
    assert not [name for name in place.files() if "old" in name]


# --- refusing


def refusal(place: Place, *arguments: str, **variables: str | None) -> str:
    """Give the words of a refusal that changed nothing that was there."""
    before = {path: path.lstat().st_mtime_ns for path in place.home.rglob("*") if not is_folder(path)}
    done = place.run(place.top / "install.sh", *(arguments or (f"--prefix={place.prefix}",)), **variables)
    assert done.returncode == 1
    assert done.stderr.startswith("h2oGPT Desktop was not installed: ")
    after = {path: path.lstat().st_mtime_ns for path in place.home.rglob("*") if not is_folder(path)}
    assert after == before
    return done.stderr


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link", "unpacked archive"])
def test_what_another_made_is_not_touched(place: Place, kind: str) -> None:
    place.target.parent.mkdir(parents=True)
    if kind == "folder":
        place.target.mkdir()
        (place.target / "precious.txt").write_text("mine")
    elif kind == "file":
        place.target.write_text("mine")
    elif kind == "dangling link":
        place.target.symlink_to("/no/such/place")
    else:
        shutil.copytree(place.top, place.target, symlinks=True)
    assert "was not made by this script" in refusal(place)


def test_a_command_of_another_program_is_not_touched(place: Place) -> None:
    command = place.prefix / "bin" / "h2ogpt"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    assert "was not made by this script" in refusal(place)
    assert not place.target.exists()


def test_another_machine_is_refused(place: Place) -> None:
    place.tool("uname", '[ "$1" = -m ] && echo riscv64 || echo Linux')
    words = refusal(place)
    assert f"for Linux on {platform.machine()}" in words
    assert "Linux on riscv64" in words


def test_too_little_disk_is_told_in_numbers(place: Place) -> None:
    place.tool(
        "df", 'echo "Filesystem 1024-blocks Used Available Capacity Mounted on"; echo "/dev/x 9 9 3 99% /a b"'
    )
    words = refusal(place)
    assert "MB are needed" in words and "0 MB are free" in words


needs_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="needs root to become another user",
)


@needs_root
@pytest.mark.parametrize("closed", ["", "bin", "share"])
def test_a_folder_that_cannot_be_written_is_told(place: Place, tmp_path: Path, closed: str) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    place.prefix.mkdir()
    if closed:
        for name in ("lib", "bin", "share"):
            (place.prefix / name).mkdir()
            (place.prefix / name).chmod(0o755 if name == closed else 0o777)
    place.wrapper = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    done = place.install()
    assert done.returncode == 1
    assert f"{place.prefix}/{closed or 'lib'} cannot be written" in done.stderr
    assert place.files() == set()


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (("--frobnicate",), {}, "unknown option --frobnicate"),
        (("--prefix",), {}, "--prefix needs a folder"),
        (("--prefix=",), {}, "there is no home folder"),
        (("--quiet",), {"HOME": None}, "there is no home folder"),
        (("--prefix=/tmp/a\nb",), {}, "line break"),
    ],
)
def test_wrong_usage_is_told(
    place: Place, arguments: tuple[str, ...], variables: dict[str, str | None], words: str
) -> None:
    assert words in refusal(place, *arguments, **variables)


def test_a_script_without_its_archive_says_so(place: Place, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    shutil.copy(place.top / "install.sh", lonely)
    done = place.run(lonely / "install.sh")
    assert done.returncode == 1
    assert "Unpack the whole archive" in done.stderr


@pytest.mark.parametrize("name", ["install.sh", "uninstall.sh"])
def test_help(place: Place, name: str) -> None:
    done = place.run(place.top / name, "--help")
    assert done.returncode == 0
    assert f"{name} [" in done.stdout and "#" not in done.stdout


def test_missing_libraries_are_named(place: Place) -> None:
    plugins_dir = place.top / "program" / "_internal" / "PySide6" / "Qt" / "plugins" / "platforms"
    plugins_dir.mkdir(parents=True)
    (plugins_dir / "libqxcb.so").touch()
    place.tool("ldd", 'printf "\\tlibEGL.so.1 => not found\\n\\tlibc.so.6 => /lib/libc.so.6 (0x7)\\n"')
    done = place.install("--quiet")
    assert done.returncode == 0
    assert "lacks: libEGL.so.1 \n" in done.stdout
    assert "apt install" in done.stdout and "dnf install" in done.stdout


def test_what_sound_lacks_is_named(place: Place) -> None:
    place.tool("ldd", 'case "$1" in *portaudio*) printf "\\tlibasound.so.2 => not found\\n" ;; esac')
    done = place.install("--quiet")
    assert done.returncode == 0
    assert "Microphone and loudspeaker need libraries that this system lacks: libasound.so.2" in done.stdout
    assert "apt install libasound2" in done.stdout and "The window needs" not in done.stdout
