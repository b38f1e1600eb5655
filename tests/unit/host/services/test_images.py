"""Attached images: kept once, decoded in the confined process, gone when nothing shows them."""

import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.core.errors import AppError, FileError, NotFoundError, StorageError, UsageError
from app.core.paths import DataPaths
from app.core.processes import worker_command
from app.host.services import images as images_module
from app.host.services.chat_store import ChatStore
from app.host.services.chats import Chats
from app.host.services.images import MAX_FILE_BYTES, MAX_IMAGES, ImagesService, sweep
from app.host.services.ports import Reply
from app.host.supervision import Worker
from app.protocol.chat import AttachImage, CreateConversation, GetImage, ImageAttachment, ImageThumbnail
from tests.unit.host.conftest import Context, Recorder, mode_of


def png(width: int = 40, height: int = 20, colour: tuple[int, int, int] = (200, 30, 10)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
async def renderer(tmp_path: Path) -> AsyncIterator[Worker]:
    worker = Worker("render", worker_command("render"), tmp_path / "render.log", Recorder())
    yield worker
    await worker.stop()


@pytest.fixture
def images(paths: DataPaths, renderer: Worker) -> ImagesService:
    return ImagesService(paths.images_dir, renderer)


async def attach(images: ImagesService, data: bytes, name: str = "/home/me/cat.png") -> ImageAttachment:
    result = await images.handlers()[AttachImage](AttachImage(name=name), Context(data))
    assert isinstance(result, ImageAttachment)
    return result


async def test_an_image_is_kept_under_its_hash_and_shown_small(
    images: ImagesService, paths: DataPaths
) -> None:
    data = png(4000, 1000)
    attached = await attach(images, data)
    assert attached == ImageAttachment(
        sha256=hashlib.sha256(data).hexdigest(), name="cat.png", width=4000, height=1000
    )
    (path,) = paths.images_dir.iterdir()
    assert (path.name, path.read_bytes(), mode_of(path)) == (attached.sha256, data, 0o600)
    await images.check([attached])
    reply = await images.handlers()[GetImage](GetImage(sha256=attached.sha256, max_side=64), Context())
    assert isinstance(reply, Reply)
    assert reply.body == ImageThumbnail(width=64, height=16)
    assert reply.payload == bytes((200, 30, 10)) * 64 * 16
    pictures = await images.pictures([attached.sha256])
    picture = pictures[attached.sha256]
    assert (picture.width, picture.height, len(picture.pixels)) == (1568, 392, 1568 * 392 * 3)


async def test_pictures_are_decoded_again_once_they_were_forgotten(
    images: ImagesService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_module, "_KEPT_PICTURE_BYTES", 3000)
    first, second = await attach(images, png()), await attach(images, png(colour=(1, 2, 3)))
    pictures = await images.pictures([first.sha256, second.sha256])
    assert pictures[first.sha256].pixels[:3] == bytes((200, 30, 10))
    assert pictures[second.sha256].pixels[:3] == bytes((1, 2, 3))


async def test_what_is_no_image_is_not_kept(images: ImagesService, paths: DataPaths) -> None:
    for data in (b"", b"hello", png()[:60]):
        with pytest.raises(AppError) as caught:
            await attach(images, data)
        assert caught.value.code == "image.bad"
    assert not paths.images_dir.exists()


async def test_a_file_that_is_too_large_is_not_even_looked_at(images: ImagesService) -> None:
    with pytest.raises(FileError) as caught:
        await attach(images, bytes(MAX_FILE_BYTES + 1))
    assert caught.value.code == "image.too_large"
    assert "33" in caught.value.user_message or "32" in caught.value.user_message


async def test_what_is_gone_damaged_or_misnamed_is_told_apart(
    images: ImagesService, paths: DataPaths, renderer: Worker
) -> None:
    attached = await attach(images, png())
    fresh = ImagesService(paths.images_dir, renderer)
    (paths.images_dir / attached.sha256).write_bytes(b"other")
    with pytest.raises(FileError) as damaged:
        await fresh.handlers()[GetImage](GetImage(sha256=attached.sha256), Context())
    assert damaged.value.code == "image.bad"
    assert await fresh.pictures([attached.sha256]) == {}
    for digest in ("0" * 64, "../chats.db", "", attached.sha256.upper()):
        with pytest.raises(NotFoundError) as gone:
            await fresh.handlers()[GetImage](GetImage(sha256=digest), Context())
        assert gone.value.code == "image.not_found"
        with pytest.raises(NotFoundError):
            await fresh.check([ImageAttachment(sha256=digest, name="x", width=1, height=1)])
    assert await fresh.pictures(["0" * 64]) == {}
    await attach(images, png())  # attaching it again repairs it
    assert (await fresh.pictures([attached.sha256]))[attached.sha256].width == 40


async def test_too_many_images_are_refused(images: ImagesService) -> None:
    image = ImageAttachment(sha256="0" * 64, name="x", width=1, height=1)
    with pytest.raises(UsageError) as caught:
        await images.check([image] * (MAX_IMAGES + 1))
    assert caught.value.code == "image.too_many"


async def test_another_trouble_of_the_renderer_is_passed_on(
    images: ImagesService, paths: DataPaths, renderer: Worker
) -> None:
    attached = await attach(images, png())
    await renderer.stop()
    with pytest.raises(AppError) as caught:
        await ImagesService(paths.images_dir, renderer).pictures([attached.sha256])
    assert caught.value.code == "worker.stopped"


async def test_a_disk_that_fails_is_named(images: ImagesService, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StorageError) as caught:
        await attach(images, png())
    assert caught.value.code == "image.not_kept"
    assert "No space left" in caught.value.user_message


def test_only_old_images_that_nothing_names_are_swept(tmp_path: Path) -> None:
    assert sweep(tmp_path / "none", set()) == 0
    for name in ("used", "old", "young"):
        (tmp_path / name).write_bytes(b"x")
        if name != "young":
            os.utime(tmp_path / name, (1, 1))
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path / "folder", (1, 1))
    assert sweep(tmp_path, {"used"}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"used", "young", "folder"}


async def test_images_go_when_their_conversation_leaves_the_trash(
    paths: DataPaths, images: ImagesService, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.root.mkdir(exist_ok=True)
    attached = await attach(images, png())
    os.utime(paths.images_dir / attached.sha256, (1, 1))
    chats = Chats(paths.chats_db_path, paths.backups_dir, Recorder(), paths.images_dir)
    # the sweep at opening comes before the question: a day of grace protects what waits to be asked
    os.utime(paths.images_dir / attached.sha256)
    entry = await chats.do(ChatStore.create, CreateConversation())
    await chats.do(ChatStore.begin, entry.id, "What is this?", "", (attached,))
    await chats.do(ChatStore.trash, entry.id)
    await chats.close()
    os.utime(paths.images_dir / attached.sha256, (1, 1))

    async def opened() -> Any:
        again = Chats(paths.chats_db_path, paths.backups_dir, Recorder(), paths.images_dir)
        await again.do(ChatStore.list_entries)
        await again.close()

    await opened()
    assert (paths.images_dir / attached.sha256).exists()
    monkeypatch.setattr("app.host.services.chat_store.TRASH_KEPT_S", -1.0)
    await opened()
    assert not (paths.images_dir / attached.sha256).exists()
