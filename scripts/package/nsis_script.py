"""Write the part of the Windows installer's script that depends on the staged tree: every file by its name.

The uninstaller removes exactly what is listed here, never a whole folder: what a user has put beside the
program stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.package.file_types import FILE_TYPES, FileType
from scripts.setup.progress import SetupError

# Windows opens paths of at most 259 characters unless the user has changed a policy.
MAX_PATH_LENGTH = 259
# The default folder of a user whose name has 20 characters, the most that a local account may have, takes 68.
DEFAULT_FOLDER_LENGTH = 68
_FORBIDDEN = set('<>:"|?*\\')
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))}

# Hardly smaller when compressed (the starter chat model by 7 %), and a minute of packing for each 100 MB.
STORED = frozenset({".gguf", ".onnx", ".safetensors", ".zip", ".png", ".gz", ".xz"})

_APP_KEY = "Software\\h2oGPT Desktop"
_CLASSES = "Software\\Classes"
_APPLICATION = f"{_CLASSES}\\Applications\\h2ogpt-desktop.exe"
_WINDOW = "$INSTDIR\\h2ogpt-desktop.exe"


@dataclass(frozen=True)
class Tree:
    """What stands in the staged tree.

    Attributes:
        root_dir: The tree.
        files: Relative paths of all files, sorted.
        size_kb: Of all files together, each rounded up as on a disk with 4 KiB blocks.
    """

    root_dir: Path
    files: tuple[PurePosixPath, ...]
    size_kb: int

    @property
    def folders(self) -> list[PurePosixPath]:
        """Every folder below the root, a folder before those inside it."""
        found = {parent for file in self.files for parent in file.parents if parent != PurePosixPath()}
        return sorted(found)

    @property
    def longest(self) -> PurePosixPath:
        """The file with the longest path."""
        return max(self.files, key=lambda file: _utf16_length(str(file)))

    @property
    def max_folder_length(self) -> int:
        """How long the name of the folder may be in which the tree is installed."""
        return MAX_PATH_LENGTH - 1 - _utf16_length(str(self.longest))


def read_tree(root_dir: Path) -> Tree:
    """List the staged tree and check that Windows can hold it.

    Raises:
        SetupError: It is empty, or a file's name is one that Windows does not take.
    """
    paths = sorted(path for path in root_dir.rglob("*") if path.is_file())
    files = tuple(sorted(PurePosixPath(path.relative_to(root_dir).as_posix()) for path in paths))
    if not files:
        raise SetupError(f"There is nothing to pack in {root_dir}.", "Freeze the program first.")
    _check_names(files)
    tree = Tree(root_dir, files, sum((path.stat().st_size + 4095) // 4096 * 4 for path in paths))
    if tree.max_folder_length < DEFAULT_FOLDER_LENGTH:
        limit = MAX_PATH_LENGTH - 1 - DEFAULT_FOLDER_LENGTH
        raise SetupError(
            f"A path is too long for Windows (more than {limit} characters): {tree.longest}",
            "Leave the file out of the bundle or shorten its folders' names in h2ogpt.spec.",
        )
    return tree


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _check_names(files: Sequence[PurePosixPath]) -> None:
    seen: dict[str, PurePosixPath] = {}
    for file in files:
        for part in file.parts:
            is_device = part.split(".")[0].lower() in _DEVICES
            has_bad_letter = bool(_FORBIDDEN & set(part)) or any(ord(letter) < 32 for letter in part)
            if is_device or has_bad_letter or part[-1] in ". ":
                raise SetupError(f"Windows does not take this name: {file}", "Leave it out of the bundle.")
        other = seen.setdefault(str(file).lower(), file)
        if other is not file:
            raise SetupError(f"Windows takes {file} and {other} for the same file.", "Leave one of them out.")


def quoted(path: Path) -> str:
    """Write a path of this machine as a string of the script; the compiler takes its `$` as they are."""
    escaped = str(path).replace('"', '$\\"')
    return f'"{escaped}"'


def _installed(path: PurePosixPath) -> str:
    """Return a path of the tree as it is written in the script, below the folder of the program."""
    return '"$INSTDIR\\' + str(path).replace("/", "\\").replace("$", "$$") + '"'


def define(name: str, value: str) -> str:
    """Define a constant of the script; constants are expanded at compile time, `$` stays for run time."""
    return f'!define {name} "{value}"'


def install_lines(tree: Tree) -> list[str]:
    """Return the commands that unpack every file."""
    lines = []
    folder: PurePosixPath | None = None
    for file in sorted(tree.files, key=lambda file: (file.parent, file.name)):
        if file.parent != folder:
            folder = file.parent
            target = '"$INSTDIR"' if folder == PurePosixPath() else _installed(folder)
            lines.append(f"SetOutPath {target}")
        name = file.name.replace("$", "$$")
        command = f'File "/oname={name}" {quoted(tree.root_dir / file)}'
        is_stored = file.suffix.lower() in STORED
        lines += ["SetCompress off", command, "SetCompress auto"] if is_stored else [command]
    return lines


def remove_lines(tree: Tree) -> list[str]:
    """Return the commands that remove every file, then the folders that are empty now."""
    lines = [f"Delete {_installed(file)}" for file in tree.files]
    return lines + [f"RMDir {_installed(folder)}" for folder in reversed(tree.folders)]


def prog_id(item: FileType) -> str:
    """Return the name under which Windows knows a type of ours."""
    return f"h2oGPT.Desktop.{item.name}"


def _write(key: str, name: str, value: str) -> str:
    escaped = value.replace('"', '$\\"')
    return f'WriteRegStr HKCU "{key}" "{name}" "{escaped}"'


def register_lines(types: Sequence[FileType] = FILE_TYPES) -> list[str]:
    """Return the commands that add the program to "Open with"; no default program is changed."""
    command = f'"{_WINDOW}" "%1"'
    capabilities = f"{_APP_KEY}\\Capabilities"
    lines = [
        _write(_APPLICATION, "FriendlyAppName", "h2oGPT Desktop"),
        _write(f"{_APPLICATION}\\shell\\open\\command", "", command),
        _write(capabilities, "ApplicationName", "h2oGPT Desktop"),
        _write(capabilities, "ApplicationDescription", "Private answers from your own documents"),
        _write(capabilities, "ApplicationIcon", f"{_WINDOW},0"),
        _write("Software\\RegisteredApplications", "h2oGPT Desktop", capabilities),
    ]
    for item in types:
        key = f"{_CLASSES}\\{prog_id(item)}"
        lines += [
            _write(key, "", item.description),
            _write(f"{key}\\DefaultIcon", "", f"{_WINDOW},0"),
            _write(f"{key}\\Application", "ApplicationName", "h2oGPT Desktop"),
            _write(f"{key}\\shell\\open\\command", "", command),
        ]
        for extension in item.extensions:
            lines += [
                f'WriteRegNone HKCU "{_CLASSES}\\.{extension}\\OpenWithProgids" "{prog_id(item)}"',
                _write(f"{_APPLICATION}\\SupportedTypes", f".{extension}", ""),
                _write(f"{capabilities}\\FileAssociations", f".{extension}", prog_id(item)),
            ]
    return lines


def unregister_lines(types: Sequence[FileType] = FILE_TYPES) -> list[str]:
    """Return the commands that take all of it back; a key that holds anything else stays."""
    lines = [
        f'DeleteRegKey HKCU "{_APPLICATION}"',
        f'DeleteRegKey HKCU "{_APP_KEY}\\Capabilities"',
        'DeleteRegValue HKCU "Software\\RegisteredApplications" "h2oGPT Desktop"',
    ]
    for item in types:
        lines.append(f'DeleteRegKey HKCU "{_CLASSES}\\{prog_id(item)}"')
        for extension in item.extensions:
            key = f"{_CLASSES}\\.{extension}"
            lines += [
                f'DeleteRegValue HKCU "{key}\\OpenWithProgids" "{prog_id(item)}"',
                f'DeleteRegKey /ifempty HKCU "{key}\\OpenWithProgids"',
                f'DeleteRegKey /ifempty HKCU "{key}"',
            ]
    return lines


def script(tree: Tree, defines: Mapping[str, str], template_path: Path) -> str:
    """Return the whole script: constants, the lists as macros, and the template."""
    lines = [define(name, value) for name, value in defines.items()]
    for name, body in (
        ("InstallFiles", install_lines(tree)),
        ("RemoveFiles", remove_lines(tree)),
        ("RegisterTypes", register_lines()),
        ("UnregisterTypes", unregister_lines()),
    ):
        lines += [f"!macro {name}", *(f"  {line}" for line in body), "!macroend"]
    lines += [f"!addincludedir {quoted(template_path.parent)}", f"!include {quoted(template_path)}"]
    return "\n".join(lines) + "\n"
