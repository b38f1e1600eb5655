"""Fetches one file of the hub until all of it is on the disk, whatever the network does meanwhile.

Each try opens one connection and goes on where the last one ended (`Range` with `If-Range`); what does not
fit to what has come starts the file over. Whether the bytes are the right ones is for the checksum to say.

Source: RFC 9110, sections 10.2.3 (Retry-After), 13.1.5 (If-Range), 14 (Range), 15.3.7 (206), 15.5.17 (416).
"""

import asyncio
import contextlib
import errno
import os
import random
import re
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

from app.core.errors import AppError, StorageError
from app.host.services.download_store import DownloadStore, Record
from app.host.services.hub import Hub
from app.host.services.network import Answer, NetworkError
from app.host.services.transfer_pace import Bandwidth, Room, Speed, no_space

T = TypeVar("T")

BUFFER_BYTES = 1024 * 1024
BUFFER_S = 0.25
MAX_WAIT_S = 3600.0
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_DIGITS = re.compile(r"[0-9]{1,18}")
# One that vouches for every byte, and that can be sent back in a header.
_STRONG_ETAG = re.compile(r"(?!W/)[\x20-\x7e]{1,200}")
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


@dataclass(frozen=True)
class Limits:
    """How patient a download is.

    Attributes:
        stall_s: without a byte until a new connection is opened.
        slow_window_s: time in which at least `slow_bytes` must come.
        backoff_s: waits between tries, the last for all further; each is made up to a half longer by chance.
        n_failures: tries in a row that brought less than `progress_bytes` until the download fails.
        n_restarts: how often a file may start over in one go.
        room_poll_s: between looks at the disk's room.
    """

    stall_s: float = 20.0
    slow_window_s: float = 60.0
    slow_bytes: int = 4096
    backoff_s: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
    n_failures: int = 8
    progress_bytes: int = 256 * 1024
    n_restarts: int = 2
    room_poll_s: float = 5.0


class Job:
    """One download as it runs.

    Attributes:
        record: what is stored of it.
        live: the state while it runs: `starting`, `running`, `stalled`, `retrying` or `verifying`.
        done_bytes: on the disk, or read for the checksum.
        task: that works on it; None where none does.
        retry_in_s: from the last change of state until the next try; None where none is waited for.
    """

    def __init__(self, record: Record, announce: Callable[["Job"], None]) -> None:
        """Take the record and who is told of each change."""
        self.record, self._announce = record, announce
        self.live = ""
        self.done_bytes = 0
        self.speed = Speed()
        self.task: asyncio.Task[None] | None = None
        self.retry_in_s: float | None = None

    def show(self, live: str, error: AppError | None = None, retry_in_s: float | None = None) -> None:
        """Change the live state, and what is said of it."""
        self.live, self.retry_in_s = live, retry_in_s
        self.say(error)
        self._announce(self)

    def say(self, error: AppError | None) -> None:
        """Change what is said of the download."""
        self.record = replace(
            self.record,
            error_code=error.code if error else "",
            error_message=error.user_message if error else "",
            error_hint=error.hint if error else "",
        )

    def moved(self, done_bytes: int) -> None:
        """Note progress."""
        self.done_bytes = done_bytes
        self.speed.note(done_bytes)
        self._announce(self)


class _TryAgainError(Exception):
    """A try failed in a way that another may not."""

    def __init__(
        self, error: AppError, *, live: str = "retrying", wait_s: float | None = None, restart: bool = False
    ) -> None:
        super().__init__(error.code)
        self.error, self.live, self.wait_s, self.restart = error, live, wait_s, restart


class Transfer:
    """Fetches files. Used by tasks of the host's loop; the disk is written in threads."""

    def __init__(
        self, hub: Hub, store: DownloadStore, bandwidth: Bandwidth, room: Room, limits: Limits
    ) -> None:
        """Take what it works with."""
        self._hub, self._store, self._bandwidth = hub, store, bandwidth
        self._room, self._limits = room, limits

    async def fetch(self, job: Job) -> None:
        """Return when the part file has the size that the hub names.

        Raises:
            AppError: `network.off`; `download.no_space`; or the cause for which no further try is made.
        """
        n_failures = n_restarts = 0
        while True:
            job.done_bytes = before = await asyncio.to_thread(self._store.part_bytes, job.record)
            try:
                await self._try(job)
                return
            except _TryAgainError as failure:
                have = await asyncio.to_thread(self._store.part_bytes, job.record)
                n_failures = 1 if have - before >= self._limits.progress_bytes else n_failures + 1
                n_restarts += failure.restart
                if n_failures >= self._limits.n_failures or n_restarts > self._limits.n_restarts:
                    raise failure.error from failure
                if failure.restart:
                    await self.start_over(job)
                job.speed.clear()
                wait_s = self._wait_s(failure, n_failures)
                job.show(failure.live, failure.error, wait_s)
                await asyncio.sleep(wait_s)

    async def start_over(self, job: Job) -> None:
        """Forget what has come."""
        await asyncio.to_thread(self._store.part_path(job.record).unlink, missing_ok=True)
        job.record = replace(job.record, etag="")
        await asyncio.to_thread(self._store.save, job.record)
        job.done_bytes = 0

    def _wait_s(self, failure: _TryAgainError, n_failures: int) -> float:
        steps = self._limits.backoff_s
        own = steps[min(n_failures, len(steps)) - 1] * random.uniform(1.0, 1.5)  # noqa: S311  # no secret
        return max(own, failure.wait_s or 0.0)

    async def _try(self, job: Job) -> None:
        """Open one connection and read what it gives."""
        record, offset = job.record, job.done_bytes
        if offset > record.size_bytes:
            raise _TryAgainError(_other_size(record, offset), restart=True)
        await asyncio.to_thread(self._room.check, record.size_bytes - offset)
        if offset == record.size_bytes > 0:
            return
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and record.etag:
            headers["If-Range"] = record.etag
        job.record = replace(record, n_tries=record.n_tries + 1)
        job.live, job.retry_in_s = "starting", None
        job.moved(offset)
        url = self._hub.file_url(record.repository, record.revision, record.file)
        why = f"download of {record.name} from {record.repository}"
        try:
            async with self._hub.network.open_url(url, why, headers, await self._hub.token()) as answer:
                await self._refuse_failed(job.record, answer)
                start = _start_of(job.record, answer, offset)
                await self._receive(job, answer, start)
        except NetworkError as error:
            if error.code == "network.failed":
                raise _TryAgainError(error) from error
            raise

    async def _refuse_failed(self, record: Record, answer: Answer) -> None:
        """Tell refusals that may pass from those that stay."""
        if answer.status == 416:
            raise _TryAgainError(_bad_range(record), restart=True)
        if answer.status >= 400 and answer.is_redirected:
            # A link that the hub gave can run out; the next try gets a new one.
            raise _TryAgainError(_refused(answer), wait_s=retry_after_s(answer))
        try:
            await self._hub.refuse_failed(answer, record.repository)
        except AppError as error:
            if answer.status in (408, 425, 429) or answer.status >= 500:
                raise _TryAgainError(error, wait_s=retry_after_s(answer)) from error
            raise

    async def _receive(self, job: Job, answer: Answer, start: int) -> None:
        """Write what comes, from `start` on."""
        etag = answer.headers.get("etag", "")
        job.record = replace(job.record, etag=etag if _STRONG_ETAG.fullmatch(etag) else "")
        started_over = start < job.done_bytes
        file = await asyncio.to_thread(_open_at, self._store.part_path(job.record), start)
        writer = _Writer(job, file, start)
        try:
            await asyncio.to_thread(self._store.save, job.record)  # the mark of bytes that are cut to fit it
            job.show("running", _restarted(job.record) if started_over else None)
            await self._read_into(writer, job, answer)
        finally:
            await finished(writer.close)
            job.moved(writer.n_written)
        if writer.n_bytes < job.record.size_bytes:
            raise _TryAgainError(_ended_early(job.record, writer.n_bytes))

    async def _read_into(self, writer: "_Writer", job: Job, answer: Answer) -> None:
        size, limits = job.record.size_bytes, self._limits
        slow = _SlowWatch(limits, writer.n_bytes)
        room_at = time.monotonic() + limits.room_poll_s
        async with contextlib.aclosing(answer.chunks()) as chunks:
            while chunk := await self._next(chunks, answer.host):
                if writer.n_bytes + len(chunk) > size:
                    raise _TryAgainError(_other_size(job.record, writer.n_bytes + len(chunk)), restart=True)
                paused_at = time.monotonic()
                await self._bandwidth.take(len(chunk))
                await writer.write(chunk)
                now = time.monotonic()
                slow.excuse(now - paused_at)
                job.moved(writer.n_written)
                if now >= room_at:
                    room_at = now + limits.room_poll_s
                    await asyncio.to_thread(self._room.check, size - writer.n_bytes)
                slow.check(writer.n_bytes, now, answer.host)

    async def _next(self, chunks: AsyncGenerator[bytes, None], host: str) -> bytes:
        try:
            async with asyncio.timeout(self._limits.stall_s):
                return await anext(chunks, b"")
        except TimeoutError as error:
            raise _TryAgainError(_stalled(host), live="stalled") from error


class _SlowWatch:
    """Notices a server that sends, but next to nothing; waiting for our own limit does not count."""

    def __init__(self, limits: Limits, n_bytes: int) -> None:
        self._limits = limits
        self._since, self._n_bytes = time.monotonic(), n_bytes

    def excuse(self, seconds: float) -> None:
        self._since += seconds

    def check(self, n_bytes: int, now: float, host: str) -> None:
        if now - self._since < self._limits.slow_window_s:
            return
        if n_bytes - self._n_bytes < self._limits.slow_bytes:
            raise _TryAgainError(_stalled(host), live="stalled")
        self._since, self._n_bytes = now, n_bytes


class _Writer:
    """Writes pieces to the part file through a buffer, in threads.

    Attributes:
        n_bytes: that have come.
        n_written: that have been handed to the system: they outlive the end of the program.
    """

    def __init__(self, job: Job, file: BinaryIO, start: int) -> None:
        self._job, self._file = job, file
        self._buffer = bytearray()
        self._written_at = time.monotonic()
        self.n_bytes = self.n_written = start

    async def write(self, data: bytes) -> None:
        self._buffer += data
        self.n_bytes += len(data)
        now = time.monotonic()
        if len(self._buffer) >= BUFFER_BYTES or now - self._written_at >= BUFFER_S:
            self._written_at = now
            whole, self._buffer = bytes(self._buffer), bytearray()
            await finished(lambda: self._put(whole))

    def close(self) -> None:
        """Write the rest; also what came before the connection broke is kept."""
        with self._file:
            self._put(bytes(self._buffer))

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise disk_failure(error, self._job.record) from error
        self.n_written += len(data)


async def finished(call: Callable[[], T]) -> T:
    """Run a call in a thread, to its end even where the task is cancelled: nothing writes behind its back."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):  # the cancelling is what is told
            await work
        raise


def disk_failure(error: OSError, record: Record) -> StorageError:
    """Give the error of a disk that takes nothing more."""
    if error.errno in _FULL:
        return no_space(record.size_bytes, 0, 0)
    return StorageError(
        "download.not_written",
        f"“{record.name}” cannot be written ({error.strerror or type(error).__name__}).",
        "Check that the models folder can be written and that its drive is connected, then resume.",
        {"errno": error.errno},
    )


def retry_after_s(answer: Answer) -> float | None:
    """Read how long a server wants to be left alone; None where it does not say."""
    value = answer.headers.get("retry-after", "").strip()
    if _DIGITS.fullmatch(value):
        return min(float(value), MAX_WAIT_S)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), MAX_WAIT_S)


def _start_of(record: Record, answer: Answer, offset: int) -> int:
    """Tell where in the file the answer's body starts; refuse what does not fit.

    Raises:
        AppError: what no further try would change.
    """
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind == "text/html":
        raise NetworkError(
            "download.web_page",
            f"{answer.host} sent a web page instead of the file.",
            "If this network wants you to log in first, do so in a browser; then resume.",
        )
    if answer.headers.get("content-encoding", "identity").strip().casefold() not in ("", "identity"):
        raise NetworkError(
            "download.packed",
            f"{answer.host} sent the file packed in a way that cannot be checked.",
            "Choose another address of the hub in the settings, or try again later.",
        )
    if answer.status == 206 and offset:
        _check_range(record, answer, offset)
        return offset
    if answer.status != 200:
        raise _TryAgainError(_bad_range(record), restart=answer.status == 206)
    length = answer.headers.get("content-length", "")
    if _DIGITS.fullmatch(length) and int(length) != record.size_bytes:
        raise _TryAgainError(_other_size(record, int(length)), restart=True)
    return 0


def _check_range(record: Record, answer: Answer, offset: int) -> None:
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if found is None:
        raise _TryAgainError(_bad_range(record), restart=True)
    total = found[3]
    if total != "*" and int(total) != record.size_bytes:
        raise _TryAgainError(_other_size(record, int(total)), restart=True)
    if int(found[1]) != offset or int(found[2]) >= record.size_bytes:
        raise _TryAgainError(_bad_range(record), restart=True)
    etag = answer.headers.get("etag", "")
    if record.etag and etag and etag != record.etag:
        raise _TryAgainError(_restarted(record), restart=True)


def _open_at(path: Path, start: int) -> BinaryIO:
    """Open the part file for writing from `start` on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    file = os.fdopen(descriptor, "wb")
    file.truncate(start)
    file.seek(start)
    return file


def _restarted(record: Record) -> NetworkError:
    return NetworkError(
        "download.restarted",
        "The server does not go on where the download ended, or its file is another one now; it starts over.",
    )


def _bad_range(record: Record) -> NetworkError:
    return NetworkError(
        "download.bad_range",
        "The server sent another piece of the file than was asked for.",
        "Resume to try again, or choose another address of the hub in the settings.",
    )


def _other_size(record: Record, n_bytes: int) -> NetworkError:
    return NetworkError(
        "download.other_size",
        f"The server's file has another size ({n_bytes:,} bytes) than the hub names ({record.size_bytes:,}).",
        "Try again later, or choose another address of the hub in the settings.",
        {"size_bytes": n_bytes, "expected_bytes": record.size_bytes},
    )


def _ended_early(record: Record, n_bytes: int) -> NetworkError:
    return NetworkError(
        "download.ended_early",
        f"The connection ended early: {n_bytes:,} of {record.size_bytes:,} bytes have come.",
        "Check the connection, then resume.",
    )


def _refused(answer: Answer) -> NetworkError:
    return NetworkError(
        "download.refused",
        f"{answer.host}, where the hub keeps the file, refused to send it ({answer.status}).",
        "Resume to try again; if it happens again, wait for some hours.",
        {"status": answer.status},
    )


def _stalled(host: str) -> NetworkError:
    return NetworkError(
        "download.stalled",
        f"{host} sends nothing, or next to nothing, any more; a new connection is tried.",
        "Check the connection; the download can be paused and resumed at any time.",
    )
