"""Rows below each other: where they stand, and what is known of their heights."""

from app.ui.chat.row_heights import RowHeights


def rows(*heights: int) -> RowHeights:
    column = RowHeights(10)
    column.reset(heights)
    return column


def test_rows_stand_below_each_other() -> None:
    column = rows(20, 30, 40)
    assert column.tops() == [10, 30, 60, 100]
    assert column.between(30, 60) == [1]
    assert column.between(29, 61) == [0, 1, 2]
    assert (column.at(0), column.at(29), column.at(30), column.at(75)) == ((0, -10), (0, 19), (1, 0), (2, 15))
    assert column.at(100) == (0, 0)
    assert RowHeights(10).tops() == [10] and RowHeights(10).between(0, 100) == []


def test_heights_are_estimates_until_they_are_measured() -> None:
    column = rows(20, 30)
    assert not column.is_measured(0)
    assert not column.measure(0, 20) and column.measure(1, 35)
    assert column.is_measured(0) and column.tops() == [10, 30, 65]
    column.forget(0)
    assert (column.is_measured(0), column.is_measured(1)) == (False, True)
    column.forget_all()
    assert not column.is_measured(1) and column[1] == 35


def test_rows_come_and_go() -> None:
    column = rows(20, 30, 40)
    column.measure(2, 45)
    column.insert(1, 5)
    assert column.tops() == [10, 30, 35, 65, 110] and column.is_measured(3)
    column.remove(1, 2)
    assert (len(column), column.tops(), column.is_measured(1)) == (2, [10, 30, 75], True)
