"""The hub's access token: in the system's keyring, or in memory where there is none that protects it."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)

SERVICE, USER = "h2oGPT Desktop", "model hub"
READ_LIMIT_S = 10.0  # a locked keyring may ask the user
WRITE_LIMIT_S = 60.0
_LEAST_PRIORITY = 1.0  # Source: keyring's own bound for backends that it recommends


class Keyring(Protocol):
    """What is used of a backend of the library keyring."""

    def get_password(self, service: str, username: str) -> str | None:
        """Give a secret; None where there is none."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""

    def delete_password(self, service: str, username: str) -> None:
        """Forget a secret; raises where there is none."""


def system_keyring() -> Keyring | None:
    """Find the best keyring of this system; None where none protects what it keeps.

    Backends that write plain text have a low priority and are not taken.
    """
    import keyring.backend  # it looks for backends on the disk, and most starts never need it
    import keyring.backends.chainer

    found = [
        backend
        for backend in keyring.backend.get_all_keyring()
        if not isinstance(backend, keyring.backends.chainer.ChainerBackend)
        and float(backend.priority) >= _LEAST_PRIORITY
    ]
    return max(found, key=lambda backend: float(backend.priority), default=None)


class AccessToken:
    """Keeps the token; nothing but the seam's first request to the hub gets it.

    A keyring's calls can wait for the user, so each runs in a thread of its own with a deadline.

    Attributes:
        place: `keyring`, `memory` or empty (no token).
    """

    def __init__(
        self,
        find_keyring: Callable[[], Keyring | None] = system_keyring,
        read_limit_s: float = READ_LIMIT_S,
        write_limit_s: float = WRITE_LIMIT_S,
    ) -> None:
        """Take where the keyring is looked for; it is when the token is first needed."""
        self._find_keyring = find_keyring
        self._read_limit_s, self._write_limit_s = read_limit_s, write_limit_s
        self._token: str | None = None
        self._reading = asyncio.Lock()
        self.place = ""

    async def get(self) -> str:
        """Give the token; empty where there is none, or where the keyring does not give it."""
        async with self._reading:
            if self._token is None:
                stored = await _with_deadline(self._read, self._read_limit_s)
                self._token = stored or ""
                self.place = "keyring" if stored else ""
            return self._token

    async def set(self, token: str) -> None:
        """Keep a token, in memory alone where no keyring takes it; empty: forget it."""
        async with self._reading:
            kept = await _with_deadline(lambda: self._write(token), self._write_limit_s)
            self._token = token
            self.place = "" if not token else "keyring" if kept else "memory"

    def _read(self) -> str:
        keyring = self._find_keyring()
        return (keyring.get_password(SERVICE, USER) or "") if keyring is not None else ""

    def _write(self, token: str) -> bool:
        keyring = self._find_keyring()
        if keyring is None:
            return False
        if token:
            keyring.set_password(SERVICE, USER, token)
        elif keyring.get_password(SERVICE, USER) is not None:
            keyring.delete_password(SERVICE, USER)
        return True


async def _with_deadline(call: Callable[[], T], limit_s: float) -> T | None:
    """Run a call in a thread of its own; None where it fails or takes too long.

    Not in the loop's pool: the end of the host would wait for a thread that waits for the user.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T | None] = loop.create_future()

    def settle(value: T | None) -> None:
        if not result.done():
            result.set_result(value)

    def run() -> None:
        value: T | None = None
        try:
            value = call()
        except Exception as error:  # the border of a thread; backends raise what they like
            log.info("the keyring failed (%s)", type(error).__name__)  # its text could hold the secret
        try:
            loop.call_soon_threadsafe(settle, value)
        except RuntimeError:
            log.info("the keyring answered after the host had ended")

    threading.Thread(target=run, name="keyring", daemon=True).start()
    try:
        return await asyncio.wait_for(result, limit_s)
    except TimeoutError:
        log.info("the keyring did not answer in time")
        return None
