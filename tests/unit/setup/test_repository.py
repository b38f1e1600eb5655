"""What no tracked file may hold, and what the pins must hold."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from scripts import pin_requirements
from scripts.setup.layout import REPOSITORY_DIR

# Written apart, so that this file does not hold them either.
ADDRESSES = ["py" + "pi.org", "python" + "hosted.org", "/opt/" + "py" + "pi", "registry." + "npmjs"]
REQUIREMENTS = sorted((REPOSITORY_DIR / "requirements").glob("*.txt"))


def tracked_files() -> list[Path]:
    result = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY_DIR, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        pytest.skip("not a git checkout")
    return [REPOSITORY_DIR / name for name in result.stdout.split("\0") if name]


def test_no_tracked_file_names_a_registry() -> None:
    found = []
    for path in tracked_files():
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path.name}: {item}" for item in ADDRESSES if item.encode() in content]
    assert found == []


def test_no_tracked_file_names_a_place_on_one_machine() -> None:
    places = ["/wo" + "rk/", "/ro" + "ot/"]
    found = []
    for path in tracked_files():
        if path.suffix in {".py", ".md", ".txt", ".toml", ".json", ".sh", ""} and path.is_file():
            content = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.name}: {item}" for item in places if item in content]
    assert found == []


def test_no_models_are_tracked() -> None:
    inside = [path for path in tracked_files() if REPOSITORY_DIR / "resources" / "models" in path.parents]
    assert sorted(path.name for path in inside) == ["README.md", "catalogue.json", "catalogue.schema.json"]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_requirement_is_exact_and_hashed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    blocks = pin_requirements.split_blocks(text)
    assert blocks
    for name, block in blocks:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), name
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
    assert len(lines) == len(blocks), "a line is not an exact pin"
    assert "://" not in text


def test_no_package_stands_in_two_files_and_torch_in_none() -> None:
    texts = [
        (REPOSITORY_DIR / "requirements" / name).read_text(encoding="utf-8")
        for name in ("runtime.txt", "build.txt", "test.txt")
    ]
    names = [pin_requirements.names_in(text) for text in texts]
    assert not names[0] & names[1]
    assert not names[0] & names[2]
    assert not names[1] & names[2]
    assert not {"torch", "sentence-transformers", "llama-cpp-python"} & (names[0] | names[1] | names[2])


def test_the_engine_is_pinned_by_its_source_alone() -> None:
    text = (REPOSITORY_DIR / "requirements" / "engine.txt").read_text(encoding="utf-8")
    assert text.count("--hash=") == 1


COMPILED = """\
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
llama-cpp-python==0.3.36 \\
    --hash=sha256:cc
"""


def test_compiled_files_are_split_and_filtered() -> None:
    assert [name for name, _ in pin_requirements.split_blocks(COMPILED)] == ["numpy", "llama-cpp-python"]
    assert pin_requirements.without(COMPILED, {"numpy"}).startswith("llama-cpp-python==0.3.36")
    assert pin_requirements.engine_version(COMPILED) == "0.3.36"
    with pytest.raises(ValueError, match="not among"):
        pin_requirements.engine_version("numpy==2.4.6\n")


def test_a_file_with_an_address_is_never_written(tmp_path: Path) -> None:
    for text in ("--index-url https://example.com/simple\n", "a==1 @ https://example.com/a.whl\n"):
        with pytest.raises(ValueError, match="address"):
            pin_requirements.write(tmp_path, "x.txt", "Test.", text)
    assert list(tmp_path.iterdir()) == []
