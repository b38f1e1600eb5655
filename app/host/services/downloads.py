"""Downloads of models: a queue that survives every end of the program.

A file becomes visible in the models folder when its bytes were compared with the hub's checksum, and files
that make one model when all of them were. Until then it lies in `models/.downloads`, where nothing looks for
models.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from app.core.errors import AppError, NotFoundError
from app.host.services.download_checks import Stopped, check_bytes, check_model
from app.host.services.download_events import Announcer, body_of
from app.host.services.download_plan import Catalogue, planned, wish_of
from app.host.services.download_store import (
    DONE,
    FAILED,
    PAUSED,
    QUEUED,
    RUNNING,
    VERIFIED,
    DownloadStore,
    Record,
)
from app.host.services.hub import Hub
from app.host.services.network.errors import switched_off
from app.host.services.ports import Events, Handler, RequestContext, SettingsPort
from app.host.services.transfer import Job, Limits, Transfer, disk_failure, finished
from app.host.services.transfer_pace import Bandwidth, Disk, Room, disk_of
from app.protocol.body import Body
from app.protocol.downloads import (
    CancelDownload,
    DownloadList,
    ListDownloads,
    PauseDownload,
    ResumeDownload,
    StartDownload,
)
from app.protocol.system import Empty

log = logging.getLogger(__name__)

N_BAD_CHECKSUMS = 2
N_KEPT = 50
_ENDED = frozenset({DONE, FAILED})


class DownloadsService:
    """Runs the downloads. All of it in the host's loop; the disk is written and read in threads."""

    def __init__(
        self,
        models_dir: Path,
        hub: Hub,
        catalogue: Catalogue,
        settings: SettingsPort,
        events: Events,
        limits: Limits | None = None,
        look: Callable[[Path], Disk] = disk_of,
    ) -> None:
        """Take what it works with; nothing is read or started.

        Args:
            models_dir: where models become visible.
            hub: what is asked and fetched from.
            catalogue: gives the entry of an id.
            settings: how many at once, and how fast.
            events: where changes are announced.
            limits: of patience.
            look: tells a disk's size and room.
        """
        self._hub, self._catalogue, self._settings = hub, catalogue, settings
        self._limits = limits or Limits()
        self._store = DownloadStore(models_dir)
        self._room = Room(models_dir, look)
        bandwidth = Bandwidth(lambda: settings.current().bandwidth_limit_kb_s)
        self._transfer = Transfer(hub, self._store, bandwidth, self._room, self._limits)
        self._announcer = Announcer(events)
        self._jobs: dict[str, Job] = {}
        self._planning, self._publishing = asyncio.Lock(), asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._closed = False

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {
            ListDownloads: self._list,
            StartDownload: self._start,
            PauseDownload: self._pause,
            ResumeDownload: self._resume,
            CancelDownload: self._cancel,
        }

    async def open(self) -> None:
        """Read what was under way when the program ended, and go on with what ran."""
        await asyncio.to_thread(self._store.sweep)
        for record in await asyncio.to_thread(self._store.load):
            state = QUEUED if record.state == RUNNING else record.state
            job = Job(replace(record, state=state), self._announcer.announce)
            job.done_bytes = await asyncio.to_thread(self._bytes_here, record)
            self._jobs[record.id] = job
        await self._forget_old()
        for group in {job.record.group for job in self._jobs.values()}:
            await self._publish_group(group)
        self._watch_for_room()
        self._pump()

    async def close(self) -> None:
        """Break off what runs; it goes on at the next start."""
        self._closed = True
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        tasks += [self._watch] if self._watch is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._announcer.close()

    def is_busy(self) -> bool:
        """Whether a download runs or waits for its turn."""
        return any(job.task is not None or job.record.state == QUEUED for job in self._jobs.values())

    async def _forget_old(self) -> None:
        """Drop ended downloads: all but the last ones, and those whose file was removed since."""
        done = [job for job in self._jobs.values() if job.record.state == DONE]
        gone = await asyncio.to_thread(
            lambda: [job for job in done[-N_KEPT:] if not self._store.target_path(job.record).exists()]
        )
        for job in [*done[:-N_KEPT], *gone]:
            if self._jobs.pop(job.record.id, None) is not None:
                await asyncio.to_thread(self._store.remove, job.record)

    def _bytes_here(self, record: Record) -> int:
        if record.state == DONE:
            return record.size_bytes
        return self._store.part_bytes(record)

    # ------------------------------------------------------------------------------ requests

    async def _list(self, request: ListDownloads, context: RequestContext) -> DownloadList:
        await self._forget_old()
        return DownloadList(downloads=tuple(body_of(job) for job in self._jobs.values()))

    async def _start(self, request: StartDownload, context: RequestContext) -> DownloadList:
        if self._hub.network.offline:
            raise switched_off()
        wish = wish_of(request, self._catalogue)
        async with self._planning:  # two wishes for one name see each other
            same = self._same(wish.repository, wish.file)
            if same:
                await self._go_on(same)
                return DownloadList(downloads=tuple(body_of(job) for job in same))
            names = [job.record.name for job in self._jobs.values() if job.record.state != DONE]
            records = await planned(wish, self._hub, self._store.models_dir, names)
            new = sum(record.size_bytes for record in records)
            await asyncio.to_thread(self._room.check, new + self._outstanding_bytes())
            await self._save_all(records)
            jobs = [Job(record, self._announcer.announce) for record in records]
            self._jobs |= {job.record.id: job for job in jobs}
        for job in jobs:
            self._announcer.announce(job)
        self._pump()
        return DownloadList(downloads=tuple(body_of(job) for job in jobs))

    async def _save_all(self, records: list[Record]) -> None:
        """Write the records of one model: all of them, or none."""

        def save() -> None:
            for record in records:
                self._store.save(record)

        try:
            await finished(save)
        except BaseException as error:  # also where the front end that asked has gone
            for record in records:
                self._store.remove(record)
            if isinstance(error, OSError):
                raise disk_failure(error, records[0]) from error
            raise

    def _same(self, repository: str, file: str) -> list[Job]:
        """Find the unfinished downloads that the wish for a file has begun before."""
        group = next(
            (
                job.record.group
                for job in self._jobs.values()
                if (job.record.repository, job.record.file) == (repository, file) and job.record.state != DONE
            ),
            None,
        )
        return [] if group is None else self._group(group)

    def _outstanding_bytes(self) -> int:
        waiting = [job for job in self._jobs.values() if job.record.state not in (*_ENDED, VERIFIED)]
        return sum(max(0, job.record.size_bytes - self._written(job)) for job in waiting)

    def _written(self, job: Job) -> int:
        return job.record.size_bytes if job.live == "verifying" else job.done_bytes

    async def _pause(self, request: PauseDownload, context: RequestContext) -> Empty:
        chosen = [self._job(request.id)] if request.id else list(self._jobs.values())
        for job in chosen:
            if job.record.state in (QUEUED, RUNNING) or (job.record.state == PAUSED and job.record.waits_for):
                await self._stop(job)
                job.say(None)
                await self._set_state(job, PAUSED)
        self._pump()
        return Empty()

    async def _resume(self, request: ResumeDownload, context: RequestContext) -> Empty:
        if self._hub.network.offline:
            raise switched_off()
        if request.id:
            await self._go_on([self._job(request.id)])
        else:
            await self._go_on([job for job in self._jobs.values() if job.record.state == PAUSED])
        return Empty()

    async def _go_on(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if job.record.state in (PAUSED, FAILED):
                job.say(None)
                await self._set_state(job, QUEUED)
        self._pump()

    async def _cancel(self, request: CancelDownload, context: RequestContext) -> Empty:
        job = self._job(request.id)
        # Part of a model is of no use: what has not ended goes with it.
        jobs = [job] if job.record.state == DONE else self._group(job.record.group)
        for member in jobs:
            await self._stop(member)
            await asyncio.to_thread(self._store.remove, member.record)
            del self._jobs[member.record.id]
            member.live = "" if member.record.state in _ENDED else "cancelled"
            self._announcer.removed(member)
        self._pump()
        return Empty()

    def _job(self, id: str) -> Job:
        job = self._jobs.get(id)
        if job is None:
            raise NotFoundError("download.not_found", "There is no such download.", "Look at the list again.")
        return job

    def _group(self, group: str) -> list[Job]:
        jobs = [job for job in self._jobs.values() if job.record.group == group]
        return sorted(jobs, key=lambda job: job.record.order)

    # ---------------------------------------------------------------------------------- work

    def _pump(self) -> None:
        """Start what waits, as many at once as the settings say."""
        if self._closed:
            return
        n_running = sum(job.task is not None for job in self._jobs.values())
        for job in self._jobs.values():
            if n_running >= self._settings.current().simultaneous_downloads:
                return
            if job.record.state == QUEUED and job.task is None:
                job.task = asyncio.create_task(self._work(job), name=f"download {job.record.id}")
                n_running += 1

    async def _stop(self, job: Job) -> None:
        """End the work on a download; returns when nothing writes any more."""
        task = job.task
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
            job.task = None  # one that was ended before its first step did not see to it
        job.live = ""

    async def _work(self, job: Job) -> None:
        try:
            await self._set_state(job, RUNNING)
            await self._fetch_and_check(job)
            await self._set_state(job, VERIFIED)
            await self._publish_group(job.record.group)
        except AppError as error:
            await self._note_failure(job, error)
        except OSError as error:
            await self._note_failure(job, disk_failure(error, job.record))
        except Exception as error:  # the border of a task: a defect ends this download alone
            log.exception("a download failed inside")
            await self._note_failure(
                job,
                AppError(
                    "download.failed",
                    f"Something went wrong inside ({type(error).__name__}).",
                    "Resume to try again; if it happens again, logs/host.log says more.",
                ),
            )
        finally:
            job.task = None
            self._pump()

    async def _fetch_and_check(self, job: Job) -> None:
        """Fetch until the checksum is right; a second wrong one is the end."""
        for n_bad in range(1, N_BAD_CHECKSUMS + 1):
            await self._transfer.fetch(job)
            try:
                await self._check(job)
                return
            except AppError as error:
                await self._transfer.start_over(job)
                if error.code != "download.bad_checksum" or n_bad == N_BAD_CHECKSUMS:
                    raise
                job.show("retrying", error)

    async def _check(self, job: Job) -> None:
        path, stop = self._store.part_path(job.record), threading.Event()
        job.speed.clear()
        job.done_bytes = 0
        job.show("verifying")
        loop = asyncio.get_running_loop()

        def on_progress(n_bytes: int) -> None:
            loop.call_soon_threadsafe(job.moved, n_bytes)

        def check() -> None:
            with contextlib.suppress(Stopped):
                check_bytes(path, job.record, stop, on_progress)
                if not stop.is_set():
                    check_model(path, job.record)

        try:
            await _stoppable(check, stop)
        finally:
            job.done_bytes = job.record.size_bytes

    async def _publish_group(self, group: str) -> None:
        """Let the files of a model become visible, once all of them are verified."""
        async with self._publishing:
            jobs = self._group(group)
            if any(job.record.state not in (VERIFIED, DONE) for job in jobs):
                return
            for job in jobs:
                if job.record.state == VERIFIED and not await self._publish(job):
                    return  # what makes the model loadable comes last, and not before the rest

    async def _publish(self, job: Job) -> bool:
        try:
            await finished(lambda: self._store.publish(job.record))
        except FileExistsError:
            error = AppError(
                "download.exists",
                f"“{job.record.name}” came whole, but another file has that name now.",
                "Rename or remove that file, then resume.",
            )
            await self._note_failure(job, error)
        except OSError as error:
            await self._note_failure(job, disk_failure(error, job.record))
        else:
            job.done_bytes = job.record.size_bytes
            job.say(None)
            await self._set_state(job, DONE)
            return True
        return False

    async def _note_failure(self, job: Job, error: AppError) -> None:
        """Pause where the program can go on once the cause has gone, else fail."""
        waits = error.code == "download.no_space"
        if error.code == "network.off":
            error = AppError(error.code, error.user_message, "Allow them in the settings, then resume.")
        job.say(error)
        job.record = replace(job.record, waits_for="disk" if waits else "")
        state = PAUSED if waits or error.code == "network.off" else FAILED
        await self._set_state(job, state, waits_for=job.record.waits_for)
        self._watch_for_room()

    def _watch_for_room(self) -> None:
        waits = any(job.record.waits_for for job in self._jobs.values())
        if waits and self._watch is None and not self._closed:
            self._watch = asyncio.create_task(self._watch_room(), name="room for downloads")

    async def _watch_room(self) -> None:
        """Go on with downloads that wait for room, once there is."""
        try:
            while waiting := [job for job in self._jobs.values() if job.record.waits_for == "disk"]:
                await asyncio.sleep(self._limits.room_poll_s)
                for job in waiting:
                    if job.record.waits_for and await self._has_room(job):
                        await self._go_on([job])
        finally:
            self._watch = None

    async def _has_room(self, job: Job) -> bool:
        have = await asyncio.to_thread(self._store.part_bytes, job.record)
        try:
            await asyncio.to_thread(self._room.check, job.record.size_bytes - have)
        except (AppError, OSError):
            return False
        return True

    async def _set_state(self, job: Job, state: str, waits_for: str = "") -> None:
        job.record = replace(job.record, state=state, waits_for=waits_for)
        job.live = "starting" if state == RUNNING else ""
        job.speed.clear()
        try:
            await self._save(job)
        except (
            OSError
        ) as error:  # the disk may be full; what is stored is an earlier state of the same download
            log.info("the state of a download could not be written: %s", error)
        self._announcer.announce(job, at_once=state in (PAUSED, DONE, FAILED))

    async def _save(self, job: Job) -> None:
        await finished(lambda: self._store.save(job.record))


async def _stoppable(call: Callable[[], None], stop: threading.Event) -> None:
    """Run a call in a thread; cancelling tells it to stop, and waits until it has."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        with contextlib.suppress(Exception):  # the cancelling is what is told
            await work
        raise
