"""Desktop entry, AppStream metadata and manual: valid by the tools that desktops and stores use."""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.package import linux_files
from scripts.package.file_types import FILE_TYPES, mime_types
from scripts.package.linux_files import DESKTOP_FILE, METAINFO_FILE
from tests.unit.package.linux_bundle import draw_no_icons

DAY = "2026-09-21"


@pytest.fixture
def share_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    draw_no_icons(monkeypatch)
    linux_files.write_share(tmp_path / "share", "1.2.3", "h2ogpt-desktop")
    return tmp_path / "share"


def entry_of(share_dir: Path) -> dict[str, str]:
    """Give the desktop entry's keys."""
    lines = (share_dir / "applications" / DESKTOP_FILE).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "[Desktop Entry]"
    pairs = [line.split("=", 1) for line in lines[1:] if line]
    assert len({key for key, _ in pairs}) == len(pairs), "a key stands there once"
    return {key: value for key, value in pairs}


def test_the_desktop_entry(share_dir: Path) -> None:
    entry = entry_of(share_dir)
    assert (entry["Exec"], entry["TryExec"], entry["Terminal"]) == (
        "h2ogpt-desktop %U",
        "h2ogpt-desktop",
        "false",
    )
    # the window's class and the icon's file have this name, or there are two icons in the dock
    assert {entry["Icon"], entry["StartupWMClass"], Path(DESKTOP_FILE).stem} == {"h2ogpt-desktop"}
    assert entry["MimeType"].split(";") == [*mime_types(), ""]


def test_types_are_those_that_the_library_reads(share_dir: Path) -> None:
    root = ElementTree.parse(share_dir / "metainfo" / METAINFO_FILE).getroot()
    assert [node.text for node in root.iter("mediatype")] == [item.mime for item in FILE_TYPES]
    assert len(set(mime_types())) == len(FILE_TYPES)


def test_the_metadata_names_version_day_and_entry(share_dir: Path) -> None:
    root = ElementTree.parse(share_dir / "metainfo" / METAINFO_FILE).getroot()
    [release] = root.iter("release")
    assert release.attrib == {"version": "1.2.3", "date": DAY}
    assert root.findtext("launchable") == DESKTOP_FILE
    assert f"{root.findtext('id')}.metainfo.xml" == METAINFO_FILE
    assert [node.text for node in root.iter("binary")] == ["h2ogpt", "h2ogpt-desktop"]


def test_no_name_of_a_template_is_left(share_dir: Path) -> None:
    for path in share_dir.rglob("*"):
        if path.suffix in (".desktop", ".xml"):
            assert not re.search(r"@[A-Z_]+@", path.read_text(encoding="utf-8")), path.name


def test_a_place_to_be_filled_later_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_no_icons(monkeypatch)
    linux_files.write_share(tmp_path, "1.2.3", "@EXEC@")
    entry = entry_of(tmp_path)
    assert (entry["Exec"], entry["TryExec"]) == ("@EXEC@ %U", "@TRYEXEC@")


def test_the_manual_is_written_once_and_the_same_each_time(
    share_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    man_dir = share_dir / "man" / "man1"
    text = gzip.decompress((man_dir / "h2ogpt.1.gz").read_bytes()).decode()
    assert "1.2.3" in text and DAY in text and "@" not in text
    assert (man_dir / "h2ogpt-desktop.1.gz").readlink() == Path("h2ogpt.1.gz")
    draw_no_icons(monkeypatch)
    linux_files.write_share(tmp_path / "again", "1.2.3", "h2ogpt-desktop")
    again = tmp_path / "again" / "man" / "man1" / "h2ogpt.1.gz"
    assert again.read_bytes() == (man_dir / "h2ogpt.1.gz").read_bytes()


def test_the_manual_names_every_command() -> None:
    from app.cli.main import build_parser

    text = (linux_files.TEMPLATES_DIR / "h2ogpt.1").read_text(encoding="utf-8").replace("\\-", "-")
    [commands] = [
        action.choices for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    assert commands
    for name in commands:
        assert re.search(rf"\b{name}\b", text), name


def said(*command: str) -> tuple[int, str]:
    """Give a tool's exit code and words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-utils is not here")
def test_the_entry_is_valid(share_dir: Path) -> None:
    assert said("desktop-file-validate", str(share_dir / "applications" / DESKTOP_FILE)) == (0, "")


@pytest.mark.skipif(shutil.which("appstreamcli") is None, reason="appstreamcli is not here")
def test_the_metadata_is_valid(share_dir: Path) -> None:
    version = re.search(r"(\d+)\.(\d+)", said("appstreamcli", "--version")[1])
    if version is None or (int(version[1]), int(version[2])) < (0, 16):
        pytest.skip("this appstreamcli does not know every element")
    code, words = said("appstreamcli", "validate", "--no-net", str(share_dir / "metainfo" / METAINFO_FILE))
    assert code == 0, words
    assert not re.search(r"^\s*[EW]:", words, re.MULTILINE), words


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not here")
def test_the_manual_renders_without_warnings(share_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "h2ogpt.1"
    path.write_bytes(gzip.decompress((share_dir / "man" / "man1" / "h2ogpt.1.gz").read_bytes()))
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(path)],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "h2ogpt-desktop" in re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
