"""The library service: what is passed on, what is throttled, when it is busy."""

import asyncio

import pytest

from app.core.errors import AppError, WorkerError
from app.host.services.library import INTERNAL, MODULES, LibraryService
from app.protocol.body import request_types, to_message
from app.protocol.documents import GetDocument, GetTextTimes
from app.protocol.envelope import Message
from app.protocol.library import AddPaths, LibraryStatus, RemoveFiles, RemoveResult
from app.protocol.recordings import RecordingUnwanted, RecordingWaits
from app.protocol.search import Search
from tests.unit.host.conftest import Recorder, WorkerMaker, say, until


def history(events: Recorder) -> list[bool]:
    heard = [message for message in events.messages if message.type == "library.throttled_for_test"]
    return list(heard[-1].body["history"]) if heard else []


def test_every_library_request_is_handled(make_worker: WorkerMaker, events: Recorder) -> None:
    service = LibraryService(make_worker("library"), events)
    offered = {request for module in MODULES for request in request_types(module)}
    assert set(service.handlers()) == offered - INTERNAL
    assert {AddPaths, GetDocument, GetTextTimes, Search} <= set(service.handlers())


async def test_calls_reach_the_worker(make_worker: WorkerMaker, events: Recorder) -> None:
    service = LibraryService(make_worker("library"), events)
    assert await service.call(RemoveFiles()) == RemoveResult(removed=3)


async def test_throttles_once_for_several_answers_and_again_after_a_crash(
    make_worker: WorkerMaker, events: Recorder
) -> None:
    worker = make_worker("library")
    service = LibraryService(worker, events)
    await service.throttle(True)  # nothing to throttle yet, and no reason to start it
    assert worker.status().state == "stopped"
    await service.call(RemoveFiles())
    await until(lambda: history(events) == [True])
    await service.throttle(True)
    await service.throttle(False)
    assert history(events) == [True]
    await service.throttle(False)
    assert history(events) == [True, False]
    await service.throttle(True)
    with pytest.raises(WorkerError):
        await worker.call(say("SIGKILL"))
    await service.call(RemoveFiles())
    await until(lambda: history(events) == [True])


async def test_throttling_a_worker_that_dies_is_no_error(make_worker: WorkerMaker, events: Recorder) -> None:
    worker = make_worker("library")
    service = LibraryService(worker, events)
    await service.call(RemoveFiles())

    async def dead(*_: object) -> None:
        raise WorkerError("worker.died", "It died.")

    worker.call = dead  # type: ignore[method-assign, assignment]
    await service.throttle(True)


async def test_busy_while_files_wait(
    make_worker: WorkerMaker, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make_worker("library")
    service = LibraryService(worker, events)
    assert not await service.is_busy()
    await service.call(AddPaths(paths=("/a", "/b")))
    assert await service.is_busy()

    async def refuse(*_: object) -> None:
        raise AppError("a.b", "No.")

    call = worker.call
    worker.call = refuse  # type: ignore[method-assign, assignment]
    assert await service.is_busy()  # what was heard last counts
    worker.call = call  # type: ignore[method-assign]
    await asyncio.sleep(0.6)
    assert not await service.is_busy()
    await worker.stop()
    assert not await service.is_busy()


async def test_events_are_passed_on_and_bad_ones_dropped(
    make_worker: WorkerMaker, events: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    service = LibraryService(make_worker("library"), events)
    service._on_event(Message("future.event", {"a": 1}))
    service._on_event(Message(LibraryStatus.TYPE, {"paused": "perhaps"}))
    assert [message.type for message in events.messages] == ["future.event"]
    assert "bad event" in caplog.text
    caplog.clear()


async def test_events_about_recordings_stay_in_the_host(make_worker: WorkerMaker, events: Recorder) -> None:
    service = LibraryService(make_worker("library"), events)
    service._on_event(to_message(RecordingWaits()))  # nobody listens yet
    heard: list[object] = []
    service.listen(heard.append, heard.append)
    service._on_event(to_message(RecordingUnwanted(location_id=1, revision=2)))
    assert heard == [RecordingUnwanted(location_id=1, revision=2)] and events.messages == []
    await service.throttle(True)
    await service.throttle(True)
    await service.throttle(False)
    await service.throttle(False)
    assert heard[1:] == [True, False]
    await service.call(RemoveFiles())
    await until(lambda: heard[-1] == RecordingWaits())  # a worker that starts may have some


async def test_front_ends_cannot_take_recordings(make_worker: WorkerMaker, events: Recorder) -> None:
    offered = LibraryService(make_worker("library"), events).handlers()
    assert not set(offered) & set(request_types("app.protocol.recordings"))
