"""The hub's token: in a keyring that protects it, else in memory; never where a call can wait for ever."""

import threading
from typing import Any

import keyring.backend
import keyring.errors
import pytest
from keyring.backends.chainer import ChainerBackend

from app.host.services.network.access_token import AccessToken, system_keyring


class Ring:
    """A keyring in memory that can fail or wait."""

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], str] = {}
        self.failure: Exception | None = None
        self.gate: threading.Event | None = None

    def _meet(self) -> None:
        if self.gate is not None:
            self.gate.wait(5)
        if self.failure is not None:
            raise self.failure

    def get_password(self, service: str, username: str) -> str | None:
        self._meet()
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._meet()
        self.secrets[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._meet()
        del self.secrets[service, username]


async def test_it_is_kept_in_the_keyring() -> None:
    ring = Ring()
    token = AccessToken(lambda: ring)
    assert await token.get() == "" and token.place == ""
    await token.set("hf_x")
    assert list(ring.secrets.values()) == ["hf_x"] and token.place == "keyring"
    later = AccessToken(lambda: ring)
    assert await later.get() == "hf_x" and later.place == "keyring"
    await later.set("")
    assert not ring.secrets and later.place == "" and await later.get() == ""
    await later.set("")


async def test_without_a_keyring_it_is_kept_in_memory() -> None:
    token = AccessToken(lambda: None)
    await token.set("hf_x")
    assert await token.get() == "hf_x" and token.place == "memory"
    await token.set("")
    assert token.place == ""


async def test_a_keyring_that_fails() -> None:
    ring = Ring()
    ring.failure = keyring.errors.KeyringLocked("locked: hf_x")
    token = AccessToken(lambda: ring)
    assert await token.get() == ""
    await token.set("hf_x")
    assert await token.get() == "hf_x" and token.place == "memory"


async def test_a_keyring_that_waits_for_the_user() -> None:
    ring = Ring()
    ring.gate = threading.Event()
    token = AccessToken(lambda: ring, read_limit_s=0.05, write_limit_s=0.05)
    assert await token.get() == ""
    await token.set("hf_x")
    assert token.place == "memory"
    ring.gate.set()


class _Backend:
    def __init__(self, priority: float) -> None:
        self.priority = priority


def test_only_a_keyring_that_protects_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    best: Any = _Backend(5)
    chainer = ChainerBackend()  # type: ignore[no-untyped-call]
    found: list[object] = [_Backend(0.5), _Backend(-1), best, _Backend(1), chainer]
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: found)
    assert system_keyring() is best
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: found[:2])
    assert system_keyring() is None
