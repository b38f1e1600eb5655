"""The list of what the program is made of: from a bill of materials, or from what is installed."""

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from app.core import components as module
from app.core.components import STANDARD, Component, components, licence_text
from app.core.errors import FileError
from app.core.paths import resources_dir
from scripts.collect_licences import BY_NAME

ENTRIES = [
    {
        "type": "library",
        "name": "numpy",
        "version": "2.4",
        "licenses": [{"expression": "BSD-3-Clause AND MIT"}],
        "properties": [{"name": "h2ogpt:licence-file", "value": "numpy-own.txt"}],
    },
    {
        "type": "library",
        "name": "Bee",
        "licenses": [{"license": {"id": "MIT"}}, {"license": {"name": "Own"}}, {"license": 5}, "odd"],
        "properties": [{"name": "other", "value": "numpy-own.txt"}],
    },
    {"type": "library", "name": "PyMuPDF", "version": 5, "licenses": [{"license": {}}]},
    {
        "type": "library",
        "name": "climber",
        "licenses": [{"expression": "LGPL-3.0-only"}],
        "properties": [
            {"name": "h2ogpt:licence-file", "value": value}
            for value in ("../../settings.json", "..", "", "nowhere.txt", "C:x")
        ],
    },
    {"type": "library", "name": "bare", "licenses": "MIT"},
    {"type": "library"},
    "odd",
]


@pytest.fixture
def resources(tmp_path: Path) -> Path:
    """Resources with some licence texts and one starter model."""
    folder = tmp_path / "resources"
    (folder / "licences").mkdir(parents=True)
    for name in ("numpy-own", "AGPL-3.0", "LGPL-3.0", "Apache-2.0"):
        (folder / "licences" / f"{name}.txt").write_text(f"Text of {name}\n")
    (folder / "models" / "chat").mkdir(parents=True)
    (folder / "models" / "chat" / "SmolLM2-135M-Instruct.Q4_1.gguf").touch()
    return folder


def write_sbom(resources: Path, value: object) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    (resources / "sbom.cdx.json").write_text(text)


def bom(entries: object) -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": entries}


def test_a_bill_of_materials_is_read(resources: Path) -> None:
    write_sbom(resources, bom(ENTRIES))
    found = components(resources)
    assert [component.name for component in found] == [
        "bare",
        "Bee",
        "climber",
        "numpy",
        "PyMuPDF",
        "SmolLM2-135M-Instruct (model)",
    ]
    bare, bee, climber, numpy, pymupdf, model = found
    assert (numpy.version, numpy.licence, licence_text(numpy)) == (
        "2.4",
        "BSD-3-Clause AND MIT",
        "Text of numpy-own",
    )
    assert (bee.version, bee.licence, licence_text(bee)) == ("", "MIT, Own", "")
    assert (pymupdf.version, pymupdf.licence, licence_text(pymupdf)) == ("", "", "Text of AGPL-3.0")
    assert licence_text(climber) == "Text of LGPL-3.0"  # the file outside is not taken
    assert (bare.licence, bare.text_paths) == ("", ())
    assert (model.licence, licence_text(model)) == ("Apache-2.0", "Text of Apache-2.0")


def test_a_model_of_the_bill_is_not_listed_twice(resources: Path) -> None:
    write_sbom(resources, bom([{"name": "SmolLM2-135M-Instruct", "type": "machine-learning-model"}]))
    assert [component.name for component in components(resources)] == ["SmolLM2-135M-Instruct"]


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "[" * 100_000,
        [],
        {"bomFormat": "SPDX", "components": ENTRIES},
        {"bomFormat": "CycloneDX"},
        bom({}),
        bom([]),
        bom(["odd"]),
    ],
)
def test_a_damaged_bill_is_told(resources: Path, value: object) -> None:
    write_sbom(resources, value)
    with pytest.raises(FileError) as failure:
        components(resources)
    assert failure.value.code == "components.damaged"
    assert "damaged" in failure.value.user_message and failure.value.hint


def test_a_bill_that_is_too_large_is_not_read(resources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SBOM_BYTES", 10)
    write_sbom(resources, bom(ENTRIES))
    with pytest.raises(FileError, match="damaged"):
        components(resources)


def test_an_installed_program_without_its_bill_says_so(
    resources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(FileError) as failure:
        components(resources)
    assert failure.value.code == "components.missing"


def test_a_licence_text_that_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        licence_text(Component("x", "", "MIT", (tmp_path / "gone.txt",)))


def test_the_source_trees_list_is_what_it_needs() -> None:
    found = {component.name.lower().replace("_", "-"): component for component in components(resources_dir())}
    for name in ("numpy", "pymupdf", "llama-cpp-python", "llama.cpp, ggml", "qt", "pydantic-core"):
        assert name in found, name
    assert not {"pytest", "ruff", "h2ogpt-desktop", "torch"} & set(found)  # extras are no part of it
    assert "AFFERO" in found["pymupdf"].licence and "AFFERO" in licence_text(found["pymupdf"])
    assert found["qt"].version and "LESSER" in licence_text(found["qt"])
    without = [name for name, component in found.items() if not licence_text(component).strip()]
    assert without == []
    assert all(component.licence for component in found.values())


class Package:
    """A distribution."""

    def __init__(self, requires: list[str] | None, fields: dict[str, str] | None = None) -> None:
        self.requires, self.version, self.files = requires, "1", None
        self.metadata = metadata.email.message_from_string(  # type: ignore[attr-defined]
            "".join(f"{name}: {value}\n" for name, value in (fields or {}).items())
        )


def install(monkeypatch: pytest.MonkeyPatch, packages: dict[str, Package]) -> None:
    def find(name: str) -> Package:
        if name not in packages:
            raise metadata.PackageNotFoundError(name)
        return packages[name]

    monkeypatch.setattr(metadata, "distribution", find)


def test_requirements_are_followed_with_their_extras(
    resources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = {
        "h2ogpt-desktop": Package(
            ["A_b[fast, x]>=1", "gone; sys_platform == 'win32'", ";odd", "d; extra == 'dev'"]
        ),
        "a-b": Package(
            ["c>1; extra == 'fast'", "d; extra == 'slow'", "A.B"], {"Name": "A_b", "License": "MIT"}
        ),
        "c": Package(None, {"Name": "c", "Classifier": "License :: OSI Approved :: BSD License"}),
        "d": Package(None, {"Name": "d"}),
    }
    install(monkeypatch, packages)
    found = components(resources)
    assert [(component.name, component.licence) for component in found[:2]] == [
        ("A_b", "MIT"),
        ("c", "BSD License"),
    ]
    assert "d" not in {component.name for component in found}


def test_a_long_licence_field_is_a_text_and_no_name(resources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        monkeypatch,
        {
            "h2ogpt-desktop": Package(["a"]),
            "a": Package(None, {"Name": "a", "License": "x" * 200, "Classifier": "License :: OSI Approved"}),
        },
    )
    assert components(resources)[0] == Component("a", "1", "")


def test_a_program_that_is_not_installed_says_so(resources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {})
    with pytest.raises(FileError, match="not installed as a package"):
        components(resources)


def test_standard_licences_are_those_of_the_collector() -> None:
    assert {name: BY_NAME[name] for name in STANDARD} == STANDARD
