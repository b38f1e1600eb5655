"""The generated part of the Windows installer's script: each file by its name; types offered, not taken."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from scripts.package import nsis_script
from scripts.package.file_types import FILE_TYPES
from scripts.package.nsis_script import Tree, read_tree
from scripts.setup.progress import SetupError
from tests.unit.package.conftest import StageMaker


def tree_of(*names: str) -> Tree:
    return Tree(Path("stage"), tuple(sorted(PurePosixPath(name) for name in names)), 1)


def test_what_is_installed_is_what_is_removed(make_stage: StageMaker) -> None:
    tree = read_tree(make_stage(".exe"))
    installed, folder = [], ""
    for line in nsis_script.install_lines(tree):
        if line.startswith("SetOutPath"):
            folder = line.split('"')[1]
        elif line.startswith("File"):
            name = line.split("=", 1)[1].split('" "')[0]
            installed.append(f"{folder}\\{name}")
    removed = [
        line.removeprefix("Delete ").strip('"')
        for line in nsis_script.remove_lines(tree)
        if line.startswith("Delete ")
    ]
    assert sorted(installed) == sorted(removed)
    assert len(installed) == len(tree.files)


def test_folders_are_removed_after_what_is_in_them_and_only_if_empty() -> None:
    lines = nsis_script.remove_lines(tree_of("a/b/c.txt", "a/d.txt", "e.txt"))
    assert lines[-2:] == ['RMDir "$INSTDIR\\a\\b"', 'RMDir "$INSTDIR\\a"']
    assert not [line for line in lines if "/r" in line or line == 'RMDir "$INSTDIR"']


def test_a_dollar_stays_a_dollar_in_installed_names() -> None:
    lines = nsis_script.install_lines(tree_of("$PLUGINSDIR/a $b.txt"))
    assert lines[0] == 'SetOutPath "$INSTDIR\\$$PLUGINSDIR"'
    assert lines[1].startswith('File "/oname=a $$b.txt"')


def test_models_are_stored_as_they_are() -> None:
    lines = nsis_script.install_lines(tree_of("a.dll", "m.gguf", "z.txt"))
    at = next(number for number, line in enumerate(lines) if "m.gguf" in line)
    assert (lines[at - 1], lines[at + 1]) == ("SetCompress off", "SetCompress auto")
    assert lines.count("SetCompress off") == 1


@pytest.mark.parametrize("name", ["a/nul.txt", "COM1", "a/what?.txt", "a/b:c", "a /x", "end.", "a\nb", "a|b"])
def test_names_that_windows_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(SetupError, match="does not take"):
        nsis_script._check_names([PurePosixPath(name)])


def test_two_names_for_one_file_are_refused() -> None:
    with pytest.raises(SetupError, match="same file"):
        nsis_script._check_names([PurePosixPath("A/x.txt"), PurePosixPath("a/X.txt")])


def test_an_empty_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nothing to pack"):
        read_tree(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="this Windows may not open such a path")
def test_paths_that_windows_cannot_open_are_refused(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 100) / ("b" * 100)
    path.parent.mkdir()
    path.write_text("x")
    with pytest.raises(SetupError, match="too long for Windows"):
        read_tree(tmp_path)


def test_the_longest_path_bounds_the_folder(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("x")
    (tmp_path / ("𝒳" * 50)).write_text("x")  # two units of UTF-16 each
    assert read_tree(tmp_path).max_folder_length == 259 - 1 - 100


def test_sizes_count_whole_blocks(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x" * 4097)
    assert read_tree(tmp_path).size_kb == 12


def test_types_are_offered_and_no_default_is_taken() -> None:
    lines = nsis_script.register_lines()
    for item in FILE_TYPES:
        prog_id = nsis_script.prog_id(item)
        command = (
            f'Classes\\{prog_id}\\shell\\open\\command" "" "$\\"$INSTDIR\\h2ogpt-desktop.exe$\\" $\\"%1$\\""'
        )
        assert any(command in line for line in lines)
        for extension in item.extensions:
            key = f"Software\\Classes\\.{extension}"
            assert f'WriteRegNone HKCU "{key}\\OpenWithProgids" "{prog_id}"' in lines
            assert not [line for line in lines if f'"{key}"' in line], "the type's default would change"
    assert all("HKCU" in line for line in lines)
    assert any(
        'RegisteredApplications" "h2oGPT Desktop" "Software\\h2oGPT Desktop\\Capabilities"' in x
        for x in lines
    )


def test_every_key_that_is_written_is_taken_back() -> None:
    written = [line.split('"')[1] for line in nsis_script.register_lines()]
    undo = nsis_script.unregister_lines()
    whole = [line.split('"')[1] for line in undo if line.startswith("DeleteRegKey HKCU")]
    values = [line.split('"')[1] for line in undo if line.startswith("DeleteRegValue")]
    for key in written:
        assert key in values or any(key == parent or key.startswith(parent + "\\") for parent in whole), key
    shared = [
        key for key in whole if key.startswith("Software\\Classes\\.") or key.endswith("OpenWithProgids")
    ]
    assert shared == [], "a key that others use is removed only if it is empty"
