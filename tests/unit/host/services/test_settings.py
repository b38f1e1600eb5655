"""Settings survive whatever happens to their file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import StorageError, UsageError
from app.core.settings import SCHEMA_VERSION
from app.host.services.settings import MAX_FILE_BYTES, SettingsService
from app.protocol.system import GetSettings, UpdateSettings
from tests.unit.host.conftest import Context, Recorder, mode_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.json"


@pytest.fixture
def service(path: Path, events: Recorder) -> SettingsService:
    return SettingsService(path, events)


async def update(service: SettingsService, **values: Any) -> dict[str, Any]:
    return (await service._update(UpdateSettings(values=values), Context())).values


async def test_defaults_until_something_is_set(service: SettingsService, path: Path) -> None:
    assert (await service._get(GetSettings(), Context())).values["theme"] == "system"
    assert not path.exists()
    assert service.check().status == "ok"
    await update(service, theme="dark")
    assert service.current().theme == "dark"
    assert json.loads(path.read_text())["theme"] == "dark"
    assert set(service.handlers()) == {GetSettings, UpdateSettings}


async def test_unknown_keys_are_kept(path: Path, events: Recorder) -> None:
    path.write_text('{"schema_version": 1, "from_later": {"a": [1]}, "max_tokens": 7}')
    service = SettingsService(path, events)
    await update(service, theme="light")
    stored = json.loads(path.read_text())
    assert stored["from_later"] == {"a": [1]} and stored["max_tokens"] == 7 and stored["theme"] == "light"


async def test_a_bad_value_changes_nothing(service: SettingsService, path: Path) -> None:
    with pytest.raises(UsageError, match="temperature"):
        await update(service, temperature=9)
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"\xff\xfe\x00", b"null", b"{}" + b" " * MAX_FILE_BYTES, b"[" * 100_000],
    ids=["empty", "cut", "list", "binary", "null", "large", "deep"],
)
async def test_a_file_that_cannot_be_understood_is_kept_aside(
    service: SettingsService, path: Path, events: Recorder, content: bytes
) -> None:
    path.write_bytes(content)
    assert service.current().max_tokens == 1024
    (notice,) = events.notices()
    assert notice.code == "settings.damaged" and "settings.json.bad-1" in notice.message
    assert path.with_name("settings.json.bad-1").read_bytes() == content
    assert json.loads(path.read_text())["max_tokens"] == 1024
    assert service.check().status == "warning"
    path.write_bytes(content)
    SettingsService(path, events).current()
    assert path.with_name("settings.json.bad-2").exists()


async def test_what_is_good_in_a_bad_file_counts(
    service: SettingsService, path: Path, events: Recorder
) -> None:
    path.write_text('{"max_tokens": 12, "theme": "pink", "temperature": "hot", "other": 1}')
    settings = service.current()
    assert (settings.max_tokens, settings.theme, settings.temperature) == (12, "system", 0.0)
    assert settings.model_dump()["other"] == 1
    assert len(events.notices()) == 1


async def test_a_newer_file_is_used_and_never_written(
    service: SettingsService, path: Path, events: Recorder
) -> None:
    content = json.dumps({"schema_version": SCHEMA_VERSION + 1, "max_tokens": 9, "theme": "sepia"})
    path.write_text(content)
    assert service.current().max_tokens == 9 and service.current().theme == "system"
    with pytest.raises(StorageError, match=r"settings\.newer"):
        await update(service, theme="dark")
    assert path.read_text() == content
    assert events.notices()[0].code == "settings.newer"
    assert service.check().status == "warning" and "newer" in service.check().detail


async def test_a_file_that_cannot_be_read(service: SettingsService, path: Path, events: Recorder) -> None:
    path.symlink_to(path)
    assert service.current().max_tokens == 1024
    assert events.notices()[0].code == "settings.unreadable"
    with pytest.raises(StorageError, match=r"settings\.unreadable"):
        await update(service, theme="dark")
    assert path.is_symlink()


async def test_a_full_disk_keeps_the_old_file(
    service: SettingsService, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await update(service, max_tokens=3)

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StorageError, match=r"settings\.not_saved.*No space"):
        await update(service, max_tokens=4)
    assert json.loads(path.read_text())["max_tokens"] == 3 and service.current().max_tokens == 3
    assert list(path.parent.iterdir()) == [path]


async def test_a_damaged_file_on_a_full_disk(
    service: SettingsService, path: Path, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("{")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    assert service.current().max_tokens == 1024
    assert "could not be replaced" in events.notices()[0].message
    assert path.read_text() == "{"


async def test_the_file_is_the_users_alone(service: SettingsService, path: Path) -> None:
    before = os.umask(0o077)
    try:
        await update(service, theme="dark")
    finally:
        os.umask(before)
    assert mode_of(path) == 0o600
