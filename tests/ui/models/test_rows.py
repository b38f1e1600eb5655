"""Rows that change in place, and the list that shows them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QImage
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.ui.models.row_list import RowList
from app.ui.models.row_model import Heading, RowLook, RowModel, RowRole
from app.ui.models.words import Mark
from app.ui.theme import Theme

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


@dataclass(frozen=True)
class Thing:
    name: str
    size: int = 1


def look(thing: Thing) -> RowLook:
    marks = (Mark("info", f"<b>{thing.name}</b>", "ok"), Mark("", "and more", "text_muted"))
    return RowLook(thing.name, "AB", "accent", f"{thing.size} GB", marks, 0.5)


@pytest.fixture
def model(qtbot: QtBot) -> RowModel:
    return RowModel(lambda thing: thing.name, look)


@pytest.fixture
def view(model: RowModel, theme: Theme, qtbot: QtBot) -> Iterator[RowList]:
    view = RowList(model, theme, "Things")
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show()
    yield view


def shown(model: RowModel) -> list[str]:
    return [str(model.index(row).data()) for row in range(model.rowCount())]


def test_rows_come_go_and_change_in_place(model: RowModel, qtbot: QtBot) -> None:
    QAbstractItemModelTester(model, FATAL)
    resets: list[int] = []
    model.modelReset.connect(lambda: resets.append(1))
    model.show([Heading("First"), Thing("a"), Thing("c")])
    model.show([Heading("First"), Thing("a"), Thing("b"), Heading("Second"), Thing("c")])
    assert shown(model) == ["First", "a", "b", "Second", "c"]
    with qtbot.waitSignal(model.dataChanged) as changed:
        model.show([Heading("First"), Thing("a"), Thing("b", 9), Heading("Second"), Thing("c")])
    assert changed.args[0].row() == changed.args[1].row() == 2
    model.show([Thing("b", 9)])
    assert shown(model) == ["b"] and resets == []
    model.put(Thing("b", 10))
    model.put(Thing("d"))
    assert [thing.size for thing in model.items] == [10, 1]
    model.show([Thing("d"), Thing("b")])
    assert shown(model) == ["d", "b"] and resets == [1]
    model.take("b")
    model.take("nothing")
    assert shown(model) == ["d"]


def test_nothing_is_told_of_rows_that_stayed_as_they_were(model: RowModel, qtbot: QtBot) -> None:
    model.show([Thing("a"), Thing("b")])
    with qtbot.assertNotEmitted(model.dataChanged):
        model.show([Thing("a"), Thing("b")])
        model.put(Thing("a"))


def test_a_row_is_told_to_screen_readers_and_its_tip_is_plain(model: RowModel) -> None:
    model.show([Heading("First"), Thing("a")])
    index = model.index(1)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "a, <b>a</b>, and more, 1 GB"
    model.show([Heading("First"), Thing("<b>a</b>")])
    assert "&lt;b&gt;" in str(model.index(1).data(Qt.ItemDataRole.ToolTipRole))
    model.show([Heading("First"), Thing("a")])
    index = model.index(1)
    assert index.data(Qt.ItemDataRole.DecorationRole) is None
    heading = model.index(0)
    assert heading.data(Qt.ItemDataRole.AccessibleTextRole) == "First"
    assert heading.data(Qt.ItemDataRole.ToolTipRole) is None
    assert not heading.flags() & Qt.ItemFlag.ItemIsSelectable
    assert index.flags() & Qt.ItemFlag.ItemIsSelectable
    assert model.item(heading) is None and model.by_key("a") == Thing("a")
    assert not model.index_of("x").isValid() and model.by_key("x") is None


def test_the_choice_stays_while_rows_change(view: RowList, model: RowModel) -> None:
    model.show([Heading("First"), Thing("a"), Thing("b")])
    view.choose_first()
    assert view.current == Thing("a")
    view.choose("b")
    view.choose("unknown")
    model.show([Heading("First"), Thing("0"), Thing("a"), Thing("b", 7)])
    assert view.current == Thing("b", 7)


def test_keys_open_and_remove(view: RowList, model: RowModel) -> None:
    model.show([Thing("a"), Thing("b")])
    opened: list[Thing] = []
    removed: list[Thing] = []
    view.opened.connect(opened.append)
    view.remove_requested.connect(removed.append)
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert opened == []
    view.choose_first()
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Return)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert opened == removed == [Thing("b")]
    place = view.visualRect(model.index(0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    assert opened == [Thing("b"), Thing("a")]


def test_a_menu_is_asked_for_at_the_row(view: RowList, model: RowModel) -> None:
    model.show([Thing("a")])
    asked: list[tuple[object, QPoint]] = []
    view.menu_requested.connect(lambda item, place: asked.append((item, place)))
    reason = QContextMenuEvent.Reason
    QApplication.sendEvent(view.viewport(), QContextMenuEvent(reason.Keyboard, QPoint(1, 1), QPoint(1, 1)))
    assert asked == []
    view.choose_first()
    event = QContextMenuEvent(reason.Mouse, QPoint(1, 1), QPoint(30, 40))
    QApplication.sendEvent(view.viewport(), event)
    QApplication.sendEvent(view.viewport(), QContextMenuEvent(reason.Keyboard, QPoint(1, 1), QPoint(1, 1)))
    assert asked[0] == (Thing("a"), QPoint(30, 40))
    assert view.viewport().rect().contains(view.viewport().mapFromGlobal(asked[1][1]))


def painted(view: RowList) -> QImage:
    return view.grab().toImage()


@pytest.mark.parametrize("direction", [Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft])
def test_rows_are_drawn_in_both_directions(
    view: RowList, model: RowModel, theme: Theme, direction: Qt.LayoutDirection
) -> None:
    empty = painted(view)
    view.setLayoutDirection(direction)
    model.show([Heading("First"), Thing("a"), Thing("b" * 200)])
    view.choose("a")
    view.setFocus()
    assert painted(view) != empty
    row = view.visualRect(model.index(1))
    top = row.center().y() - 14  # inside the badge, above its letters
    ends = [painted(view).pixelColor(x, top) for x in (row.left() + 20, row.right() - 20)]
    badge, ground = ends if direction == Qt.LayoutDirection.LeftToRight else reversed(ends)
    assert badge != ground == theme.colour("accent_soft")
    theme.set_setting("dark")
    assert painted(view) != empty


def test_rows_grow_with_the_font(view: RowList, model: RowModel) -> None:
    model.show([Heading("First"), Thing("a")])
    before = view.contents_height
    font = view.font()
    font.setPointSizeF(font.pointSizeF() * 2)
    view.setFont(font)
    assert view.contents_height > before + 20


def test_a_row_gives_its_look(model: RowModel) -> None:
    model.show([Thing("a")])
    assert model.index(0).data(RowRole.LOOK) == look(Thing("a"))
