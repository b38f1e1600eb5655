"""Beside the composer: small buttons with menus; the one that chooses the documents of an answer."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QPaintEvent
from PySide6.QtWidgets import (
    QLabel,
    QMenu,
    QSizePolicy,
    QStyle,
    QStyleOptionToolButton,
    QStylePainter,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from app.protocol.library import Collection
from app.protocol.search import Scope
from app.ui.elements.tick_box import TickBox
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import CONTROL_HEIGHT, SPACE_M, SPACE_S, SPACE_XS

_MAX_LABEL_PX = 190
_MIN_PX = 44
_LEAST_CHARACTERS = 6


class ChooserButton(QToolButton):
    """A small button with an icon, a shortened label and a menu."""

    def __init__(self, icon_name: str, theme: Theme, parent: QWidget | None = None) -> None:
        """Show the icon; the menu is filled by the subclass."""
        super().__init__(parent)
        self._theme = theme
        set_role(self, "chooser")
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFixedHeight(CONTROL_HEIGHT)
        self.setIconSize(QSize(16, 16))
        bind_icon(self, icon_name, theme)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self.setMenu(self._menu)

    def set_label(self, text: str) -> None:
        """Show a label, shortened in its middle."""
        self.setText(" " + self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, _MAX_LABEL_PX))

    def words_shown(self) -> bool:
        """Whether there is room for enough of the words to be told apart; else only the icon is drawn."""
        lacking = self.sizeHint().width() - self.width()
        words = self.fontMetrics().horizontalAdvance(self.text())
        return lacking <= 0 or words - lacking >= _LEAST_CHARACTERS * self.fontMetrics().averageCharWidth()

    # Qt overrides

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw the icon alone where only a letter or two of the words would stand beside it."""
        if self.words_shown():
            super().paintEvent(event)
            return
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        option.toolButtonStyle = Qt.ToolButtonStyle.ToolButtonIconOnly
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)

    def minimumSizeHint(self) -> QSize:
        """Allow little more than the icon; Qt shortens the words to the room there is."""
        return QSize(min(_MIN_PX, self.sizeHint().width()), self.sizeHint().height())


def add_heading(menu: QMenu, text: str) -> None:
    """Put a line and a heading into a menu; a style sheet hides the text of Qt's own sections."""
    if menu.actions():
        menu.addSeparator()
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setContentsMargins(SPACE_M, SPACE_XS, SPACE_M, SPACE_XS)
    set_role(label, "faint")
    action = QWidgetAction(menu)
    action.setDefaultWidget(label)
    action.setEnabled(False)
    action.setText(text)
    menu.addAction(action)


class ScopeChooser(ChooserButton):
    """Chooses the documents a conversation may use: all, some collections, or none.

    Signals:
        scope_chosen: a Scope.
    """

    scope_chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start with all documents and no collections known."""
        super().__init__("collection", theme, parent)
        self._collections: tuple[Collection, ...] = ()
        self._scope = Scope()
        self._boxes: list[tuple[Collection, TickBox]] = []
        self._build()

    @property
    def scope(self) -> Scope:
        """What is chosen."""
        return self._scope

    def set_collections(self, collections: Sequence[Collection]) -> None:
        """Show these collections; one that is gone leaves the choice."""
        self._collections = tuple(collections)
        self._build()

    def set_scope(self, scope: Scope) -> None:
        """Show a conversation's choice; nothing is emitted."""
        self._scope = scope
        self._refresh()

    def _build(self) -> None:
        self._menu.clear()
        self._all = self._add_choice(self.tr("All documents"), "all")
        self._none = self._add_choice(self.tr("No documents (general knowledge)"), "none")
        add_heading(self._menu, self.tr("Only these collections"))
        box = QWidget(self._menu)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(SPACE_S, 0, SPACE_S, SPACE_XS)
        layout.setSpacing(0)
        self._boxes = []
        for collection in self._collections:
            check = TickBox(f"{collection.name}  ({collection.n_files})", self._theme, box)
            check.clicked.connect(self._on_box_clicked)
            layout.addWidget(check)
            self._boxes.append((collection, check))
        action = QWidgetAction(self._menu)  # boxes in a widget: the menu stays open while they are ticked
        action.setDefaultWidget(box)
        self._menu.addAction(action)
        self._refresh()

    def _add_choice(self, words: str, kind: str) -> QAction:
        action = self._menu.addAction(words)
        action.setCheckable(True)
        action.setData(kind)
        action.triggered.connect(self._on_choice_triggered)
        return action

    def _refresh(self) -> None:
        kind = self._scope.kind
        self._all.setChecked(kind == "all")
        self._none.setChecked(kind == "none")
        names = []
        for collection, box in self._boxes:
            chosen = kind == "some" and collection.id in self._scope.collection_ids
            box.setChecked(chosen)
            if chosen:
                names.append(collection.name)
        words = {"all": self.tr("All documents"), "none": self.tr("No documents")}.get(kind)
        words = words or ", ".join(names) or self.tr("No collection")
        self.set_label(words)
        self.setAccessibleName(self.tr("Documents used: {0}").format(words))
        self.setToolTip(plain_tooltip(self.tr("Documents that answers may use: {0}").format(words)))

    @Slot()
    def _on_choice_triggered(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self._choose(Scope(kind=str(action.data())))

    @Slot()
    def _on_box_clicked(self) -> None:
        ids = tuple(collection.id for collection, box in self._boxes if box.isChecked())
        self._choose(Scope(kind="some", collection_ids=ids) if ids else Scope())

    def _choose(self, scope: Scope) -> None:
        self.set_scope(scope)
        self.scope_chosen.emit(scope)
