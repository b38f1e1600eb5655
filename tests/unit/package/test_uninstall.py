"""Removing what the archive installed: nothing stays but the data, and nothing of others goes."""

from __future__ import annotations

import sys

import pytest

from tests.unit.package.linux_place import ODD, Place

pytestmark = [
    pytest.mark.slow,  # real tools and processes
    pytest.mark.linux,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the archive is for Linux"),
]


def check_gone(place: Place) -> None:
    assert not place.prefix.exists(), sorted(place.prefix.rglob("*"))
    assert place.home.is_dir()


@pytest.mark.parametrize("arguments", [(), ("--keep-data",)])
def test_removing_leaves_the_data_and_nothing_else(place: Place, arguments: tuple[str, ...]) -> None:
    place.make_data()
    place.install()
    done = place.uninstall(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Your data stays in {place.data}" in done.stdout
    check_gone(place)
    assert [path for path in place.home.rglob("*") if path.is_file()] == [place.data / "library.db"]


@pytest.mark.parametrize("variable", [None, "XDG_DATA_HOME", "H2OGPT_DATA_DIR"])
def test_removing_with_the_data_leaves_nothing(place: Place, variable: str | None) -> None:
    place.make_data()
    variables: dict[str, str | None] = {}
    if variable:
        folder = place.home / f"elsewhere {ODD}"
        place.data.parent.rename(folder)
        variables[variable] = str(folder if variable == "XDG_DATA_HOME" else folder / "h2ogpt-desktop")
    place.install()
    done = place.uninstall("--remove-data", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert "and its data were removed" in done.stdout
    check_gone(place)
    assert not [path for path in place.home.rglob("*") if path.is_file()]


def test_a_folder_that_holds_no_data_of_the_program_is_not_deleted(place: Place) -> None:
    place.install()
    precious = place.home / "thesis.txt"
    precious.write_text("mine")
    done = place.uninstall("--remove-data", H2OGPT_DATA_DIR=str(place.home))
    assert done.returncode == 0
    assert precious.read_text() == "mine"
    assert "Your data stays" in done.stdout


def test_files_of_other_programs_stay(place: Place) -> None:
    others = ["share/applications/other.desktop", "share/icons/hicolor/48x48/apps/other.png", "bin/other"]
    for name in others:
        (place.prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (place.prefix / name).write_text(
            "[Desktop Entry]\nType=Application\nName=Other\nExec=x\nMimeType=application/pdf;\n"
        )
    place.install()
    assert place.uninstall("--keep-data").returncode == 0
    left = {name for name in place.files() if not name.endswith(".cache")}
    assert left == set(others)
    cache = place.prefix / "share" / "applications" / "mimeinfo.cache"
    if cache.exists():
        assert "other.desktop" in cache.read_text() and "h2ogpt" not in cache.read_text()


def test_where_the_desktops_tools_are_missing_it_works_too(place: Place) -> None:
    for name in ("update-desktop-database", "gtk-update-icon-cache", "ldd"):
        place.tool(name, "exit 127")
    assert place.install().returncode == 0
    assert place.uninstall("--keep-data").returncode == 0
    check_gone(place)


def test_the_default_place_is_emptied_but_the_home_stays(place: Place) -> None:
    place.run(place.top / "install.sh", f"--prefix={place.home}")
    done = place.run(place.home / "lib" / "h2ogpt-desktop" / "uninstall.sh")
    assert done.returncode == 0, done.stderr
    assert list(place.home.iterdir()) == []


def test_a_wrong_option_removes_nothing(place: Place) -> None:
    place.install()
    before = place.files()
    done = place.uninstall("--remove-everything")
    assert done.returncode == 2
    assert place.files() == before


def test_where_nothing_is_installed_nothing_is_removed(place: Place) -> None:
    done = place.run(place.top / "uninstall.sh", "--remove-data")
    assert done.returncode == 1
    assert "no installed program" in done.stderr
    assert (place.top / "program").is_dir()
