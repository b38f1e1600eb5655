"""The network's ledger as a table, the newest entry first."""

from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QGuiApplication

from app.protocol.network import LedgerEntry, NetworkStatus
from app.ui.elements.tooltips import plain_tooltip
from app.ui.network.words import outcome_words, size_words, time_words
from app.ui.theme import Theme
from app.ui.tokens import SPACE_S

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_ROW_HEIGHT = 26
_COLOURS = {"open": "busy", "failed": "error", "refused": "warning"}
TIME, HOST, WHY, SENT, RECEIVED, OUTCOME = range(6)
_NUMBERS = (SENT, RECEIVED)


@dataclass(frozen=True)
class Totals:
    """Sums over the whole ledger, of which the table shows the newest part."""

    n_entries: int = 0
    n_sent_bytes: int = 0
    n_received_bytes: int = 0


class LedgerModel(QAbstractTableModel):
    """Time, host, why, sent, received and outcome of each connection."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._theme = theme
        self._entries: list[LedgerEntry] = []
        self._totals = Totals()

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """What is shown."""
        return tuple(self._entries)

    @property
    def totals(self) -> Totals:
        """Of the whole ledger."""
        return self._totals

    def reset(self, status: NetworkStatus) -> None:
        """Show the ledger as the host has it."""
        self.beginResetModel()
        self._entries = list(status.entries)
        self._totals = Totals(status.n_entries, status.n_sent_bytes, status.n_received_bytes)
        self.endResetModel()

    def apply(self, entry: LedgerEntry) -> None:
        """Take over an event: a new entry, or the new state of one that is shown."""
        for row, known in enumerate(self._entries):
            if (known.when, known.host, known.why) == (entry.when, entry.host, entry.why):
                self._entries[row] = entry
                self._add(0, entry, known)
                self.dataChanged.emit(self.index(row, TIME), self.index(row, OUTCOME))
                return
        self.beginInsertRows(_ROOT, 0, 0)
        self._entries.insert(0, entry)
        self.endInsertRows()
        self._add(1, entry, None)

    def _add(self, n_entries: int, entry: LedgerEntry, before: LedgerEntry | None) -> None:
        sent = entry.n_sent_bytes - (before.n_sent_bytes if before else 0)
        received = entry.n_received_bytes - (before.n_received_bytes if before else 0)
        old = self._totals
        self._totals = Totals(
            old.n_entries + n_entries, old.n_sent_bytes + sent, old.n_received_bytes + received
        )

    # Qt overrides

    def rowCount(self, parent: Index = _ROOT, /) -> int:
        """Give the number of entries shown."""
        return 0 if parent.isValid() else len(self._entries)

    def columnCount(self, parent: Index = _ROOT, /) -> int:
        """Give the six columns."""
        return 0 if parent.isValid() else 6

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole, /) -> object:
        """Give a cell's words, tool tip, colour and alignment."""
        if not index.isValid():
            return None
        entry, column = self._entries[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return _words(entry, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(_words(entry, column))
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, max(_ROW_HEIGHT, QFontMetrics(QGuiApplication.font()).height() + SPACE_S))
        if role == Qt.ItemDataRole.TextAlignmentRole and column in _NUMBERS:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and column == OUTCOME and entry.outcome in _COLOURS:
            return self._theme.colour(_COLOURS[entry.outcome])
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole, /
    ) -> object:
        """Give the columns' titles."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole and section in _NUMBERS:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return (_tr("Time"), _tr("Connected to"), _tr("Why"), _tr("Sent"), _tr("Received"), _tr("Outcome"))[
            section
        ]


def _words(entry: LedgerEntry, column: int) -> str:
    return (
        time_words(entry) if column == TIME
        else entry.host if column == HOST
        else entry.why if column == WHY
        else size_words(entry.n_sent_bytes) if column == SENT
        else size_words(entry.n_received_bytes) if column == RECEIVED
        else outcome_words(entry)
    )  # fmt: skip


def _tr(text: str) -> str:
    return QCoreApplication.translate("LedgerModel", text)
