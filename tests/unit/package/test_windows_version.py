"""The description of the programs: what PyInstaller would read out of the file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scripts.package import windows_version


def test_the_file_holds_the_version_twice_and_a_description(tmp_path: Path) -> None:
    path = tmp_path / "build" / "windows_version.txt"
    windows_version.write(path, "1.2.3rc4")

    def keep(name: str) -> Any:
        return lambda *positional, **named: SimpleNamespace(name=name, items=positional, **named)

    names = ("VSVersionInfo", "FixedFileInfo", "StringFileInfo", "StringTable", "StringStruct")
    scope = {name: keep(name) for name in (*names, "VarFileInfo", "VarStruct")}
    info = eval(path.read_text(encoding="utf-8"), scope)  # as PyInstaller does
    assert info.ffi.filevers == info.ffi.prodvers == (1, 2, 3, 0)
    [table] = info.kids[0].items[0]
    texts = dict(item.items for item in table.items[1])
    assert table.items[0] == "040904b0"
    assert texts["FileVersion"] == texts["ProductVersion"] == "1.2.3rc4"
    assert texts["FileDescription"] == texts["ProductName"] == "h2oGPT Desktop"
    assert info.kids[1].items[0][0].items == ("Translation", [1033, 1200])
