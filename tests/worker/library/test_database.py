"""The database file: migrations, backups, refusals, transactions, errors in words."""

import threading
from pathlib import Path

import apsw
import pytest

from app.core.errors import StorageError
from app.worker.library.database import Database, backup, fetch, full_error, translated
from app.worker.library.schema import MIGRATIONS

V1 = "CREATE TABLE notes (text TEXT NOT NULL) STRICT"
V2 = "ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 0; UPDATE notes SET stars = 5"
BROKEN = "ALTER TABLE notes ADD COLUMN moons INTEGER; SELECT no_such_function()"


def opened(tmp_path: Path, *migrations: str) -> Database:
    return Database(tmp_path / "a.db", migrations, tmp_path / "backups")


def fill(tmp_path: Path) -> None:
    database = opened(tmp_path, V1)
    with database.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('kept')")
    database.close()


def test_a_migration_keeps_the_data_and_a_verified_copy_from_before(tmp_path: Path) -> None:
    fill(tmp_path)
    database = opened(tmp_path, V1, V2)
    assert database.rows("SELECT text, stars FROM notes") == [("kept", 5)]
    database.close()
    (copy_path,) = (tmp_path / "backups").iterdir()
    copy = apsw.Connection(str(copy_path))
    assert copy.execute("SELECT * FROM notes").fetchall() == [("kept",)]
    assert copy.pragma("user_version") == 1
    copy.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(apsw.SQLError):
        opened(tmp_path, V1, BROKEN)
    database = opened(tmp_path, V1)
    assert database.rows("SELECT * FROM notes") == [("kept",)]
    database.close()


def test_a_newer_schema_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    opened(tmp_path, V1, V2).close()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StorageError) as refused:
        opened(tmp_path, V1)
    assert refused.value.code == "storage.newer"
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_foreign_or_damaged_file_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is no database at all, but long enough to look at" * 40)
    with pytest.raises(StorageError) as refused:
        opened(tmp_path, V1)
    # The bytes at the version's place read as some large number, or the file as no database.
    assert refused.value.code in ("storage.damaged", "storage.newer")
    fill_path = tmp_path / "b"
    fill_path.mkdir()
    fill(fill_path)
    content = bytearray((fill_path / "a.db").read_bytes())
    content[100:] = bytes(len(content) - 100)
    (fill_path / "a.db").write_bytes(content)
    with pytest.raises(StorageError) as damaged:
        database = opened(fill_path, V1)
        try:
            database.rows("SELECT * FROM notes")
        finally:
            database.close()
    assert damaged.value.code == "storage.damaged"


def test_a_transaction_is_whole_or_nothing_also_when_nested(tmp_path: Path) -> None:
    database = opened(tmp_path, V1)
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('a')")
        with database.write() as same:
            same.execute("INSERT INTO notes VALUES ('b')")
        raise ZeroDivisionError
    assert database.rows("SELECT * FROM notes") == []
    with database.write(durable=False) as connection, database.write():
        connection.execute("INSERT INTO notes VALUES ('c')")
        assert database.rows("SELECT * FROM notes") == []  # others see it when it is committed
    assert database.value("SELECT text FROM notes") == "c"
    assert database.row("SELECT text FROM notes WHERE text = 'x'") is None
    database.close()


def test_readers_go_on_while_something_is_written(tmp_path: Path) -> None:
    database = opened(tmp_path, V1)
    seen: list[int] = []
    with database.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('a')")
        reader = threading.Thread(target=lambda: seen.append(database.value("SELECT count(*) FROM notes")))
        reader.start()
        reader.join()
    assert seen == [0]
    with pytest.raises(apsw.ReadOnlyError):
        database.reader().execute("DELETE FROM notes")
    database.close()


def test_a_full_disk_is_said_and_nothing_half_written(tmp_path: Path) -> None:
    database = opened(tmp_path, V1)
    with pytest.raises(StorageError) as full, database.write() as connection:
        connection.execute(f"PRAGMA max_page_count={fetch(connection, 'PRAGMA page_count')[0][0] + 2}")
        connection.execute("INSERT INTO notes VALUES ('small')")
        connection.execute("INSERT INTO notes VALUES (?)", ("x" * 100_000,))
    assert (full.value.code, full.value.to_body()) == ("storage.full", full_error().to_body())
    assert database.rows("SELECT * FROM notes") == []
    database.close()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (apsw.CorruptError(), "storage.damaged"),
        (apsw.ReadOnlyError(), "storage.read_only"),
        (apsw.CantOpenError(), "storage.read_only"),
        (apsw.BusyError(), "storage.busy"),
        (apsw.IOError(), "storage.io"),
        (OSError(28, "No space left on device"), "storage.full"),
        (PermissionError(13, "Permission denied"), "storage.read_only"),
    ],
)
def test_every_error_of_the_disk_has_words_and_a_next_step(error: Exception, code: str) -> None:
    with pytest.raises(StorageError) as raised, translated():
        raise error
    assert raised.value.code == code
    assert raised.value.user_message.endswith(".") and raised.value.hint.endswith(".")


def test_other_errors_pass_untouched() -> None:
    with pytest.raises(FileNotFoundError), translated():
        raise FileNotFoundError(2, "No such file")


def test_a_copy_is_only_named_when_it_is_sound(tmp_path: Path) -> None:
    database = opened(tmp_path, *MIGRATIONS)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError), translated():
        backup(database.reader(), tmp_path / "file" / "x", "library")
    path = backup(database.reader(), tmp_path / "copies", "library")
    assert [found.name for found in (tmp_path / "copies").iterdir()] == [path.name]
    database.close()
