"""The components as a table, and the search in it."""

from collections.abc import Sequence
from enum import IntEnum

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
)

from app.core.components import Component

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_ROW_HEIGHT = 24


class ComponentRole(IntEnum):
    """What a row gives beyond Qt's own roles."""

    COMPONENT = Qt.ItemDataRole.UserRole + 1


class ComponentModel(QAbstractTableModel):
    """Name, version and licence of each component, in the order given."""

    def __init__(self, parent: QObject | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._components: tuple[Component, ...] = ()

    def set_components(self, components: Sequence[Component]) -> None:
        """Show these components."""
        self.beginResetModel()
        self._components = tuple(components)
        self.endResetModel()

    # Qt overrides

    def rowCount(self, parent: Index = _ROOT, /) -> int:
        """Give the number of components."""
        return 0 if parent.isValid() else len(self._components)

    def columnCount(self, parent: Index = _ROOT, /) -> int:
        """Give name, version and licence."""
        return 0 if parent.isValid() else 3

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole, /) -> object:
        """Give a cell's words; its row's component under ComponentRole.COMPONENT."""
        if not index.isValid():
            return None
        component = self._components[index.row()]
        words = (component.name, component.version, component.licence)[index.column()]
        if role == ComponentRole.COMPONENT:
            return component
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return words
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, _ROW_HEIGHT)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole, /
    ) -> object:
        """Give the columns' titles."""
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return (_tr("Component"), _tr("Version"), _tr("Licence"))[section]


class ComponentFilter(QSortFilterProxyModel):
    """The components whose name or licence holds each word of a search, in any case."""

    def __init__(self, model: ComponentModel, parent: QObject | None = None) -> None:
        """Filter `model`; all are shown at first."""
        super().__init__(parent)
        self._words: list[str] = []
        self.setSourceModel(model)

    def search(self, text: str) -> None:
        """Show those that hold each word of `text`."""
        self.beginFilterChange()
        self._words = text.casefold().split()
        self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    # Qt overrides

    def filterAcceptsRow(self, source_row: int, source_parent: Index, /) -> bool:
        """Look for the words in name and licence."""
        component = self.sourceModel().index(source_row, 0, source_parent).data(ComponentRole.COMPONENT)
        text = f"{component.name} {component.licence}".casefold()
        return all(word in text for word in self._words)


def _tr(text: str) -> str:
    return QCoreApplication.translate("ComponentModel", text)
