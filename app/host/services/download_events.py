"""What front ends are told of downloads, at most four times a second for each."""

import asyncio
import math
from pathlib import PurePosixPath

from app.host.services.download_store import DONE, RUNNING, VERIFIED, Record
from app.host.services.ports import Events
from app.host.services.transfer import Job
from app.protocol.downloads import Download, DownloadChanged

MIN_GAP_S = 0.25


def body_of(job: Job) -> Download:
    """Describe a download as it is now."""
    record = job.record
    state = _state(job)
    speed = job.speed.value() if record.state == RUNNING and state in ("running", "verifying") else None
    left = record.size_bytes - job.done_bytes
    return Download(
        id=record.id,
        title=record.title,
        repository=record.repository,
        revision=record.revision,
        name=record.name,
        state=state,
        done_bytes=job.done_bytes,
        total_bytes=record.size_bytes,
        bytes_per_s=speed,
        eta_s=left / speed if speed and state == "running" else None,
        error_code=record.error_code,
        error_message=record.error_message,
        error_hint=record.error_hint,
        n_tries=record.n_tries,
        sha256=record.sha256,
        model=_model(record) if record.state == DONE else "",
        group=record.group,
        retry_in_s=job.retry_in_s if state == "retrying" else None,
    )


def _state(job: Job) -> str:
    if job.live:
        return job.live
    return {RUNNING: "starting", VERIFIED: "verifying"}.get(job.record.state, job.record.state)


def _model(record: Record) -> str:
    """Give the name of the model that a file is, as the list of models shows it; empty for a projector."""
    return PurePosixPath(record.name).stem if record.role == "model" else ""


class Announcer:
    """Publishes changes, the last one of a burst included. Used by tasks of the host's loop."""

    def __init__(self, events: Events) -> None:
        """Take where events go."""
        self._events = events
        self._told_at: dict[str, float] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}

    def announce(self, job: Job, at_once: bool = False) -> None:
        """Tell of a change now, or as soon as the last telling is MIN_GAP_S old; an end is told at once."""
        id = job.record.id
        loop = asyncio.get_running_loop()
        wait = self._told_at.get(id, -math.inf) + MIN_GAP_S - loop.time()
        if wait <= 0 or at_once:
            self._forget(id)
            self._told_at[id] = loop.time()
            self._events.publish(DownloadChanged(download=body_of(job)))
        elif id not in self._later:
            self._later[id] = loop.call_later(wait, self.announce, job)

    def removed(self, job: Job) -> None:
        """Tell that a download has left the list."""
        self._forget(job.record.id)
        self._told_at.pop(job.record.id, None)
        self._events.publish(DownloadChanged(download=body_of(job), removed=True))

    def close(self) -> None:
        """Tell nothing any more."""
        for id in list(self._later):
            self._forget(id)

    def _forget(self, id: str) -> None:
        later = self._later.pop(id, None)
        if later is not None:
            later.cancel()
