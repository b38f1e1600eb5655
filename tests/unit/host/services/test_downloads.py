"""Downloads end with the right bytes or a reason, across pauses, faults and ends of the program."""

import asyncio
import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import AppError
from app.host.services import download_store, transfer
from app.host.services.download_store import verified_files
from app.host.services.network import Timeouts
from app.host.services.transfer_pace import Disk
from app.protocol.catalogue import CatalogueFile, CatalogueModel
from app.protocol.downloads import CancelDownload, DownloadChanged, PauseDownload, ResumeDownload
from scripts.faults.hub_stand_in import REVISION, Fault, HubStandIn, gguf_bytes
from tests.unit.host.conftest import mode_of, until
from tests.unit.host.services.hub_fakes import Place, Served, stand_in

FILE = "tiny-Q4_K_M.gguf"
DATA = gguf_bytes(400_000, seed=3)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server() -> Iterator[HubStandIn]:
    with stand_in() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: HubStandIn) -> Place:
    return Place(tmp_path / "data", server)


@pytest.fixture(autouse=True)
def every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell every change, not only the last of a burst."""
    monkeypatch.setattr("app.host.services.download_events.MIN_GAP_S", 0.0)


def storage_requests(server: HubStandIn) -> list[dict[str, str]]:
    return [seen.headers for seen in server.requests if seen.server == "storage"]


async def test_a_model_appears_when_it_is_whole(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        (queued,) = await served.start("some/tiny", FILE)
        assert queued.title == "tiny Q4_K_M" and queued.total_bytes == len(DATA)
        assert served.service.is_busy()
        (done,) = await served.wait("done")
        await until(lambda: not served.service.is_busy())
    assert done.sha256 == SHA256 and done.revision == REVISION and done.model == "tiny-Q4_K_M"
    assert done.done_bytes == done.total_bytes and done.n_tries == 1 and not done.error_code
    assert place.visible() == [FILE] and (place.models_dir / FILE).read_bytes() == DATA
    assert mode_of(place.models_dir / FILE) == 0o600
    verified = verified_files(place.models_dir)[FILE]
    assert (verified.sha256, verified.repository, verified.licence) == (SHA256, "some/tiny", "apache-2.0")
    states = [body.download.state for body in place.events.bodies if isinstance(body, DownloadChanged)]
    assert states[0] == "queued" and states[-1] == "done"
    with (place.models_dir / FILE).open("ab") as file:
        file.write(b"!")
    assert verified_files(place.models_dir) == {}


async def test_a_download_whose_file_was_removed_leaves_the_list(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.wait("done")
        (place.models_dir / FILE).unlink()
        assert await served.list() == ()
    assert not list((place.models_dir / ".downloads").iterdir())


async def test_what_came_is_kept_and_the_rest_is_asked_for(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, Fault("short_body", 1, 100_000))
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        (done,) = await served.wait("done")
    first, second = storage_requests(server)
    assert "range" not in first and second["range"] == "bytes=100000-"
    assert second["if-range"] == f'"{SHA256[:32]}"' and done.n_tries == 2
    assert (place.models_dir / FILE).read_bytes() == DATA


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("flipped_byte", "download.bad_checksum"),
        ("stall", "download.stalled"),
        ("drip", "download.stalled"),
        ("wrong_range", "download.bad_range"),
        ("no_range", "download.bad_range"),
        ("wrong_total", "download.other_size"),
        ("if_range_ignored", "download.restarted"),
        ("larger", "download.other_size"),
        ("longer_than_said", "download.other_size"),
        ("shorter_than_said", "download.ended_early"),
        ("range_refused", "download.bad_range"),
        ("status_403", "download.refused"),
        ("status_503", "download.refused"),
        ("hub_500", "hub.refused"),
        ("reset", "network.failed"),
        ("odd_etag", "network.failed"),
        ("long_etag", "network.failed"),
        ("status_503_odd", "download.refused"),
    ],
)
async def test_a_fault_that_passes(place: Place, server: HubStandIn, kind: str, code: str) -> None:
    server.add("some/tiny", {FILE: DATA}, Fault(kind, 1, 100_000))
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.wait("done")
    said = {body.download.error_code for body in place.events.bodies if isinstance(body, DownloadChanged)}
    assert code in said and (place.models_dir / FILE).read_bytes() == DATA


async def test_a_head_that_drips_is_tried_anew(tmp_path: Path, server: HubStandIn) -> None:
    place = Place(tmp_path / "data", server, timeouts=Timeouts(0.5, 0.5, 0.6))
    server.add("some/tiny", {FILE: DATA}, Fault("drip_head", 1))
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.wait("done")
    said = {body.download.error_code for body in place.events.bodies if isinstance(body, DownloadChanged)}
    assert "network.failed" in said


async def test_a_changed_file_starts_over_and_says_so(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, Fault("changed_etag", 1, 100_000))
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.wait("done")
    assert storage_requests(server)[1]["if-range"] == '"version 1"'
    said = [body.download for body in place.events.bodies if isinstance(body, DownloadChanged)]
    assert any(item.error_code == "download.restarted" and item.state == "running" for item in said)
    assert (place.models_dir / FILE).read_bytes() == DATA


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("flipped_byte", "download.bad_checksum"),
        ("wrong_sha256", "download.bad_checksum"),
        ("empty", "download.other_size"),
        ("gzip", "download.packed"),
        ("html", "download.web_page"),
        ("file_404", "hub.not_found"),
        ("redirect_to_file", "network.bad_redirect"),
        ("stall_at_once", "network.failed"),
        ("status_429", "download.refused"),
    ],
)
async def test_a_fault_that_stays(place: Place, server: HubStandIn, kind: str, code: str) -> None:
    server.add("some/tiny", {FILE: DATA}, Fault(kind))
    place.limits = dataclasses.replace(place.limits, n_failures=2, n_restarts=1)
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        (failed,) = await served.wait("failed")
        assert failed.error_code == code and failed.error_message and failed.error_hint
        assert place.visible() == []
        await until(lambda: not served.service.is_busy())
        server.repositories["some/tiny"].fault = Fault("none")
        await served.call(ResumeDownload(id=failed.id))
        if kind != "wrong_sha256":  # which was noted when it was asked for
            await served.wait("done")
            assert place.visible() == [FILE]


async def test_what_is_no_model_is_named_and_deleted(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: b"this is no model" * 10_000})
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        (failed,) = await served.wait("failed")
    assert failed.error_code == "download.not_a_model" and place.visible() == []
    assert not list(place.models_dir.rglob("part"))


async def test_a_model_too_new_for_this_program_is_kept(place: Place, server: HubStandIn) -> None:
    data = b"GGUF" + (99).to_bytes(4, "little") + b"\0" * 100
    server.add("some/tiny", {FILE: data})
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.wait("done")
    assert place.visible() == [FILE]


async def test_pause_and_resume(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=1.0)
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)
        await until(lambda: place.store.part_bytes(_record(served)) >= 0 and _done_bytes(served) > 20_000)
        await served.call(PauseDownload(id=item.id))
        (paused,) = await served.list()
        kept = paused.done_bytes
        assert paused.state == "paused" and 0 < kept < len(DATA) and not served.service.is_busy()
        assert place.store.part_bytes(_record(served)) == kept
        await served.call(PauseDownload())
        server.repositories["some/tiny"].seconds = 0.0
        await served.call(ResumeDownload())
        await served.wait("done")
    assert storage_requests(server)[-1]["range"] == f"bytes={kept}-"
    assert (place.models_dir / FILE).read_bytes() == DATA


def _record(served: Served) -> download_store.Record:
    return next(iter(served.service._jobs.values())).record


def _done_bytes(served: Served) -> int:
    return next(iter(served.service._jobs.values())).done_bytes


async def test_cancel_deletes_what_came(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=1.0)
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)
        await until(lambda: _done_bytes(served) > 20_000)
        await served.call(CancelDownload(id=item.id))
        assert await served.list() == ()
        last = place.events.of(DownloadChanged)[-1]
        assert isinstance(last, DownloadChanged) and last.removed and last.download.state == "cancelled"
        for request in (CancelDownload(id=item.id), PauseDownload(id="x"), ResumeDownload(id="x")):
            with pytest.raises(AppError, match=r"download\.not_found"):
                await served.call(request)
    assert not list((place.models_dir / ".downloads").iterdir()) and place.visible() == []


async def test_one_that_ended_leaves_the_list_and_the_model_stays(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)
        await served.wait("done")
        await served.call(CancelDownload(id=item.id))
        assert await served.list() == ()
    assert place.visible() == [FILE]


async def test_the_next_start_goes_on(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=1.0)
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await until(lambda: _done_bytes(served) > 20_000)
    kept = next(place.models_dir.rglob("part")).stat().st_size
    assert kept > 0
    server.repositories["some/tiny"].seconds = 0.0
    async with place.downloads() as served:
        await served.wait("done")
    assert storage_requests(server)[-1]["range"] == f"bytes={kept}-"
    async with place.downloads() as served:
        (done,) = await served.list()
        assert done.state == "done" and done.done_bytes == len(DATA)


async def test_a_paused_one_stays_paused(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=1.0)
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.call(PauseDownload())
    async with place.downloads() as served:
        await asyncio.sleep(0.05)
        assert [item.state for item in await served.list()] == ["paused"]


async def test_the_same_wish_twice_is_one_download(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=1.0)
    async with place.downloads() as served:
        (first,) = await served.start("some/tiny", FILE)
        await served.call(PauseDownload())
        server.repositories["some/tiny"].seconds = 0.0
        (again,) = await served.start("some/tiny", FILE)
        assert again.id == first.id and again.state == "queued"
        await served.wait("done")
        with pytest.raises(AppError, match=r"download\.exists"):
            await served.start("some/tiny", FILE)


async def test_the_queue(place: Place, server: HubStandIn) -> None:
    for name in ("a/a", "b/b", "c/c"):
        server.add(name, {f"{name[0]}.gguf": DATA}, seconds=0.3)
    async with place.downloads() as served:
        for name in ("a/a", "b/b", "c/c"):
            await served.start(name, f"{name[0]}.gguf")
        await until(lambda: "running" in served.states())
        assert [item.state for item in await served.list()][1:] == ["queued", "queued"]
        place.settings.set(simultaneous_downloads=2)
        await served.call(PauseDownload(id=(await served.list())[0].id))
        await until(lambda: sum(job.task is not None for job in served.service._jobs.values()) == 2)
        await served.call(ResumeDownload())
        await served.wait("done")
    assert place.visible() == ["a.gguf", "b.gguf", "c.gguf"]


async def test_the_switch_pauses_and_says_so(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=3.0)
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)
        await until(lambda: _done_bytes(served) > 20_000)
        place.settings.set(offline=True)
        (paused,) = await served.wait("paused")
        assert paused.error_code == "network.off" and "resume" in paused.error_hint
        for refused in (served.start("some/tiny", FILE), served.call(ResumeDownload(id=item.id))):
            with pytest.raises(AppError, match=r"network\.off"):
                await refused
        server.repositories["some/tiny"].seconds = 0.0
        place.settings.set(offline=False)
        await served.call(ResumeDownload(id=item.id))
        await served.wait("done")


async def test_room_first(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA})
    place.disk = Disk(10**12, 5 * 10**10 + 300_000)
    async with place.downloads() as served:
        with pytest.raises(AppError) as failure:
            await served.start("some/tiny", FILE)
        assert (
            failure.value.code == "download.no_space" and "0.3 MB can be used" in failure.value.user_message
        )
        assert failure.value.context == {"needed_bytes": len(DATA), "available_bytes": 300_000}
        assert await served.list() == () and not storage_requests(server)


async def test_a_disk_that_fills_up_pauses_until_there_is_room(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=1.0)
    roomy, full = place.disk, Disk(10**12, 10**9)
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await until(lambda: _done_bytes(served) > 20_000)
        place.disk = full
        (paused,) = await served.wait("paused")
        assert paused.error_code == "download.no_space" and "by itself" in paused.error_hint
        server.repositories["some/tiny"].seconds = 0.0
        await asyncio.sleep(0.1)
        assert served.states() == {"paused"}
    async with place.downloads() as served:  # it still waits after a restart
        await asyncio.sleep(0.1)
        assert served.states() == {"paused"}
        place.disk = roomy
        await served.wait("done")


async def test_a_user_can_take_over_a_pause_of_the_program(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=1.0)
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)
        await until(lambda: _done_bytes(served) > 20_000)
        roomy, place.disk = place.disk, Disk(10**12, 10**9)
        await served.wait("paused")
        await served.call(PauseDownload(id=item.id))
        place.disk = roomy
        await asyncio.sleep(0.15)
        (paused,) = await served.list()
        assert paused.state == "paused" and not paused.error_code


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "download.no_space"), (errno.EIO, "download.not_written")]
)
async def test_a_disk_that_refuses(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def refuse(self: transfer._Writer, data: bytes) -> None:
        raise transfer.disk_failure(OSError(number, "no"), self._job.record)

    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        with monkeypatch.context() as patched:
            patched.setattr(transfer._Writer, "_put", refuse)
            place.disk = dataclasses.replace(place.disk)
            await served.start("some/tiny", FILE)
            (ended,) = await served.wait("failed", "paused")
            place.disk = Disk(10**12, 0)
        assert ended.error_code == code


# ----------------------------------------------------------------------------- models of more files


async def test_parts_and_projector_appear_together(place: Place, server: HubStandIn) -> None:
    files = {f"q/m-Q8_0-0000{n}-of-00003.gguf": gguf_bytes(60_000, seed=n) for n in (1, 2, 3)}
    files |= {"mmproj-F32.gguf": gguf_bytes(50_000, seed=8), "mmproj-f16.gguf": gguf_bytes(40_000, seed=9)}
    server.add("some/vision", files)
    first = "q/m-Q8_0-00001-of-00003.gguf"
    seen: list[list[str]] = []
    async with place.downloads() as served:
        items = await served.start("some/vision", first)
        assert [item.name for item in items] == [
            "mmproj-m-Q8_0.gguf",
            "m-Q8_0-00003-of-00003.gguf",
            "m-Q8_0-00002-of-00003.gguf",
            "m-Q8_0-00001-of-00003.gguf",
        ]
        assert len({item.group for item in items}) == 1
        while served.states() != {"done"}:
            seen.append(place.visible())
            await asyncio.sleep(0.001)
        assert (await served.list())[0].model == ""
    assert place.visible() == sorted(item.name for item in items)
    assert (place.models_dir / "mmproj-m-Q8_0.gguf").read_bytes() == files["mmproj-f16.gguf"]
    # The part that makes it loadable was never there without the others.
    assert all(len(names) == 4 for names in seen if "m-Q8_0-00001-of-00003.gguf" in names)
    async with place.downloads() as served:
        with pytest.raises(AppError, match=r"download\.exists"):
            await served.start("some/vision", first)


async def test_a_part_that_fails_keeps_the_model_away(place: Place, server: HubStandIn) -> None:
    files = {f"m-0000{n}-of-00002.gguf": gguf_bytes(60_000, seed=n) for n in (1, 2)}
    server.add("some/split", files, Fault("file_404", 1))
    async with place.downloads() as served:
        items = await served.start("some/split", "m-00001-of-00002.gguf")
        await until(lambda: served.states() == {"failed", "verifying"})
        assert place.visible() == []
        failed = next(item for item in await served.list() if item.state == "failed")
        await served.call(ResumeDownload(id=failed.id))
        await served.wait("done")
        assert len(place.visible()) == 2
        again = await served.list()
        await served.call(CancelDownload(id=again[0].id))
        assert len(await served.list()) == len(items) - 1


async def test_cancelling_one_part_cancels_the_model(place: Place, server: HubStandIn) -> None:
    files = {f"m-0000{n}-of-00002.gguf": gguf_bytes(60_000, seed=n) for n in (1, 2)}
    server.add("some/split", files, seconds=1.0)
    async with place.downloads() as served:
        items = await served.start("some/split", "m-00002-of-00002.gguf")
        await served.call(CancelDownload(id=items[1].id))
        assert await served.list() == () and not served.service.is_busy()


async def test_an_end_between_two_renames(place: Place, server: HubStandIn) -> None:
    files = {f"m-0000{n}-of-00002.gguf": gguf_bytes(60_000, seed=n) for n in (1, 2)}
    server.add("some/split", files)
    async with place.downloads() as served:
        await served.start("some/split", "m-00001-of-00002.gguf")
        await served.wait("done")
        records = [job.record for job in served.service._jobs.values()]
    for record in records:  # as it was on the disk before the second rename
        place.store.save(dataclasses.replace(record, state="verified"))
    last = records[-1]
    (place.models_dir / last.name).rename(place.store.part_path(last))
    async with place.downloads() as served:
        await served.wait("done")
    assert place.visible() == sorted(files)
    assert set(verified_files(place.models_dir)) == set(files)


async def test_a_model_of_the_catalogue(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA, "mmproj-x.gguf": gguf_bytes(40_000)})
    place.catalogue["tiny"] = CatalogueModel(
        id="tiny",
        title="Tiny",
        repository="some/tiny",
        revision=REVISION,
        licence="MIT",
        files=(CatalogueFile(name=FILE, size_bytes=None),),
        recommended=FILE,
    )
    async with place.downloads() as served:
        (item,) = await served.start("tiny")
        assert item.title == "Tiny Q4_K_M"
        await served.wait("done")
        place.catalogue["tiny"] = dataclasses.replace(place.catalogue["tiny"], recommended="")
        for model, code in (("tiny", "no_file"), ("some/tiny", "no_file"), ("unknown", "model.not_found")):
            with pytest.raises(AppError, match=code):
                await served.start(model)
    assert verified_files(place.models_dir)[FILE].licence == "MIT"


async def test_a_voice_gets_a_folder(place: Place, server: HubStandIn) -> None:
    server.add("some/voice", {"en/voice.bin": b"v" * 9000, "en/config.json": b"{}"})
    place.catalogue["anna"] = CatalogueModel(
        id="anna",
        title="Anna",
        repository="some/voice",
        kind="voice",
        files=(
            CatalogueFile(name="en/voice.bin", size_bytes=None, role="voice"),
            CatalogueFile(name="en/config.json", size_bytes=None, role="config"),
        ),
        recommended="en/voice.bin",
    )
    async with place.downloads() as served:
        items = await served.start("anna")
        assert [item.name for item in items] == ["anna/config.json", "anna/voice.bin"]
        await served.wait("done")
    assert place.visible() == ["anna/config.json", "anna/voice.bin"]


async def test_a_small_file_that_came_wrong(place: Place, server: HubStandIn) -> None:
    server.add("some/voice", {"config.json": b"{}" * 50}, Fault("flipped_byte"))
    async with place.downloads() as served:
        await served.start("some/voice", "config.json")
        (failed,) = await served.wait("failed")
    assert failed.error_code == "download.bad_checksum"


async def test_only_the_projector(place: Place, server: HubStandIn) -> None:
    server.add("some/vision", {"mmproj-f16.gguf": gguf_bytes(40_000)})
    async with place.downloads() as served:
        (item,) = await served.start("some/vision", "mmproj-f16.gguf")
        await served.wait("done")
    assert item.name == "mmproj-f16.gguf" and place.visible() == ["mmproj-f16.gguf"]


# --------------------------------------------------------------------------------------------- names


async def test_another_file_of_the_same_name(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA})
    place.models_dir.mkdir()
    (place.models_dir / FILE).write_bytes(b"mine")
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)
        assert item.name == "tiny-Q4_K_M (2).gguf"
        await served.wait("done")
    assert (place.models_dir / FILE).read_bytes() == b"mine"


async def test_a_file_that_came_meanwhile_is_not_replaced(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=0.3)
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)
        (place.models_dir / FILE).write_bytes(b"mine")
        (failed,) = await served.wait("failed")
        assert failed.error_code == "download.exists"
        assert (place.models_dir / FILE).read_bytes() == b"mine"
        (place.models_dir / FILE).unlink()
        await served.call(ResumeDownload(id=item.id))
        await served.wait("done")
    assert (place.models_dir / FILE).read_bytes() == DATA


async def test_parts_whose_name_is_taken(place: Place, server: HubStandIn) -> None:
    files = {f"m-0000{n}-of-00002.gguf": gguf_bytes(60_000, seed=n) for n in (1, 2)}
    server.add("some/split", files)
    place.models_dir.mkdir()
    (place.models_dir / "m-00002-of-00002.gguf").write_bytes(b"mine")
    async with place.downloads() as served:
        with pytest.raises(AppError, match=r"download\.exists"):
            await served.start("some/split", "m-00001-of-00002.gguf")


@pytest.mark.parametrize("name", ["../evil.gguf", "/evil.gguf", "..\\evil.gguf", "CON.gguf", "C:evil.gguf"])
async def test_hostile_names(place: Place, server: HubStandIn, name: str) -> None:
    server.add("some/evil", {name: DATA})
    async with place.downloads() as served:
        with pytest.raises(AppError, match=r"download\.bad_name"):
            await served.start("some/evil", name)
        with pytest.raises(AppError, match=r"hub\.no_file"):
            await served.start("some/evil", "other.gguf")
    assert not list(place.root.rglob("*evil*"))


async def test_without_a_checksum_nothing_is_fetched(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, Fault("missing_sha256"))
    async with place.downloads() as served:
        with pytest.raises(AppError, match=r"download\.no_checksum"):
            await served.start("some/tiny", FILE)
    assert not storage_requests(server)


# ------------------------------------------------------------------------------------ files on disk


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../evil.gguf"},
        {"file": "../evil.gguf"},
        {"repository": "evil"},
        {"id": "1" * 16},
        {"group": "x"},
        {"state": "loud"},
        {"sha256": "", "git_sha1": ""},
        {"sha256": "zz"},
        {"size_bytes": -1},
        {"size_bytes": "5"},
        {"n_tries": True},
        {"revision": "../x"},
    ],
)
async def test_a_record_that_the_program_never_wrote(
    place: Place, server: HubStandIn, change: dict[str, object]
) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=2.0)
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.call(PauseDownload())
    (path,) = place.models_dir.rglob("state.json")
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | {"from_later": 1}))
    assert len(place.store.load()) == 1
    path.write_text(json.dumps(value | change))
    assert place.store.load() == []
    del value["sha256"], value["name"]
    path.write_text(json.dumps(value))
    assert place.store.load() == []
    for text in ("", "[]", "{", "[" * 100_000, " " * 70_000):
        path.write_text(text)
        assert place.store.load() == []


def test_verified_files_that_make_no_sense(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"x")
    state = (tmp_path / "a.gguf").stat()
    good = {"size_bytes": 1, "modified_ns": state.st_mtime_ns, "sha256": "a", "repository": "b"}
    good |= {"revision": "c", "file": "d", "licence": "e", "role": "model"}
    record = tmp_path / ".verified.json"
    for name, value in {"a.gguf": good | {"licence": 5}, "../a.gguf": good, "b.gguf": good}.items():
        record.write_text(json.dumps({name: value}))
        assert verified_files(tmp_path) == {}
    record.write_text(json.dumps({"a.gguf": 5}))
    assert verified_files(tmp_path) == {}
    record.write_text(json.dumps({"a.gguf": good}))
    assert list(verified_files(tmp_path)) == ["a.gguf"]


async def test_a_file_system_without_links(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.wait("done")
    part = place.models_dir / "part"
    part.write_bytes(b"x")
    with pytest.raises(FileExistsError):
        download_store._rename_to_free_name(part, place.models_dir / FILE)


async def test_a_disk_that_refuses_the_last_step(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: download_store.DownloadStore, record: download_store.Record) -> None:
        raise OSError(errno.EIO, "broken")

    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        with monkeypatch.context() as patched:
            patched.setattr(download_store.DownloadStore, "publish", refuse)
            await served.start("some/tiny", FILE)
            (failed,) = await served.wait("failed")
        assert failed.error_code == "download.not_written"
        await served.call(ResumeDownload(id=failed.id))
        await served.wait("done")


async def test_an_end_in_the_middle_of_the_last_step(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has its name, and its old one still: the program ended between link and unlink."""

    def end_halfway(part: Path, target: Path) -> None:
        os.link(part, target)
        raise OSError(errno.EIO, "ended here")

    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        with monkeypatch.context() as patched:
            patched.setattr(download_store, "_rename_to_free_name", end_halfway)
            (item,) = await served.start("some/tiny", FILE)
            await served.wait("failed")
        await served.call(ResumeDownload(id=item.id))
        await served.wait("done")
    assert place.visible() == [FILE] and (place.models_dir / FILE).stat().st_nlink == 1


async def test_a_state_that_cannot_be_written_ends_nothing(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=0.5)
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)

        def refuse(self: download_store.DownloadStore, record: download_store.Record) -> None:
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(download_store.DownloadStore, "save", refuse)
        await served.call(PauseDownload(id=item.id))
        assert [one.state for one in await served.list()] == ["paused"]


async def test_a_defect_ends_one_download_alone(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_down(self: transfer.Transfer, job: transfer.Job) -> None:
        raise RuntimeError("a defect")

    server.add("some/tiny", {FILE: DATA})
    monkeypatch.setattr(transfer.Transfer, "fetch", break_down)
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        (failed,) = await served.wait("failed")
    assert failed.error_code == "download.failed" and "a download failed inside" in caplog.text
    caplog.clear()


async def test_pausing_while_the_checksum_is_computed(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.host.services.download_checks.BLOCK_BYTES", 64)
    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        (item,) = await served.start("some/tiny", FILE)
        await until(lambda: "verifying" in served.states() and _done_bytes(served) > 0)
        await served.call(PauseDownload(id=item.id))
        (paused,) = await served.list()
        monkeypatch.undo()
        if paused.state == "paused":
            assert place.visible() == []
            await served.call(ResumeDownload(id=item.id))
        await served.wait("done")


async def test_a_wish_that_was_written_in_part_is_forgotten(place: Place, server: HubStandIn) -> None:
    files = {f"m-0000{n}-of-00002.gguf": gguf_bytes(60_000, seed=n) for n in (1, 2)}
    server.add("some/split", files, seconds=2.0)
    async with place.downloads() as served:
        await served.start("some/split", "m-00001-of-00002.gguf")
        await served.call(PauseDownload())
        first = next(iter(served.service._jobs.values())).record
    place.store.remove(first)
    async with place.downloads() as served:
        assert await served.list() == ()


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), asyncio.CancelledError()])
async def test_a_wish_that_cannot_be_written_leaves_nothing(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    files = {f"m-0000{n}-of-00002.gguf": gguf_bytes(60_000, seed=n) for n in (1, 2)}
    server.add("some/split", files)
    save = download_store.DownloadStore.save

    def save_one(self: download_store.DownloadStore, record: download_store.Record) -> None:
        if record.order:
            raise failure
        save(self, record)

    monkeypatch.setattr(download_store.DownloadStore, "save", save_one)
    async with place.downloads() as served:
        with pytest.raises((AppError, asyncio.CancelledError)):
            await served.start("some/split", "m-00001-of-00002.gguf")
        assert await served.list() == () and not list(place.models_dir.rglob("state.json"))


async def test_what_a_crash_left_is_swept_away(place: Place) -> None:
    orphan, other = (place.models_dir / ".downloads" / name for name in ("0" * 16, "mine"))
    for folder in (orphan, other):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"x")
    async with place.downloads():
        assert not orphan.exists() and other.exists()


async def test_a_part_that_is_too_long_starts_over(place: Place, server: HubStandIn) -> None:
    server.add("some/tiny", {FILE: DATA}, seconds=2.0)
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await until(lambda: _done_bytes(served) > 0)
        await served.call(PauseDownload())
        place.store.part_path(_record(served)).write_bytes(b"x" * (len(DATA) + 1))
        server.repositories["some/tiny"].seconds = 0.0
        await served.call(ResumeDownload())
        await served.wait("done")
    assert (place.models_dir / FILE).read_bytes() == DATA


async def test_events_are_few(place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.host.services.download_events.MIN_GAP_S", 1000.0)
    server.add("some/tiny", {FILE: DATA})
    async with place.downloads() as served:
        await served.start("some/tiny", FILE)
        await served.wait("done")
    states = [body.download.state for body in place.events.bodies if isinstance(body, DownloadChanged)]
    assert states == ["queued", "done"]


async def test_old_ones_leave_the_list(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.host.services.downloads.N_KEPT", 1)
    server.add("some/tiny", {"a.gguf": DATA, "b.gguf": DATA})
    async with place.downloads() as served:
        await served.start("some/tiny", "a.gguf")
        await served.start("some/tiny", "b.gguf")
        await served.wait("done")
    async with place.downloads() as served:
        assert [item.name for item in await served.list()] == ["b.gguf"]
    assert place.visible() == ["a.gguf", "b.gguf"]
