"""Small JSON files survive crashes and nonsense."""

import os
from pathlib import Path

import pytest

from app.core.errors import StorageError
from app.host.services import json_file
from app.host.services.json_file import JsonFile


@pytest.fixture
def file(tmp_path: Path) -> JsonFile:
    return JsonFile(tmp_path / "things.json", "The things")


def test_there_and_back(file: JsonFile) -> None:
    assert file.read() == {}
    file.write({"ä": [1]})
    assert file.read() == {"ä": [1]}
    assert [path.name for path in file.path.parent.iterdir()] == ["things.json"]


def test_names_that_are_no_text_survive(file: JsonFile) -> None:
    file.write({"ä": ["bad\udcff", "é"]})
    assert file.read() == {"ä": ["bad\udcff", "é"]}
    assert file.path.read_text("utf-8")  # people's editors open it


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, "x" * 50])
def test_nonsense_is_kept_aside(file: JsonFile, text: str) -> None:
    for number in (1, 2):
        file.path.write_text(text)
        assert file.read() == {}
        assert file.path.with_name(f"things.json.bad-{number}").read_text() == text


def test_one_that_is_too_large_is_kept_aside(file: JsonFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "MAX_FILE_BYTES", 3)
    file.path.write_text('{"a": 1}')
    assert file.read() == {} and not file.path.exists()


def test_one_that_cannot_be_read_stays(file: JsonFile) -> None:
    file.path.mkdir()
    assert file.read() == {} and file.path.exists()


def test_one_that_cannot_be_kept_aside_counts_as_empty(
    file: JsonFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError

    file.path.write_text("{")
    monkeypatch.setattr(Path, "replace", refuse)
    assert file.read() == {} and file.path.exists()


def test_a_full_disk_is_said_and_the_old_content_stays(
    file: JsonFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write({"a": 1})

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="No space left") as failure:
        file.write({"a": 2})
    assert failure.value.user_message.startswith("The things")
    assert file.read() == {"a": 1} and len(list(file.path.parent.iterdir())) == 1
