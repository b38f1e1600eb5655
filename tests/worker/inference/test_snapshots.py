"""KV caches of conversations on the disk: used when right, dropped when not, bounded, private, forgotten."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.worker.inference import snapshots
from app.worker.inference.snapshots import SnapshotStore, forget_snapshots
from tests.worker.inference.answering import Answerer, Opener
from tests.worker.inference.gguf_writer import TinyModel

pytestmark = pytest.mark.usefixtures("backend")

LONG = "abcdefghij" * 30  # more tokens than MIN_TOKENS
LIMIT = 2**30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "snapshots"


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return TinyModel().write(tmp_path / "model.gguf")


@pytest.fixture
def restarted(start: Opener, folder: Path, model_path: Path) -> Callable[[], Answerer]:
    """Loads the same model again, with an empty context."""
    return lambda: start.load(model_path, snapshot_dir=str(folder), snapshot_limit_bytes=LIMIT)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.mark.parametrize("architecture", ["llama", "mamba"])
def test_conversation_goes_on_after_a_restart(
    start: Opener, tmp_path: Path, folder: Path, architecture: str
) -> None:
    path = TinyModel(architecture=architecture).write(tmp_path / "model.gguf")
    options = {"snapshot_dir": str(folder), "snapshot_limit_bytes": LIMIT}
    first = start.load(path, **options)
    turn = first(LONG, conversation="c", max_tokens=2)
    follow_up = (LONG, turn.text, "and more")
    first.model.save_snapshot()
    live = first(*follow_up, conversation="c", max_tokens=8)
    fresh = start.load(path)(*follow_up, max_tokens=8)
    again = start.load(path, **options)(*follow_up, conversation="c", max_tokens=8)
    assert again.from_snapshot and not live.from_snapshot and not fresh.from_snapshot
    assert again.cached_tokens == live.cached_tokens > 300
    assert again.text == live.text
    assert (again.prompt_tokens, fresh.cached_tokens) == (live.prompt_tokens, 0)


def test_another_conversations_prompt_saves_the_one_before(restarted: Callable[[], Answerer]) -> None:
    answer = restarted()
    first = answer(LONG, conversation="a")
    answer("x" + LONG, conversation="b")
    again = answer(LONG, conversation="a")
    assert again.from_snapshot
    assert (again.text, again.cached_tokens) == (first.text, first.prompt_tokens - 1)
    assert answer("x" + LONG, conversation="b").from_snapshot, "leaving it saved it too"


def test_what_the_context_holds_is_not_read_from_the_disk(restarted: Callable[[], Answerer]) -> None:
    answer = restarted()
    answer(LONG, conversation="a")
    answer.model.save_snapshot()
    assert not answer(LONG, conversation="a").from_snapshot


def test_nothing_is_kept_of_what_is_short_or_has_no_name(
    restarted: Callable[[], Answerer], folder: Path
) -> None:
    answer = restarted()
    answer("short", conversation="a")
    answer.model.save_snapshot()
    answer(LONG)
    answer.model.save_snapshot()
    assert files(folder) == []


def test_nothing_is_written_twice(restarted: Callable[[], Answerer], folder: Path) -> None:
    answer = restarted()
    answer(LONG, conversation="a")
    answer.model.save_snapshot()
    (path,) = files(folder)
    path.unlink()
    answer.model.save_snapshot()
    assert files(folder) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_only_the_owner_can_read_it(restarted: Callable[[], Answerer], folder: Path) -> None:
    answer = restarted()
    answer(LONG, conversation="a")
    answer.model.save_snapshot()
    (path,) = files(folder)
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_file_with_any_damage_is_dropped_and_never_used(
    restarted: Callable[[], Answerer], folder: Path
) -> None:
    answer = restarted()
    fresh = answer(LONG, conversation="a")
    answer.model.save_snapshot()
    (path,) = files(folder)
    whole = path.read_bytes()
    n = len(whole)
    places = [0, 4, 8, 12, 200, n // 3, n // 2, n - 5000, n - 60, n - 48, n - 40, n - 20, n - 8, n - 1]
    damaged = [whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :] for at in places]
    damaged += [whole[:at] for at in (0, 1, 47, 48, 1000, n // 2, n - 1)]
    damaged += [whole + b"x", b"\0" * n, whole[: n // 2] + whole[: n // 2], b"x" * 10_000]
    other = restarted()
    for content in damaged:
        path.write_bytes(content)
        other.model.forget("")
        again = other(LONG, conversation="a")
        assert (again.from_snapshot, again.text, again.cached_tokens) == (False, fresh.text, 0)
        assert not path.exists()
    path.write_bytes(whole)
    other.model.forget("")
    assert other(LONG, conversation="a").from_snapshot


def test_files_of_other_models_and_conversations_are_not_used(
    restarted: Callable[[], Answerer], start: Opener, folder: Path, model_path: Path
) -> None:
    answer = restarted()
    answer(LONG, conversation="a")
    answer.model.save_snapshot()
    (path,) = files(folder)
    content = path.read_bytes()
    os.utime(model_path, ns=(1, 1))  # as good as another model
    other = restarted()
    assert not other(LONG, conversation="a").from_snapshot
    assert path.exists()
    other.model.save_snapshot()
    (theirs,) = [file for file in files(folder) if file != path]
    theirs.write_bytes(content)
    other.model.forget("")
    assert not other(LONG, conversation="a").from_snapshot
    assert not theirs.exists()
    shorter = start.load(model_path, snapshot_dir=str(folder), snapshot_limit_bytes=LIMIT, context_length=400)
    assert not shorter(LONG, conversation="a").from_snapshot


def test_oldest_files_make_room(restarted: Callable[[], Answerer], start: Opener, folder: Path) -> None:
    answer = restarted()
    for name in "abc":
        answer(name + LONG, conversation=name)
    answer.model.save_snapshot()
    size = max(path.stat().st_size for path in files(folder))
    for age, name in enumerate("bca"):  # b was used last but c and a
        (path,) = [file for file in files(folder) if file.name.startswith(snapshots._digest(name))]
        os.utime(path, ns=(age, age))
    small = start.load(
        Path(answer.loaded.options.path), snapshot_dir=str(folder), snapshot_limit_bytes=size * 3
    )
    small("d" + LONG, conversation="d")
    small.model.save_snapshot()
    left = {
        name for name in "abcd" for file in files(folder) if file.name.startswith(snapshots._digest(name))
    }
    assert left == {"a", "c", "d"}
    none = start.load(Path(answer.loaded.options.path), snapshot_dir=str(folder), snapshot_limit_bytes=1000)
    none("e" + LONG, conversation="e")
    none.model.save_snapshot()
    assert len(files(folder)) == 3


def test_full_disk_is_no_error_of_the_answer(
    restarted: Callable[[], Answerer], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = restarted()
    answer(LONG, conversation="a")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=0))
    assert answer("x" + LONG, conversation="b").completion_tokens
    assert files(folder) == []
    monkeypatch.undo()
    monkeypatch.setattr(type(answer.loaded.context), "save_state", lambda *_: 17)
    assert answer(LONG, conversation="a").completion_tokens
    assert files(folder) == []


def test_folder_that_cannot_be_used_is_no_error(start: Opener, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    answer = start(TinyModel(), snapshot_dir=str(blocked / "below"), snapshot_limit_bytes=LIMIT)
    answer(LONG, conversation="a")
    answer.model.save_snapshot()
    assert answer("x", conversation="b").completion_tokens


def test_what_dead_writers_left_is_removed(folder: Path) -> None:
    folder.mkdir()
    dead, alive = folder / "a-999999999.kv.part", folder / f"a-{os.getppid()}.kv.part"
    dead.touch()
    alive.touch()
    SnapshotStore(folder, 1, "key")
    assert files(folder) == [alive]


def test_forgetting(restarted: Callable[[], Answerer], folder: Path) -> None:
    answer = restarted()
    for name in "abc":
        answer(name + LONG, conversation=name)
    answer.model.save_snapshot()
    forget_snapshots(folder, "a")
    assert len(files(folder)) == 2
    answer("c" + LONG, conversation="c")
    answer.model.forget("c")
    forget_snapshots(folder, "c")
    answer.model.save_snapshot()
    assert len(files(folder)) == 1, "it was not written again"
    assert answer.loaded.cache.tokens == []
    forget_snapshots(folder, "")
    assert files(folder) == []
    forget_snapshots(folder / "not there", "")


def test_shifted_context_is_not_kept(restarted: Callable[[], Answerer], folder: Path) -> None:
    answer = restarted()
    for seed in range(40):
        result = answer("x" * 480, conversation="a", max_tokens=200, temperature=1.5, seed=seed)
        if result.n_shifted:
            break
    assert result.n_shifted
    answer.model.save_snapshot()
    assert files(folder) == []
