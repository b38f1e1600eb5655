"""The models obey Qt's rules and show what the host says."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QMimeData, QModelIndex, QPersistentModelIndex, Qt, QUrl
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication

from app.protocol.library import Collection, FileState
from app.ui.library.collection_model import CollectionModel, CollectionRole, FilesDropped, PathsDropped
from app.ui.library.file_model import PAGE, FileFilter, FileModel, Role, dragged_ids
from tests.ui.library.served import file

MOVE = Qt.DropAction.MoveAction
FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


@pytest.fixture
def model(qapp: QApplication) -> Iterator[FileModel]:
    made = FileModel()
    tester = QAbstractItemModelTester(made, FATAL)
    yield made
    tester.deleteLater()
    made.deleteLater()


@pytest.fixture
def collections(qapp: QApplication) -> Iterator[CollectionModel]:
    made = CollectionModel()
    tester = QAbstractItemModelTester(made, FATAL)
    yield made
    tester.deleteLater()
    made.deleteLater()


def names(model: FileModel) -> list[str]:
    return [str(model.index(row).data()) for row in range(model.rowCount())]


def test_pages_fill_the_model_in_order_and_ask_for_the_next(model: FileModel) -> None:
    asked: list[bool] = []
    model.more_wanted.connect(lambda: asked.append(True))
    files = [file(number) for number in range(1, PAGE + 101)]
    model.start(FileFilter())
    assert model.canFetchMore(QModelIndex())
    model.add_page(files[:PAGE], len(files), 0)
    assert (model.rowCount(), model.total, model.is_complete) == (PAGE, PAGE + 100, False)
    model.fetchMore(QModelIndex())
    assert asked
    request = model.next_request()
    assert request.offset < PAGE  # overlaps
    model.add_page(files[request.offset :], len(files), request.offset)
    assert model.is_complete
    assert not model.canFetchMore(QModelIndex())
    asked.clear()
    model.fetchMore(QModelIndex())
    assert asked == []
    assert names(model) == [entry.name for entry in files]


def test_events_change_insert_and_take_out(model: FileModel) -> None:
    model.start(FileFilter(collection_id=1))
    model.add_page([file(1, "b.pdf"), file(2, "D.pdf"), file(3, "f.pdf")], 3, 0)
    changed: list[tuple[int, int]] = []
    model.dataChanged.connect(lambda first, last: changed.append((first.row(), last.row())))
    keeper = QPersistentModelIndex(model.index(2))
    model.apply(
        [
            file(9, "c.pdf"),
            file(8, "a.pdf"),
            file(7, "g.pdf"),
            file(6, "other.pdf", collection=2),
            file(2, "D.pdf", FileState.READING, progress=0.5),
        ]
    )
    assert names(model) == ["a.pdf", "b.pdf", "c.pdf", "D.pdf", "f.pdf", "g.pdf"]
    assert changed == [(1, 1)]
    assert keeper.data() == "f.pdf"
    model.apply([file(2, "D.pdf", collection=2)])
    model.remove([8, 9, 77])
    assert names(model) == ["b.pdf", "f.pdf", "g.pdf"]
    assert model.total == 3


def test_files_beyond_what_is_loaded_wait_for_their_page(model: FileModel) -> None:
    model.start(FileFilter())
    model.apply([file(1, "a.pdf")])
    assert model.rowCount() == 0  # the first page will bring it
    model.add_page([file(n, f"b{n:04}.pdf") for n in range(1, PAGE + 1)], 2 * PAGE, 0)
    model.apply([file(9001, "z.pdf"), file(9002, "b0007x.pdf")])
    assert model.rowCount() == PAGE + 1
    assert "b0007x.pdf" in names(model)


def test_a_state_filter_lets_files_go_when_they_change(model: FileModel) -> None:
    model.start(FileFilter(state=FileState.READING, contains="REP"))
    model.add_page([file(1, "report.pdf", FileState.READING)], 1, 0)
    model.apply([file(1, "report.pdf", FileState.READY)])
    assert model.rowCount() == 0
    model.apply([file(2, "other.pdf", FileState.READING), file(3, "Reps.pdf", FileState.READING)])
    assert names(model) == ["Reps.pdf"]
    assert model.filter.is_narrow


def test_rows_tell_screen_readers_and_tool_tips_everything(model: FileModel) -> None:
    model.start(FileFilter())
    entry = file(1, "a.pdf", FileState.FAILED, reason="It is damaged.", hint="Save it again.", pages=2)
    model.add_page([entry], 1, 0)
    index = model.index(0)
    spoken = str(index.data(Qt.ItemDataRole.AccessibleTextRole))
    assert spoken.startswith("a.pdf, Could not be read — It is damaged., 2 pages")
    assert "Save it again." in str(index.data(Qt.ItemDataRole.ToolTipRole))
    assert index.data(Role.FILE) == entry
    assert index.data(Qt.ItemDataRole.EditRole) is None
    assert model.data(QModelIndex()) is None
    assert model.file(QModelIndex()) is None


def test_dragging_carries_ids(model: FileModel) -> None:
    model.start(FileFilter())
    model.add_page([file(1), file(2)], 2, 0)
    data = model.mimeData([model.index(0), model.index(1)])
    assert dragged_ids(data) == (1, 2)
    assert dragged_ids(QMimeData()) == ()
    assert model.flags(QModelIndex()) == Qt.ItemFlag.NoItemFlags


EVENT = st.tuples(
    st.integers(1, 12), st.sampled_from(["a", "B", "c", "dd", "É", "zz"]), st.integers(1, 2), st.booleans()
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(st.lists(EVENT, max_size=6), max_size=8))
def test_any_events_leave_the_list_sorted_single_and_filtered(
    model: FileModel, events: list[list[tuple[int, str, int, bool]]]
) -> None:
    model.start(FileFilter(collection_id=1))
    model.add_page([], 0, 0)
    truth: dict[int, str] = {}
    for batch in events:
        for number, name, collection, gone in batch:
            name = truth.get(number, name)  # a location keeps its name
            if gone:
                model.remove([number])
                truth.pop(number, None)
                continue
            model.apply([file(number, name, collection=collection)])
            if collection == 1:
                truth[number] = name
            else:
                truth.pop(number, None)
    expected = sorted((name.casefold(), number) for number, name in truth.items())
    assert [(entry.name.casefold(), entry.location_id) for entry in model.files] == expected
    assert model.total == len(expected)


def test_collections_stand_behind_all_files(collections: CollectionModel) -> None:
    assert collections.rowCount() == 1
    assert collections.index(0).data() == "All files"
    collections.set_collections(
        [Collection(id=1, name="Mine", n_files=3), Collection(id=5, name="B", n_files=4)]
    )
    assert [collections.index(row).data(CollectionRole.COUNT) for row in range(3)] == [7, 3, 4]
    assert collections.index(2).data(Qt.ItemDataRole.AccessibleTextRole) == "B, 4 files"
    assert collections.index(2).data(CollectionRole.COLLECTION).id == 5
    assert collections.index(0).data(CollectionRole.COLLECTION) is None
    assert collections.index(0).data(Qt.ItemDataRole.EditRole) is None
    assert collections.row_of(5) == 2
    assert collections.row_of(77) == 0


def test_a_chosen_collection_stays_chosen_when_others_come_and_go(collections: CollectionModel) -> None:
    first, second = Collection(id=1, name="Mine"), Collection(id=5, name="Z")
    collections.set_collections([first, second])
    kept, all_files = QPersistentModelIndex(collections.index(2)), QPersistentModelIndex(collections.index(0))
    collections.set_collections([first, Collection(id=6, name="A"), second])
    assert (kept.row(), all_files.row()) == (3, 0)
    collections.set_collections([first, Collection(id=6, name="A"), replace(second, name="Zz", n_files=1)])
    assert kept.data() == "Zz"
    collections.set_collections([first])
    assert not kept.isValid()
    assert all_files.row() == 0


def test_files_are_dropped_on_collections_only(collections: CollectionModel, model: FileModel) -> None:
    collections.set_collections([Collection(id=1, name="Mine")])
    files: list[FilesDropped] = []
    paths: list[PathsDropped] = []
    collections.files_dropped.connect(files.append)
    collections.paths_dropped.connect(paths.append)
    model.start(FileFilter())
    model.add_page([file(4)], 1, 0)
    dragged = model.mimeData([model.index(0)])
    mine = collections.index(1)
    assert collections.canDropMimeData(dragged, MOVE, -1, -1, mine)
    assert not collections.canDropMimeData(dragged, MOVE, -1, -1, collections.index(0))
    assert not collections.canDropMimeData(dragged, MOVE, 1, 0, QModelIndex())
    assert not collections.canDropMimeData(QMimeData(), MOVE, -1, -1, mine)
    collections.dropMimeData(dragged, MOVE, -1, -1, mine)
    assert files == [FilesDropped((4,), Collection(id=1, name="Mine"))]
    urls = QMimeData()
    urls.setUrls([QUrl.fromLocalFile("/tmp/a.pdf"), QUrl("https://example.org/b.pdf")])
    assert collections.dropMimeData(urls, Qt.DropAction.CopyAction, -1, -1, mine)
    assert paths == [PathsDropped(("/tmp/a.pdf",), Collection(id=1, name="Mine"))]
    assert not collections.dropMimeData(urls, MOVE, -1, -1, QModelIndex())
    assert Qt.ItemFlag.ItemIsDropEnabled in collections.flags(mine)
    assert Qt.ItemFlag.ItemIsDropEnabled not in collections.flags(collections.index(0))
    assert collections.flags(QModelIndex()) == Qt.ItemFlag.NoItemFlags
    assert "text/uri-list" in collections.mimeTypes()
    assert Qt.DropAction.MoveAction in collections.supportedDropActions()
