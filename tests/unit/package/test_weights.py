"""What may not be in a bundle is found, and what it weighs is added up right."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.package import weights
from scripts.package.staging import INTERNAL

FILES = {
    "h2ogpt": 100,
    f"{INTERNAL}/PySide6/QtCore.abi3.so": 40,
    f"{INTERNAL}/PySide6/Qt/lib/libQt6Core.so.6": 60,
    f"{INTERNAL}/numpy/core.so": 20,
    f"{INTERNAL}/numpy.libs/libopenblas.so": 5,
    f"{INTERNAL}/chromadb/x.sql": 7,
    f"{INTERNAL}/resources/models/chat/m.gguf": 1000,
    f"{INTERNAL}/resources/icons/a.svg": 3,
    f"{INTERNAL}/rpds/é.so": 2,
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small bundle: every library has content of its own."""
    for name, size in FILES.items():
        add(tmp_path, name, size, name)
    (tmp_path / INTERNAL / "libQt6Core.so.6").symlink_to("PySide6/Qt/lib/libQt6Core.so.6")
    return tmp_path


def add(tree: Path, name: str, size: int = 10, content: str = "x") -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((content.encode() * size)[:size])


def test_each_part_weighs_its_files_and_links_weigh_nothing(tree: Path) -> None:
    assert weights.sizes(tree) == {
        "models": 1000,
        "Qt and PySide6": 100,
        "programs and their modules": 100,
        "NumPy": 25,
        "Chroma": 7,
        "resources and licences": 3,
        "other packages": 2,
    }
    assert weights.without_models(tree) == 237
    assert next(iter(weights.sizes(tree))) == "models", "the heaviest comes first"


def test_a_good_tree_has_no_problems(tree: Path) -> None:
    assert weights.problems(tree) == []


@pytest.mark.parametrize(
    "name",
    [
        "kubernetes/client.py",
        "torch/lib/libtorch.so",
        "grpc/_cython/cygrpc.cpython-311-x86_64-linux-gnu.so",
        "opentelemetry/trace.py",
        "google/protobuf/x.so",
        "huggingface_hub-0.30.dist-info/METADATA",
        "uvloop.cpython-311-x86_64-linux-gnu.so",
        "pytest/x.py",
    ],
)
def test_packages_that_slip_in_are_found(tree: Path, name: str) -> None:
    add(tree, f"{INTERNAL}/{name}")
    assert weights.problems(tree) == [f"{name.split('/')[0]} slipped in"]


@pytest.mark.parametrize(
    "name",
    [
        "libstdc++.so.6",
        "pkg.libs/libstdc++-1a2b.so.6",
        "llama_cpp/lib/libcublas.so.12",
        "libcuda.so.1",
        "PySide6/Qt/lib/libQt6WebEngineCore.so.6",
        "PySide6/Qt6Qml.dll",
    ],
)
def test_libraries_that_slip_in_are_found(tree: Path, name: str) -> None:
    add(tree, f"{INTERNAL}/{name}")
    assert weights.problems(tree) == [f"{name.split('/')[-1]} slipped in"]


def test_names_that_only_look_alike_are_allowed(tree: Path) -> None:
    add(tree, f"{INTERNAL}/torches/x.py")
    add(tree, f"{INTERNAL}/chromadb/torch/x.py")
    assert weights.problems(tree) == []


def test_a_bundle_that_is_too_large_is_found(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "LIMIT_BYTES", 237)
    assert weights.problems(tree) == []
    monkeypatch.setattr(weights, "LIMIT_BYTES", 236)
    assert weights.problems(tree) == ["it takes 0 MB without models; 0 MB are allowed"]


def test_a_library_that_is_there_twice_is_found(tree: Path) -> None:
    name = f"{INTERNAL}/numpy/core.so"
    (tree / INTERNAL / "core.so").write_bytes((tree / name).read_bytes())
    assert weights.problems(tree) == ["core.so is there 2 times"]
    (tree / INTERNAL / "core.so").write_bytes(b"y" * 20)
    assert weights.problems(tree) == [], "another library of the same name and size"


def test_the_command_prints_weights_and_fails_on_problems(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert weights.main([str(tree)]) == 0
    assert "0.0 MB  NumPy" in capsys.readouterr().out
    add(tree, f"{INTERNAL}/torch/x.py")
    assert weights.main([str(tree)]) == 1
    assert "Problem: torch slipped in." in capsys.readouterr().err
