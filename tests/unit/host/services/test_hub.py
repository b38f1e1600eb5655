"""The hub's answers become what front ends show; nonsense and refusals become words."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError
from app.host.services.hub import FIRST_HEAD_BYTES, MAX_HEAD_BYTES, HubService, Patience, holds_head
from app.host.services.hub_listing import found_models, listing_of
from app.host.services.network import NetworkError
from app.protocol.catalogue import CatalogueList, CatalogueModel, ListHubFiles, SearchHub
from scripts.faults.hub_stand_in import REVISION, Fault, HubStandIn, gguf_bytes
from tests.unit.host.conftest import Context
from tests.unit.host.services.hub_fakes import Place, stand_in


@pytest.fixture
def server() -> Iterator[HubStandIn]:
    with stand_in() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: HubStandIn) -> Place:
    return Place(tmp_path / "data", server)


async def test_search(place: Place, server: HubStandIn) -> None:
    server.add("Some/Model-GGUF", {"m.gguf": b"x"}, gated=True)
    server.add("other/thing", {})
    service = HubService(place.hub)
    found = await service.handlers()[SearchHub](SearchHub(text=" model ", limit=500), Context())
    assert isinstance(found, CatalogueList)
    (model,) = found.models
    assert (model.id, model.title, model.licence) == ("Some/Model-GGUF", "Model-GGUF", "apache-2.0")
    assert model.needs_token and model.n_downloads == 1234 and model.n_params == 134_515_008
    assert model.context_length == 2048 and model.family == "llama" and model.files == ()
    assert "search=model&filter=gguf" in server.requests[0].path and "limit=100" in server.requests[0].path
    found = await service.handlers()[SearchHub](SearchHub(text="model\udcff"), Context())
    assert found == CatalogueList(models=()) and "search=model%3F" in server.requests[1].path
    with pytest.raises(AppError, match=r"hub\.empty_search"):
        await service.handlers()[SearchHub](SearchHub(text=" "), Context())


async def test_the_files_of_a_repository(place: Place, server: HubStandIn) -> None:
    names = ["m-Q8_0-00002-of-00002.gguf", "m-Q8_0-00001-of-00002.gguf", "README.md", "mmproj-f16.gguf"]
    names += ["m-Q4_K_M.gguf", "lost-00001-of-00002.gguf"]
    server.add("a/b", {name: b"x" * (10 + number) for number, name in enumerate(names)})
    model = await HubService(place.hub).handlers()[ListHubFiles](ListHubFiles(repository="a/b"), Context())
    assert isinstance(model, CatalogueModel) and model.revision == REVISION
    assert [(file.name, file.size_bytes, file.quantization, file.role) for file in model.files] == [
        ("m-Q4_K_M.gguf", 14, "Q4_K_M", "model"),
        ("m-Q8_0-00001-of-00002.gguf", 21, "Q8_0", "model"),
        ("mmproj-f16.gguf", 13, "F16", "projector"),
    ]
    assert model.files[1].parts == ("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf")
    assert model.files[0].parts == () and all(file.fit is None for file in model.files)
    listing = await place.hub.listing("a/b", REVISION)
    assert len(listing.files["m-Q4_K_M.gguf"].sha256) == 64 and listing.files["README.md"].git_sha1
    assert f"/revision/{REVISION}?blobs=true" in server.requests[-1].path


@pytest.mark.parametrize(
    ("kind", "code", "hint"),
    [
        ("api_404", "hub.not_found", "name"),
        ("api_401", "hub.needs_token", "terms"),
        ("api_403", "hub.needs_token", "terms"),
        ("api_429", "hub.limited", "7 seconds"),
        ("api_500", "hub.refused", "later"),
        ("api_html", "hub.bad_answer", "address"),
        ("api_list", "hub.bad_answer", "address"),
        ("api_deep", "hub.bad_answer", "address"),
        ("api_no_commit", "hub.bad_answer", "address"),
    ],
)
async def test_faults(place: Place, server: HubStandIn, kind: str, code: str, hint: str) -> None:
    server.add("a/b", {"m.gguf": b"x"}, Fault(kind))
    with pytest.raises(AppError) as failure:
        await place.hub.listing("a/b")
    assert failure.value.code == code and hint in failure.value.hint


async def test_who_is_let_in(place: Place, server: HubStandIn) -> None:
    server.add("a/b", {"m.gguf": b"x"}, gated=True)
    with pytest.raises(NetworkError, match="wants to know who"):
        await place.hub.listing("a/b")
    await place.token.set("hf_wrong")
    with pytest.raises(NetworkError, match="no access to a/b yet"):
        await place.hub.listing("a/b")
    await place.token.set(server.token)
    assert (await place.hub.listing("a/b")).revision == REVISION
    server.add("c/d", {"m.gguf": b"x"}, Fault("api_401"))
    with pytest.raises(NetworkError, match="does not take the access token"):
        await place.hub.listing("c/d")
    with pytest.raises(AppError, match=r"hub\.not_found.*nobody/nothing"):
        await place.hub.listing("nobody/nothing")
    with pytest.raises(AppError, match=r"hub\.bad_name"):
        await place.hub.listing("../nothing")


async def test_an_address_without_a_hub(place: Place, server: HubStandIn) -> None:
    place.settings.set(hub_endpoint=f"{server.endpoint}/elsewhere")
    with pytest.raises(AppError, match="no model hub at this address"):
        await place.hub.search("x")


async def test_a_teapot_and_a_limit_without_a_time(place: Place, server: HubStandIn) -> None:
    server.add("a/b", {"m.gguf": b"x"}, Fault("hub_429"))
    with pytest.raises(NetworkError) as failure:
        await place.hub.head_of("a/b", REVISION, "m.gguf")
    assert failure.value.code == "hub.limited" and "minutes" in failure.value.hint
    server.add("a/b", {"m.gguf": b"x"}, Fault("range_refused"))
    with pytest.raises(NetworkError) as failure:
        await place.hub.head_of("a/b", REVISION, "m.gguf")
    assert failure.value.code == "hub.refused" and "address" in failure.value.hint


async def test_an_answer_without_end(
    place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("a/b", {f"{number}.gguf": b"x" for number in range(50)})
    monkeypatch.setattr("app.host.services.hub.MAX_ANSWER_BYTES", 1000)
    with pytest.raises(NetworkError, match=r"hub\.bad_answer"):
        await place.hub.listing("a/b")


async def test_answers_that_drip_are_not_waited_for(tmp_path: Path, server: HubStandIn) -> None:
    place = Place(tmp_path / "data", server, patience=Patience(0.3, 0.3))
    server.add("a/b", {"m.gguf": gguf_bytes(400_000)}, Fault("drip", after=100))
    with pytest.raises(NetworkError, match="did not come whole in time"):
        await place.hub.head_of("a/b", "", "m.gguf")
    server.add("a/c", {"m.gguf": b"x"}, Fault("api_drip"))
    with pytest.raises(NetworkError, match="did not come whole in time"):
        await place.hub.listing("a/c")


async def test_the_head_of_a_file(place: Place, server: HubStandIn) -> None:
    data = gguf_bytes(3_000_000)
    server.add("a/b", {"dir/m x.gguf": data, "text.gguf": b"no model" * 500_000, "short.gguf": data[:40]})
    head = await place.hub.head_of("a/b", REVISION, "dir/m x.gguf")
    assert data.startswith(head) and FIRST_HEAD_BYTES <= len(head) < 1_000_000 and holds_head(head)
    assert server.requests[-1].headers["range"] == f"bytes=0-{MAX_HEAD_BYTES - 1}"
    assert len(await place.hub.head_of("a/b", "", "text.gguf")) < 1_000_000
    assert await place.hub.head_of("a/b", "", "short.gguf") == data[:40]
    assert not holds_head(data[:40])
    with pytest.raises(AppError, match=r"download\.bad_name"):
        await place.hub.head_of("a/b", "", "../m.gguf")


async def test_a_head_is_bounded(place: Place, server: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.host.services.hub.MAX_HEAD_BYTES", 600_000)
    long_list = b"GGUF\x03\0\0\0" + b"\0" * 8 + b"\x01" + b"\0" * 7 + b"\x01" + b"\0" * 7 + b"k"
    long_list += b"\x09\0\0\0\x08\0\0\0" + (1_000_000).to_bytes(8, "little") + b"\0" * 3_000_000
    server.add("a/b", {"m.gguf": long_list})
    assert len(await place.hub.head_of("a/b", "", "m.gguf")) == 600_000


# ------------------------------------------------------------------------------ untrusted answers


def test_a_search_passes_over_nonsense() -> None:
    values: list[Any] = [
        None,
        7,
        {},
        {"id": "../evil"},
        {"id": 5},
        {"modelId": "a/b", "tags": "x", "gated": "auto"},
    ]
    values += [
        {"id": "a/c", "cardData": {"license": "other", "license_name": "own-1.0"}, "gguf": {"total": -1}}
    ]
    values += [{"id": "a/d", "tags": ["license:mit", 5], "downloads": True, "gguf": {"total": 2**70}}]
    found = found_models(values, 100)
    assert [model.id for model in found] == ["a/b", "a/c", "a/d"]
    assert found[0].needs_token and found[1].licence == "own-1.0" and found[2].licence == "mit"
    assert found[1].n_params is None and found[2].n_params is None and found[2].n_downloads is None
    with pytest.raises(NetworkError):
        found_models({}, 1)


def test_a_listing_passes_over_nonsense() -> None:
    siblings: list[Any] = [None, {}, {"rfilename": 5}, {"rfilename": "a.gguf"}]
    siblings += [{"rfilename": "b.gguf", "size": -5, "lfs": {"sha256": "x", "size": "y"}, "blobId": "0" * 40}]
    siblings += [{"rfilename": "c.json", "size": 5, "blobId": "0" * 40}]
    value = json.loads(json.dumps({"sha": REVISION, "siblings": siblings}))
    files = listing_of("a/b", value).files
    assert list(files) == ["a.gguf", "b.gguf", "c.json"]
    assert files["b.gguf"].size_bytes is None and files["b.gguf"].sha256 == files["b.gguf"].git_sha1 == ""
    assert files["c.json"].git_sha1 == "0" * 40
    bad: Any
    for bad in (None, [], {"sha": REVISION}, {"sha": REVISION, "siblings": 5}, {"siblings": []}):
        with pytest.raises(NetworkError):
            listing_of("a/b", bad)
