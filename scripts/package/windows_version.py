"""Write what Windows shows about the programs in their properties and in the Task Manager."""

from __future__ import annotations

from pathlib import Path

from scripts.package.nsis import four_numbers

_TEXTS = {
    "CompanyName": "h2oGPT Desktop contributors",
    "FileDescription": "h2oGPT Desktop",
    "LegalCopyright": "Apache-2.0; the bundle as a whole under AGPL-3.0, see NOTICE",
    "ProductName": "h2oGPT Desktop",
}
# Source: the resource VERSIONINFO of the Windows SDK: US English, Unicode.
_LANGUAGE, _CODE_PAGE = 1033, 1200


def version_text(version: str) -> str:
    """Return the description in the form that PyInstaller reads (`EXE(version=…)`).

    Args:
        version: Of the program.
    """
    numbers = tuple(int(number) for number in four_numbers(version).split("."))
    texts = {**_TEXTS, "FileVersion": version, "ProductVersion": version}
    structs = ", ".join(f"StringStruct({name!r}, {text!r})" for name, text in texts.items())
    return (
        f"VSVersionInfo(\n"
        f"  ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}, mask=0x3F, flags=0x0, OS=0x40004,\n"
        f"                    fileType=0x1, subtype=0x0, date=(0, 0)),\n"
        f"  kids=[\n"
        f"    StringFileInfo([StringTable('{_LANGUAGE:04x}{_CODE_PAGE:04x}', [{structs}])]),\n"
        f"    VarFileInfo([VarStruct('Translation', [{_LANGUAGE}, {_CODE_PAGE}])]),\n"
        f"  ],\n"
        f")\n"
    )


def write(path: Path, version: str) -> None:
    """Write the description to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(version_text(version), encoding="utf-8")
