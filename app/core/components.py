"""What the program is made of: the bundled components, their licences and the texts of these.

An installed program knows them from the bill of materials that was written when it was built
(`resources/sbom.cdx.json`, CycloneDX 1.6); in the source tree they are what is installed of the packages
that the program asks for.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from app.core.errors import FileError
from app.core.frozen import is_frozen

DISTRIBUTION = "h2ogpt-desktop"
MAX_SBOM_BYTES = 20_000_000
MAX_TEXT_BYTES = 5_000_000
MAX_LICENCE_CHARS = 120  # longer ones are texts, not names
LICENCE_FILE_PROPERTY = "h2ogpt:licence-file"
# Packages without a text of their own: they name a standard licence. As in scripts/collect_licences.py.
STANDARD = {
    "pymupdf": "AGPL-3.0",
    "pyside6-essentials": "LGPL-3.0",
    "shiboken6": "LGPL-3.0",
    "tokenizers": "Apache-2.0",
    "flatbuffers": "Apache-2.0",
    "piper-tts": "GPL-3.0",
}
_HINT = "Install the program again."


@dataclass(frozen=True)
class Component:
    """One part of the program.

    Attributes:
        version: empty where it has none.
        licence: SPDX expression, or the name that its maker gives; empty where none is named.
        text_paths: the licence's texts; none where there is none.
    """

    name: str
    version: str
    licence: str
    text_paths: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Model:
    name: str
    licence: str
    text_name: str
    pattern: str


# Source: NOTICE; the folders are those of scripts/setup/model_pins.py.
_MODELS = (
    _Model("SmolLM2-135M-Instruct", "Apache-2.0", "Apache-2.0", "chat/SmolLM2-135M-Instruct*.gguf"),
    _Model("all-MiniLM-L6-v2", "Apache-2.0", "Apache-2.0", "embedding/all-MiniLM-L6-v2/*.onnx"),
    _Model("Whisper tiny", "MIT", "whisper", "speech-to-text/whisper-tiny/model.bin"),
    _Model("Piper voice en_US joe", "CC0-1.0", "CC0-1.0", "text-to-speech/en_US-joe-medium/*.onnx"),
)
# Libraries and models that stand inside a package: (package, name, licence, text).
_INSIDE = (
    ("av", "FFmpeg, x264, x265 and others", "GPL-3.0-or-later", "ffmpeg"),
    ("faster-whisper", "Silero VAD", "MIT", "silero-vad"),
    ("llama-cpp-python", "llama.cpp, ggml", "MIT", "llama.cpp"),
    ("piper-tts", "eSpeak NG", "GPL-3.0-or-later", "GPL-3.0"),
    ("pyside6-essentials", "Qt", "LGPL-3.0-only", "LGPL-3.0"),
)


def components(resources_dir: Path) -> tuple[Component, ...]:
    """List the components by name; blocks for disk work, so call it in a thread.

    Raises:
        FileError: `components.missing` or `components.damaged`: there is no list.
    """
    sbom_path = resources_dir / "sbom.cdx.json"
    if sbom_path.exists():
        found = _from_sbom(sbom_path, resources_dir / "licences")
    elif is_frozen():
        raise _missing("The list of components is missing from this installation.")
    else:
        found = _from_environment(resources_dir / "licences")
    known = {_normal(component.name) for component in found}
    return tuple(sorted([*found, *_models(resources_dir, known)], key=_order))


def licence_text(component: Component) -> str:
    """Read a component's licence texts as one; empty where there is none. Blocks for disk work.

    Raises:
        FileError: `components.no_text`: there is one, and it cannot be read.
    """
    try:
        texts = [_read(path) for path in component.text_paths]
    except OSError as error:
        raise FileError(
            "components.no_text",
            f"The licence text of {component.name} cannot be read ({error.strerror}).",
            _HINT,
        ) from error
    return "\n\n----\n\n".join(texts)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_TEXT_BYTES).decode("utf-8", "replace").strip()


def _order(component: Component) -> str:
    return component.name.casefold()


def _normal(name: str) -> str:
    return re.sub(r"[-_.\s]+", "-", name).lower()


def _missing(words: str) -> FileError:
    return FileError("components.missing", words, _HINT)


# --- the bill of materials


def _from_sbom(path: Path, licences_dir: Path) -> list[Component]:
    damaged = FileError(
        "components.damaged", "The list of components of this installation is damaged.", _HINT
    )
    try:
        if path.stat().st_size > MAX_SBOM_BYTES:
            raise damaged
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise damaged from error
    entries = value.get("components") if isinstance(value, dict) else None
    if not isinstance(entries, list) or value.get("bomFormat") != "CycloneDX":
        raise damaged
    found = [
        _sbom_component(entry, licences_dir)
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and entry["name"]
    ]
    if not found:
        raise damaged
    return found


def _sbom_component(entry: Mapping[str, Any], licences_dir: Path) -> Component:
    licence = _sbom_licence(entry.get("licenses"))
    version = entry.get("version")
    named = [
        str(item.get("value"))
        for item in _objects(entry.get("properties"))
        if item.get("name") == LICENCE_FILE_PROPERTY
    ]
    texts = [path for name in named if (path := _inside(licences_dir, name)) is not None]
    return Component(
        name=entry["name"],
        version=version if isinstance(version, str) else "",
        licence=licence,
        text_paths=tuple(texts) or _texts(licences_dir, _normal(entry["name"]), licence),
    )


def _sbom_licence(value: object) -> str:
    words = []
    for item in _objects(value):
        inner = item.get("license")
        if isinstance(item.get("expression"), str):
            words.append(item["expression"])
        elif isinstance(inner, dict):
            words.append(str(inner.get("id") or inner.get("name") or ""))
    return ", ".join(filter(None, words))


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _inside(folder: Path, name: str) -> Path | None:
    """Give the file of this name in the folder; None where it leads elsewhere or is not there."""
    if name in ("", ".", "..") or re.search(r"[/\\:\0]", name):
        return None
    path = folder / name
    return path if path.is_file() else None


def _texts(licences_dir: Path, name: str, licence: str) -> tuple[Path, ...]:
    """Give a component's own text, else that of its standard licence."""
    short = re.sub(r"-(only|or-later)$", "", licence)
    for candidate in (name, STANDARD.get(name, ""), licence, short):
        path = _inside(licences_dir, f"{candidate}.txt") if candidate else None
        if path is not None:
            return (path,)
    return ()


# --- the source tree


def _from_environment(licences_dir: Path) -> list[Component]:
    found = _closure()
    result = [
        Component(
            name=str(distribution.metadata["Name"]),
            version=distribution.version,
            licence=(licence := _licence(distribution) or STANDARD.get(name, "")),
            text_paths=_texts(licences_dir, name, licence) or _own_texts(distribution),
        )
        for name, distribution in found.items()
    ]
    for package, name, licence, text_name in _INSIDE:
        if package in found:
            version = found[package].version if name == "Qt" else ""
            result.append(Component(name, version, licence, _texts(licences_dir, text_name, "")))
    return result


def _closure() -> dict[str, metadata.Distribution]:
    """Give the packages that the program needs, by normal name.

    Conditions of requirements are not evaluated: what does not hold here is not installed here.
    """
    wanted: list[tuple[str, frozenset[str]]] = [(DISTRIBUTION, frozenset())]
    seen: set[tuple[str, frozenset[str]]] = set()
    found: dict[str, metadata.Distribution] = {}
    while wanted:
        name, extras = key = wanted.pop()
        if key in seen:
            continue
        seen.add(key)
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        wanted.extend(_requirements(found[name].requires or (), extras))
    if DISTRIBUTION not in found:
        raise _missing("The list of components is not known: the program is not installed as a package.")
    del found[DISTRIBUTION]
    return found


def _requirements(lines: Iterable[str], extras: frozenset[str]) -> Iterable[tuple[str, frozenset[str]]]:
    """Read the requirements that hold with these extras: (normal name, the extras asked for)."""
    for line in lines:
        requirement, _, condition = line.partition(";")
        needed = re.search(r"""extra\s*==\s*["']([^"']+)["']""", condition)
        head = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?", requirement)
        if head is None or (needed is not None and _normal(needed[1]) not in extras):
            continue
        asked = frozenset(_normal(extra.strip()) for extra in (head[2] or "").split(",") if extra.strip())
        yield _normal(head[1]), asked


def _licence(distribution: metadata.Distribution) -> str:
    """Give the licence that a package names: in the new field, in the old one if short, or by classifiers."""
    fields = distribution.metadata
    for field in ("License-Expression", "License"):
        named = str((fields.get_all(field) or [""])[0]).strip()
        if named and len(named) <= MAX_LICENCE_CHARS and "\n" not in named:
            return named
    classifiers = [str(line) for line in fields.get_all("Classifier") or []]
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")]
    return ", ".join(name for name in names if name != "OSI Approved")


def _own_texts(distribution: metadata.Distribution) -> tuple[Path, ...]:
    """Give the licence texts that a package brings itself."""
    texts = [
        file
        for file in distribution.files or ()
        if ".dist-info" in str(file)
        and file.suffix != ".py"
        and re.search(r"LICEN[CS]E|COPYING", file.name, re.IGNORECASE)
    ]
    return tuple(Path(str(file.locate())) for file in sorted(texts, key=str))


def _models(resources_dir: Path, known: set[str]) -> list[Component]:
    """Give the starter models that are there and not known by their names yet."""
    return [
        Component(
            f"{model.name} (model)",
            "",
            model.licence,
            _texts(resources_dir / "licences", model.text_name, ""),
        )
        for model in _MODELS
        if _normal(model.name) not in known and any((resources_dir / "models").glob(model.pattern))
    ]
