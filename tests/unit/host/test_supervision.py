"""Workers are started on demand, die in words, come back, and are given up in words."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.core.errors import AppError, WorkerError
from app.host import supervision as module
from app.host.services.ports import Cancelled
from app.host.supervision import Worker, stop_all, workers_status
from app.protocol.body import Body
from app.protocol.engine import TokenCounts, TokenGenerated
from app.protocol.envelope import Message
from app.protocol.library import AddPaths
from app.protocol.system import WorkerStatus
from tests.unit.host.conftest import (
    QUICK,
    Recorder,
    WorkerMaker,
    fake_command,
    is_alive,
    pid_of,
    say,
    until,
)

pytestmark = pytest.mark.slow  # real processes, one after the other


async def test_starts_with_the_first_request_and_serves(make_worker: WorkerMaker, events: Recorder) -> None:
    worker = make_worker()
    assert worker.status() == WorkerStatus(kind="inference", state="stopped", pid=None, restarts=0)
    result, payload = await worker.call_with_payload(say("payload"), b"sent along")
    assert payload == b"raw"
    assert worker.is_ready and worker.generation == 1
    assert worker.status().pid == result.counts[0]
    assert workers_status({"inference": worker}) == (worker.status(),)
    assert events.states("inference") == ["starting", "ready"]


async def test_requests_at_the_same_time_share_one_start(make_worker: WorkerMaker) -> None:
    worker = make_worker()
    pids = await asyncio.gather(*(pid_of(worker) for _ in range(5)))
    assert len(set(pids)) == 1


async def test_streams_progress_and_skips_what_it_does_not_know(make_worker: WorkerMaker) -> None:
    worker = make_worker()
    bodies: list[Body] = [body async for body in worker.stream(say("progress"))]
    assert [body.text for body in bodies if isinstance(body, TokenGenerated)] == ["0 ", "1 ", "2 "]
    assert isinstance(bodies[-1], TokenCounts) and len(bodies) == 4
    assert len([body async for body in worker.stream(say("unknown progress"))]) == 1
    with pytest.raises(WorkerError, match=r"worker\.bad_answer"):
        _ = [body async for body in worker.stream(say("bad progress"))]
    with pytest.raises(WorkerError, match=r"worker\.bad_answer"):
        await worker.call(say("bad result"))


async def test_passes_on_errors_and_cancellations(make_worker: WorkerMaker) -> None:
    worker = make_worker()
    with pytest.raises(AppError) as failure:
        await worker.call(say("error"))
    assert (failure.value.code, failure.value.hint, failure.value.context) == (
        "engine.failed",
        "Try.",
        {"a": 1},
    )
    process, _ = await worker._ready_process()
    waiting = asyncio.create_task(worker.call(say("wait")))
    await asyncio.sleep(0.05)
    for request_id in process.channel._open:  # a ping may be among them
        process.channel.cancel(request_id)
    with pytest.raises(Cancelled) as cancelled:
        await waiting
    assert cancelled.value.body == {"counts": [7]}


async def test_leaving_early_cancels_in_the_worker(make_worker: WorkerMaker) -> None:
    worker = make_worker()
    await pid_of(worker)
    task = asyncio.create_task(worker.call(say("wait")))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await pid_of(worker)


DEATHS = [
    (("SIGSEGV",), "crashed (SIGSEGV)", "SIGSEGV"),
    (("SIGBUS",), "crashed (SIGBUS)", "SIGBUS"),
    (("SIGABRT",), "crashed (SIGABRT)", "SIGABRT"),
    (("SIGKILL",), "memory ran out", "SIGKILL"),
    (("SIGTERM",), "was ended from outside (SIGTERM)", "SIGTERM"),
    (("exit", "0"), "ended unexpectedly", ""),
    (("exit", "3"), "ended with an error (exit code 3)", ""),
    (("garbage",), "sent something that makes no sense", ""),
    (("huge",), "sent something that makes no sense", ""),
    (("hang",), "did not answer for 1 seconds", ""),
]


@pytest.mark.parametrize(("texts", "words", "signal_name"), DEATHS, ids=lambda value: str(value))
async def test_each_death_is_told_in_words_and_survived(
    make_worker: WorkerMaker, events: Recorder, texts: tuple[str, ...], words: str, signal_name: str
) -> None:
    worker = make_worker(limits=replace(QUICK, heartbeat_s=1.0))
    ended: list[int] = []
    worker.listen(on_end=lambda: ended.append(1))
    first = await pid_of(worker)
    with pytest.raises(WorkerError) as failure:
        await worker.call(say(*texts), activity="while counting")
    assert failure.value.code == "worker.died"
    assert failure.value.user_message.startswith("The process that writes answers")
    assert words in failure.value.user_message and "while counting" in failure.value.user_message
    assert failure.value.context == {"kind": "inference", "signal": signal_name}
    assert failure.value.hint
    second = await pid_of(worker)
    assert second != first and not is_alive(first)
    assert worker.generation == 2 and worker.status().restarts == 1 and ended == [1]
    assert events.states("inference") == ["starting", "ready", "restarting", "ready"]
    (notice,) = events.notices()
    assert notice.severity == "warning" and words in notice.message and "started again" in notice.message


async def test_a_flood_on_stderr_slows_nobody_and_is_bounded(
    make_worker: WorkerMaker, tmp_path: Path
) -> None:
    worker = make_worker()
    pid = await pid_of(worker)
    await worker.call(say("flood"))
    assert await pid_of(worker) == pid
    await worker.stop()
    sizes = [path.stat().st_size for path in tmp_path.glob("inference.log*")]
    assert 1 <= len(sizes) <= 3 and 1_000_000 < sum(sizes) < 4_000_000


async def test_children_of_a_dead_worker_die_too(make_worker: WorkerMaker) -> None:
    worker = make_worker()
    result = await worker.call(say("child"))
    (child,) = result.counts
    assert is_alive(child)
    with pytest.raises(WorkerError):
        await worker.call(say("SIGKILL"))
    await until(lambda: not is_alive(child))


async def test_three_crashes_end_the_restarts_until_forgiven(
    make_worker: WorkerMaker, events: Recorder
) -> None:
    worker = make_worker()
    for _ in range(3):
        with pytest.raises(WorkerError, match=r"worker\.died"):
            await worker.call(say("SIGSEGV"))
    await until(lambda: worker.status().state == "failed")
    with pytest.raises(WorkerError) as failure:
        await pid_of(worker)
    assert failure.value.code == "worker.failed" and "3 times" in failure.value.user_message
    assert "smaller model" in failure.value.hint
    assert events.notices()[-1].severity == "error" and events.notices()[-1].code == "worker.failed"
    worker.forgive()
    assert await pid_of(worker)


async def test_a_person_revives_what_was_given_up(make_worker: WorkerMaker) -> None:
    worker = make_worker(limits=replace(QUICK, n_crashes=1))
    assert not worker.revive()
    with pytest.raises(WorkerError, match=r"worker\.died"):
        await worker.call(say("SIGSEGV"))
    await until(lambda: worker.status().state == "failed")
    with pytest.raises(WorkerError, match=r"worker\.failed"):
        await pid_of(worker)
    assert worker.revive()
    assert await pid_of(worker)


async def test_waiting_requests_learn_that_the_worker_is_given_up(make_worker: WorkerMaker) -> None:
    worker = make_worker(mode="SIGSEGV")
    with pytest.raises(WorkerError, match=r"worker\.failed"):
        await pid_of(worker)


@pytest.mark.slow
async def test_a_quiet_time_forgives(make_worker: WorkerMaker) -> None:
    worker = make_worker(limits=replace(QUICK, crash_window_s=0.3))
    for _ in range(4):
        with pytest.raises(WorkerError, match=r"worker\.died"):
            await worker.call(say("SIGSEGV"))
        await pid_of(worker)
        await asyncio.sleep(0.4)
    assert worker.status().state == "ready"


async def test_no_more_than_five_restarts_in_a_row(make_worker: WorkerMaker) -> None:
    worker = make_worker(limits=replace(QUICK, n_crashes=100))
    for _ in range(6):
        with pytest.raises(WorkerError, match=r"worker\.died"):
            await worker.call(say("exit", "1"))
    await until(lambda: worker.status().state == "failed")
    assert worker.status().restarts == 5


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("garbage", "makes no sense"),
        ("huge", "makes no sense"),
        ("newer", "no hello of this version"),
        ("exit3", "exit code 3"),
        ("SIGSEGV", "crashed (SIGSEGV)"),
        ("no hello", "did not start within 0.5 seconds"),
    ],
)
async def test_a_worker_that_never_greets(make_worker: WorkerMaker, mode: str, words: str) -> None:
    hello_s = 0.5 if mode == "no hello" else 10.0
    worker = make_worker(mode=mode, limits=replace(QUICK, hello_s=hello_s, n_crashes=1))
    with pytest.raises(WorkerError) as failure:
        await pid_of(worker)
    assert failure.value.code == "worker.failed" and words in failure.value.user_message


async def test_a_worker_that_closes_its_pipe_is_ended(make_worker: WorkerMaker) -> None:
    worker = make_worker(mode="close", limits=replace(QUICK, n_crashes=1))
    with pytest.raises(WorkerError):
        await pid_of(worker)
    await until(lambda: worker.status().state == "failed")


async def test_a_crash_at_the_first_start_only(make_worker: WorkerMaker, tmp_path: Path) -> None:
    worker = make_worker(mode="once")
    assert await pid_of(worker)
    assert worker.status().restarts == 1


async def test_a_command_that_does_not_exist(tmp_path: Path, events: Recorder) -> None:
    worker = Worker("render", ["/nowhere/program"], tmp_path / "log", events, replace(QUICK, n_crashes=1))
    with pytest.raises(WorkerError, match="could not be started"):
        await worker.call(say("pid"))
    await worker.stop()


@pytest.mark.slow
async def test_standing_still_together_is_not_hanging(make_worker: WorkerMaker) -> None:
    """A suspended computer or a stopped host must not make every worker look hung."""
    worker = make_worker(limits=replace(QUICK, heartbeat_s=0.8))
    pid = await pid_of(worker)
    await asyncio.sleep(1.2)
    assert await pid_of(worker) == pid
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: __import__("time").sleep(1.5))  # the loop stands still, the worker lives on
    await asyncio.sleep(0.3)
    assert await pid_of(worker) == pid


async def test_a_stopped_process_counts_as_hung(make_worker: WorkerMaker) -> None:
    worker = make_worker(limits=replace(QUICK, heartbeat_s=0.6))
    pid = await pid_of(worker)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match="did not answer"):
        await worker.call(say("pid"))
    assert not is_alive(pid)


async def test_events_are_handed_on(make_worker: WorkerMaker, tmp_path: Path) -> None:
    worker = make_worker("library")
    heard: list[Message] = []
    ready: list[int] = []
    worker.listen(on_event=heard.append, on_ready=lambda: ready.append(1))
    await worker.call(AddPaths(paths=("/a",)))
    assert [message.type for message in heard] == ["library.status_changed"]
    assert ready == [1]


async def test_stop_ends_the_process_and_refuses_later_requests(
    make_worker: WorkerMaker, events: Recorder
) -> None:
    worker, idle = make_worker(), make_worker("render")
    pid = await pid_of(worker)
    waiting = asyncio.create_task(worker.call(say("wait")))
    await asyncio.sleep(0.05)
    await stop_all({"inference": worker, "render": idle})
    assert not is_alive(pid) and worker.status().state == "stopped"
    with pytest.raises(WorkerError, match=r"worker\.stopped"):
        await waiting
    with pytest.raises(WorkerError, match=r"worker\.stopped"):
        await pid_of(worker)
    worker.start()
    assert worker.status().state == "stopped"


async def test_stop_kills_a_stubborn_worker_in_time(make_worker: WorkerMaker) -> None:
    worker = make_worker(mode="stubborn", limits=replace(QUICK, shutdown_s=0.6))
    pid = await pid_of(worker)
    started = asyncio.get_running_loop().time()
    await worker.stop()
    assert not is_alive(pid)
    assert asyncio.get_running_loop().time() - started < 3.0


async def test_stop_while_starting_and_while_waiting_to_restart(make_worker: WorkerMaker) -> None:
    starting = make_worker(mode="no hello")
    request = asyncio.create_task(pid_of(starting))
    await until(lambda: starting.status().pid is not None)
    pid = starting.status().pid
    assert pid is not None
    await starting.stop()
    assert not is_alive(pid)
    with pytest.raises(WorkerError, match=r"worker\.stopped"):
        await request
    restarting = make_worker("render", mode="SIGSEGV", limits=replace(QUICK, backoff_s=(30.0,)))
    restarting.start()
    await until(lambda: restarting.status().state == "restarting")
    await restarting.stop()
    assert restarting.status().state == "stopped"


async def test_workers_run_below_the_priority_of_the_window(make_worker: WorkerMaker) -> None:
    worker = make_worker("library")
    pid = await pid_of(worker)
    assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpgid(pid) == pid
    assert fake_command("library")


async def test_a_worker_that_rests_starts_again_on_demand(make_worker: WorkerMaker, events: Recorder) -> None:
    worker = make_worker("voice")
    await worker.rest()  # nothing runs
    assert worker.idle_s == 0.0
    first = await pid_of(worker)
    await until(lambda: worker.idle_s > 0.0)
    open_request = asyncio.create_task(worker.call(say("wait")))
    await until(lambda: worker.idle_s == 0.0)
    await worker.rest()  # somebody waits for an answer
    assert is_alive(first)
    open_request.cancel()
    await asyncio.wait([open_request])
    resting = asyncio.create_task(worker.rest())
    await asyncio.sleep(0)
    second = await pid_of(worker)  # asked while it ends: the next process answers
    await resting
    assert not is_alive(first) and second != first
    await worker.rest()
    assert worker.status().state == "stopped" and not is_alive(second)
    assert worker.status().restarts == 0 and events.notices() == []
    await worker.stop()


paused_here = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is held still")


def state_of(pid: int) -> str:
    return str(psutil.Process(pid).status())


@paused_here
async def test_a_paused_worker_is_not_hung_and_wakes_for_who_waits(
    make_worker: WorkerMaker, monkeypatch: pytest.MonkeyPatch, events: Recorder
) -> None:
    monkeypatch.setattr(module, "_SOUNDING_S", 0.0)
    worker = make_worker("voice", limits=replace(QUICK, heartbeat_s=0.4))
    assert worker.pause() is None  # nothing runs
    pid = await pid_of(worker)
    patient = asyncio.create_task(worker.call(say("wait"), patient=True))
    await until(lambda: worker.idle_s == 0.0)
    woken = worker.pause()
    assert woken is not None
    await until(lambda: state_of(pid) == psutil.STATUS_STOPPED)
    later = asyncio.create_task(worker.call(say("pid"), patient=True))
    await asyncio.sleep(1.0)  # twice what makes a worker count as hung
    assert not later.done() and not woken.is_set()
    worker.resume()
    assert (await later).counts == (pid,) and not woken.is_set()
    woken = worker.pause()
    assert woken is not None
    assert await pid_of(worker) == pid
    assert woken.is_set()
    patient.cancel()
    await asyncio.wait([patient])
    assert worker.status().restarts == 0 and events.notices() == []


@paused_here
async def test_what_somebody_waits_for_or_may_hear_is_never_held_still(
    make_worker: WorkerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make_worker("voice")
    await pid_of(worker)
    assert worker.pause() is None  # a loudspeaker may still be open
    monkeypatch.setattr(module, "_SOUNDING_S", 0.0)
    waiting = asyncio.create_task(worker.call(say("wait")))
    await until(lambda: worker.idle_s == 0.0)
    assert worker.pause() is None
    waiting.cancel()
    await asyncio.wait([waiting])
    await until(lambda: worker.pause() is not None)


@paused_here
async def test_a_paused_worker_ends_in_order(
    make_worker: WorkerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SOUNDING_S", 0.0)
    worker = make_worker("voice")
    pid = await pid_of(worker)
    assert worker.pause() is not None
    await until(lambda: state_of(pid) == psutil.STATUS_STOPPED)
    await worker.rest()
    assert not is_alive(pid) and worker.status().state == "stopped"
    second = await pid_of(worker)
    assert worker.pause() is not None
    os.kill(second, signal.SIGKILL)
    await until(lambda: not worker.is_ready)
    worker.resume()
    assert await pid_of(worker) != second
