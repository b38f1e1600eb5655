"""Logs are bounded, and never stop the work."""

import faulthandler
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.host import logs
from app.host.logs import RotatingLog, open_host_log


def test_a_raw_log_rotates_within_its_bounds(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    log = RotatingLog(path, max_bytes=100, n_old=2)
    for number in range(50):
        log.write(b"%09d\n" % number)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["worker.log.1", "worker.log.2"] or names == [
        "worker.log",
        "worker.log.1",
        "worker.log.2",
    ]
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 300
    assert (tmp_path / "worker.log.1").read_bytes().endswith(b"000000049\n")
    assert log.n_dropped == 0


def test_what_cannot_be_written_is_dropped(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "gone" / "worker.log")
    log.write(b"12345")
    assert log.n_dropped == 5


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """Put logging and stderr back as they were."""
    root = logging.getLogger()
    handlers, level, stderr = list(root.handlers), root.level, os.dup(2)
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    os.dup2(stderr, 2)
    os.close(stderr)


@pytest.fixture
def no_faulthandler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulthandler, "enable", lambda *_: None)


def test_the_hosts_log_takes_records_and_what_is_printed(
    tmp_path: Path, kept_logging: None, no_faulthandler: None
) -> None:
    path = tmp_path / "host.log"
    open_host_log(path)
    logging.getLogger("app.test").info("a record with \udc80")
    os.write(2, b"printed by a library\n")
    text = path.read_text(encoding="utf-8")
    assert "INFO app.test: a record with \\udc80" in text and "printed by a library" in text


def test_a_log_that_cannot_be_opened_stops_nothing(
    tmp_path: Path, kept_logging: None, no_faulthandler: None
) -> None:
    open_host_log(tmp_path / "gone" / "host.log")
    logging.getLogger("app.test").info("lost")
    os.write(2, b"lost\n")
    assert logs.LOG_BYTES > 0 and not (tmp_path / "gone").exists()
