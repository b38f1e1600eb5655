"""The environment: clear words where this Python cannot do it, and one folder per Python version."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.setup import environment
from scripts.setup.layout import (
    REPOSITORY_DIR,
    Layout,
    choose_venv_dir,
    environment_version,
    user_cache_dir,
)
from scripts.setup.progress import Progress, SetupError, explain


def test_an_old_python_is_told_what_to_do() -> None:
    with pytest.raises(SetupError, match=r"Python 3\.9 is too old") as caught:
        environment.require_python((3, 9))
    assert "newer Python" in caught.value.hint
    environment.require_python((3, 11))


def test_missing_venv_modules_name_the_debian_package(monkeypatch: pytest.MonkeyPatch) -> None:
    environment.require_venv_modules(Progress(quiet=True))
    monkeypatch.setattr("scripts.setup.system_libraries.is_present", lambda need: need.name != "ensurepip")
    monkeypatch.setattr("scripts.setup.system_libraries.ensure", lambda needs, progress: list(needs))
    with pytest.raises(SetupError, match="lacks the module ensurepip") as caught:
        environment.require_venv_modules(Progress(quiet=True))
    assert f"apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in caught.value.hint


def make_venv(folder: Path, version: str) -> None:
    folder.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n", encoding="utf-8")


def test_each_python_version_has_its_own_folder(tmp_path: Path) -> None:
    assert choose_venv_dir(tmp_path, (3, 12)) == tmp_path / ".venv"
    make_venv(tmp_path / ".venv", "3.11.7")
    assert environment_version(tmp_path / ".venv") == (3, 11)
    assert choose_venv_dir(tmp_path, (3, 11)) == tmp_path / ".venv"
    assert choose_venv_dir(tmp_path, (3, 12)) == tmp_path / ".venv-3.12"


def test_a_folder_without_a_version_is_no_environment(tmp_path: Path) -> None:
    assert environment_version(tmp_path) is None
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    assert environment_version(tmp_path) is None


def test_the_cache_folder_follows_the_variables(tmp_path: Path) -> None:
    assert user_cache_dir({"H2OGPT_SETUP_CACHE": str(tmp_path)}) == tmp_path
    if sys.platform.startswith("linux"):
        assert user_cache_dir({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "h2ogpt-desktop"


def test_an_environment_that_is_whole_is_left_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path, tmp_path / ".venv", tmp_path / "cache")
    make_venv(layout.venv_dir, f"{sys.version_info[0]}.{sys.version_info[1]}.0")
    layout.python_path.parent.mkdir(parents=True)
    layout.python_path.touch()
    marker_path = layout.venv_dir / "marker"
    marker_path.touch()
    environment.create_venv(layout, Progress(quiet=True))
    assert marker_path.exists()


@pytest.mark.slow
def test_a_half_made_environment_is_made_anew(tmp_path: Path) -> None:
    layout = Layout(tmp_path, tmp_path / ".venv", tmp_path / "cache")
    (layout.venv_dir / "lib").mkdir(parents=True)
    environment.create_venv(layout, Progress(quiet=True))
    result = subprocess.run([str(layout.python_path), "-m", "pip", "--version"], check=False)
    assert result.returncode == 0


def test_pip_errors_are_told_in_one_sentence() -> None:
    output = "Collecting x\nERROR: No matching distribution found for x\nnote: something else\n"
    assert environment.pip_error(output) == "No matching distribution found for x"
    assert environment.pip_error("boom\n\n") == "boom"
    assert environment.last_line("") == "no reason was given"


def test_a_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    package_dir = tmp_path / "wheels"
    package_dir.mkdir()
    (package_dir / "nothing_here-1.0-py3-none-any.whl").write_bytes(b"not the pinned bytes")
    pins_path = tmp_path / "pins.txt"
    pins_path.write_text(f"nothing-here==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    arguments = ["install", "--no-index", "--find-links", str(package_dir), "--require-hashes"]
    arguments += ["--target", str(tmp_path / "target"), "-r", str(pins_path)]
    with pytest.raises(SetupError, match="not the one that was expected"):
        environment.pip(Path(sys.executable), arguments, "Installing packages")


def test_explaining_names_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    explain(SetupError("It broke.", "Mend it."))
    text = capsys.readouterr().err
    assert "It broke." in text
    assert "What to do: Mend it." in text
    assert "continues where it stopped" in text


@pytest.mark.parametrize("script", ["run.py", "test.py"])
def test_the_scripts_parse_on_older_pythons(script: str) -> None:
    """So that their message about the version can be printed there."""
    import ast

    source = (REPOSITORY_DIR / "scripts" / script).read_text(encoding="utf-8")
    guard = source.index("sys.version_info < (3, 11)")
    assert "from scripts" not in source[:guard]
    ast.parse(source, feature_version=(3, 8))
