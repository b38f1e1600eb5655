"""The list of parts: what was really taken, in CycloneDX's form, and as the About box reads it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from app.core.components import components, licence_text
from scripts.package import licences, sbom
from scripts.package.sbom import Part
from scripts.package.staging import INTERNAL
from scripts.setup.layout import REPOSITORY_DIR, Layout

pytestmark = pytest.mark.slow  # real tools and processes

# Those of the program's parts. Source: the SPDX licence list.
SPDX = {
    *("0BSD", "AGPL-3.0-only", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC"),
    *("LGPL-3.0-only", "MIT", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib", "bzip2-1.0.6", "blessing"),
    *("GPL-2.0-or-later", "GPL-3.0-or-later", "GPL-3.0-only", "GPL-2.0-only", "X11"),
    *("GCC-exception-3.1", "Bootloader-exception", "LGPL-2.0-or-later", "LGPL-2.1-or-later"),
    *("LGPL-3.0-or-later", "BSD-3-Clause-Clear", "Sleepycat"),
}
PACKAGES = (
    "charset-normalizer",
    "jinja2",
    "lxml",
    "psutil",
    "numpy",
    "pymupdf",
    "openpyxl",
    "apsw-sqlite3mc",
)


def source_of(package: str) -> str:
    """Give one file of a package that is code."""
    files = metadata.distribution(package).files or []
    found = next(file for file in files if file.suffix in (".py", ".so", ".pyd") and "bin" not in file.parts)
    return str(found.locate())


@pytest.fixture
def toc_dir(tmp_path: Path) -> Path:
    """Tables as PyInstaller writes them: one of a program's modules, one of the folder's files."""
    folder = tmp_path / "pyinstaller" / "h2ogpt"
    folder.mkdir(parents=True)
    modules = [(package, source_of(package), "PYMODULE") for package in PACKAGES[:4]]
    files = [(package, source_of(package), "BINARY") for package in PACKAGES[4:]]
    links = [("libx.so", "pkg/libx.so", "SYMLINK")]
    (folder / "PYZ-00.toc").write_text(repr(("/x/PYZ-00.pyz", modules)), encoding="utf-8")
    (folder / "COLLECT-00.toc").write_text(repr((["é"], [*files, *links])), encoding="utf-8")
    # what was found in the analysis alone may not have been taken
    unused = [("pytest", source_of("pytest"), "PYMODULE")]
    (folder / "Analysis-00.toc").write_text(repr((unused,)), encoding="utf-8")
    return folder.parent


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(REPOSITORY_DIR, tmp_path / "venv", tmp_path / "cache")


@pytest.fixture
def parts(toc_dir: Path, layout: Layout) -> list[Part]:
    return sbom.parts_of(toc_dir, [], layout)


def by_name(parts: list[Part]) -> dict[str, Part]:
    return {sbom.normal(part.name): part for part in parts}


def test_what_was_taken_is_listed_and_nothing_else(parts: list[Part]) -> None:
    models = {
        *("smollm2-135m-instruct", "all-minilm-l6-v2", "whisper tiny", "piper voice en_us joe"),
    }
    names = {part.name.lower() for part in parts if part.kind == "machine-learning-model"}
    assert names == models
    others = set(by_name([part for part in parts if part.kind == "library"]))
    assert others == {*PACKAGES, "python", "llama-cpp", "ctransformers"}
    assert [part.name.lower() for part in parts] == sorted(part.name.lower() for part in parts)


def test_versions_are_those_that_are_installed(parts: list[Part]) -> None:
    found = by_name(parts)
    for package in PACKAGES:
        version = metadata.version(package)
        assert found[package].version == version
        assert found[package].purl == f"pkg:pypi/{package}@{version}"
    assert found["python"].version == ".".join(map(str, sys.version_info[:3]))


def test_what_stands_inside_a_wheel_is_listed_with_its_own_licence(tmp_path: Path, layout: Layout) -> None:
    folder = tmp_path / "toc" / "h2ogpt"
    folder.mkdir(parents=True)
    files = metadata.distribution("av").files or []
    rows = [(str(file), str(file.locate()), "BINARY") for file in files if ".libs" in str(file)]
    rows += [("piper", source_of("piper-tts"), "PYMODULE"), ("fw", source_of("faster-whisper"), "PYMODULE")]
    (folder / "COLLECT-00.toc").write_text(repr((rows,)), encoding="utf-8")
    found = {part.name: part for part in sbom.parts_of(folder.parent, [], layout)}
    assert found["piper-tts"].licence == "GPL-3.0-or-later" == found["eSpeak NG"].licence
    assert found["Silero VAD"].kind == "machine-learning-model"
    assert found["Silero VAD"].version.startswith("in faster-whisper 1.")
    if sys.platform == "linux":
        assert found["x264"].licence == "GPL-2.0-or-later"
        assert found["FFmpeg"].licence_file == "ffmpeg.txt"
    tree = tmp_path / "tree"
    (tree / INTERNAL).mkdir(parents=True)
    licences.add(list(found.values()), REPOSITORY_DIR, tree)


def test_the_slim_variant_lists_no_chat_model(parts: list[Part]) -> None:
    gone = set(by_name(parts)) - set(by_name(sbom.without_chat_model(parts)))
    assert gone == {"smollm2-135m-instruct"}


# --- licences in words


class Fields(dict[str, str]):
    """A package's metadata."""

    def get_all(self, name: str) -> list[str] | None:
        return self[name].split("|") if name in self else None


class FakeDistribution:
    """An installed package."""

    version = "1.0+local"

    def __init__(self, **fields: str) -> None:
        self.metadata = Fields({"Name": "Some_Package"} | {k.replace("_", "-"): v for k, v in fields.items()})


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License_Expression": "MIT OR Apache-2.0", "License": "other"}, "MIT OR Apache-2.0"),
        ({"Classifier": "Topic :: X|License :: OSI Approved :: MIT License"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: Apache Software License"}, "Apache-2.0"),
        ({"Classifier": "License :: OSI Approved", "License": " Own words \nand a text"}, "Own words"),
        ({"License": "x" * 200}, "x" * 80),
        ({"License": " \n "}, ""),
        ({}, ""),
        (
            {"Name": "PySide6_Essentials", "License_Expression": "LGPL-3.0-only OR GPL-2.0-only"},
            "LGPL-3.0-only",
        ),
        ({"Name": "PyMuPDF", "License": "Dual"}, "AGPL-3.0-only"),
    ],
)
def test_the_words_of_a_package(fields: dict[str, str], licence: str) -> None:
    assert sbom.licence_of(FakeDistribution(**fields)) == licence  # type: ignore[arg-type]


def test_an_address_is_escaped() -> None:
    part = sbom.python_part(FakeDistribution(License="MIT"))  # type: ignore[arg-type]
    assert part.purl == "pkg:pypi/some-package@1.0%2Blocal"


@pytest.mark.parametrize(
    ("words", "entry"),
    [
        ("MIT", {"license": {"id": "MIT"}}),
        ("BSD-3-Clause", {"license": {"id": "BSD-3-Clause"}}),
        ("MIT OR Apache-2.0", {"expression": "MIT OR Apache-2.0"}),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", {"expression": "MPL-2.0 AND (Apache-2.0 OR MIT)"}),
        (
            "GPL-3.0-or-later WITH GCC-exception-3.1",
            {"expression": "GPL-3.0-or-later WITH GCC-exception-3.1"},
        ),
        ("Dual licensed, ask the author", {"license": {"name": "Dual licensed, ask the author"}}),
    ],
)
def test_a_licence_is_an_id_an_expression_or_words(words: str, entry: dict[str, Any]) -> None:
    [component] = components_of([Part("x", "1", words)])
    assert component["licenses"] == [entry]


def test_an_unknown_licence_is_not_made_up() -> None:
    assert components_of([Part("x", "1", "")]) == [{"type": "library", "name": "x", "version": "1"}]


def components_of(parts: list[Part]) -> list[dict[str, Any]]:
    found: Any = sbom.document(parts, "1.2.3")["components"]
    return list(found)


# --- the document


def test_its_form_is_that_of_cyclonedx(parts: list[Part]) -> None:
    document: Any = json.loads(json.dumps(sbom.document(parts, "1.2.3")))
    assert set(document) == {
        *("bomFormat", "specVersion", "serialNumber", "version", "metadata", "components"),
    }
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", document["serialNumber"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["metadata"]["timestamp"])
    program = document["metadata"]["component"]
    assert (program["type"], program["version"]) == ("application", "1.2.3")
    for component in document["components"]:
        assert set(component) <= {"type", "name", "version", "licenses", "purl", "properties"}
        assert component["type"] in ("library", "machine-learning-model")
        assert component["name"] and component["version"]
        for entry in component["licenses"]:
            words = entry.get("expression") or entry["license"]["id"]
            used = set(re.findall(r"[A-Za-z0-9.-]+", words)) - {"AND", "OR", "WITH"}
            assert used <= SPDX, f"{component['name']}: {words}"


def test_the_same_source_gives_the_same_list(
    toc_dir: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        sbom.write(sbom.parts_of(toc_dir, [], layout), "1.2.3", path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert json.loads(paths[0].read_text())["metadata"]["timestamp"] == "2026-09-21T14:13:20Z"
    sbom.write([], "1.2.3", paths[1])
    numbers = {json.loads(path.read_text())["serialNumber"] for path in paths}
    assert len(numbers) == 2, "another list has another number"


# --- libraries of the system


@pytest.mark.linux
@pytest.mark.skipif(not Path("/var/lib/dpkg/status").exists(), reason="not Debian or Ubuntu")
def test_libraries_of_the_system_are_named_by_package(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["libgomp.so.1", "libz.so.1", "libQt6Core.so.6", "libpython3.11.so.1.0", "libnosuchthing.so.9"]
    found = {part.name: part for part in sbom.system_parts(names)}
    assert set(found) == {"libgomp1", "zlib1g"}
    assert found["libgomp1"].licence == "GPL-3.0-or-later WITH GCC-exception-3.1"
    assert found["zlib1g"].licence == "Zlib"
    assert re.match(r"pkg:deb/(debian|ubuntu)/zlib1g@1:1\.", found["zlib1g"].purl)
    assert "+" not in found["libgomp1"].purl
    monkeypatch.setattr(sys, "platform", "darwin")
    assert sbom.system_parts(names) == []


@pytest.mark.parametrize("system", [{"ID": "ubuntu"}, None])
def test_the_address_names_the_system(monkeypatch: pytest.MonkeyPatch, system: dict[str, str] | None) -> None:
    def release() -> dict[str, str]:
        if system is None:
            raise OSError("there is no os-release")
        return system

    monkeypatch.setattr("platform.freedesktop_os_release", release)
    assert sbom._distribution() == ("ubuntu" if system else "debian")


# --- and back


@pytest.fixture
def tree(parts: list[Part], tmp_path: Path) -> Iterator[Path]:
    """A bundle's resources with texts and list."""
    tree = tmp_path / "tree é"
    (tree / INTERNAL).mkdir(parents=True)
    licences.add(parts, REPOSITORY_DIR, tree)
    sbom.write(parts, "1.2.3", tree / sbom.FILE)
    yield tree


def test_the_about_box_shows_every_part_with_its_text(parts: list[Part], tree: Path) -> None:
    shown = {component.name: component for component in components(tree / INTERNAL / "resources")}
    assert set(shown) == {part.name for part in parts}
    for part in parts:
        component = shown[part.name]
        assert component.version == part.version
        assert component.licence == part.licence != ""
        assert [path.name for path in component.text_paths] == [part.licence_file]
        assert len(licence_text(component)) > 200, part.name
