"""Beside the composer: which model answers, and which documents it may use."""

from collections.abc import Sequence

from PySide6.QtCore import QLocale, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QVBoxLayout, QWidget, QWidgetAction

from app.protocol.library import Collection, Scope
from app.protocol.models import ModelChanged, ModelEntry, ModelList
from app.ui.elements.tick_box import TickBox
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import CONTROL_HEIGHT, SPACE_S, SPACE_XS

_MAX_LABEL_PX = 190


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
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self.setMenu(self._menu)

    def set_label(self, text: str) -> None:
        """Show a label, shortened in its middle."""
        self.setText(" " + self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, _MAX_LABEL_PX))


class ModelChooser(ChooserButton):
    """Chooses the model.

    Signals:
        model_chosen: its name (str); empty for the default one.
    """

    model_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start without models."""
        super().__init__("model", theme, parent)
        self._models: tuple[ModelEntry, ...] = ()
        self._default = ""
        self._current = ""
        self._progress: dict[str, float] = {}
        self._refresh()

    @property
    def current(self) -> str:
        """Name of the model that will answer; empty where there is none."""
        return self._current or self._default

    def set_models(self, models: ModelList) -> None:
        """Show these models."""
        self._models, self._default = models.models, models.default
        self._refresh()

    def set_current(self, name: str) -> None:
        """Show the conversation's model; empty for the default one."""
        self._current = name
        self._refresh()

    def apply_change(self, change: ModelChanged) -> None:
        """Take over a model's new state."""
        known = {model.name: model for model in self._models}
        known[change.model.name] = change.model
        self._models = tuple(sorted(known.values(), key=lambda model: model.name.casefold()))
        self._progress.pop(change.model.name, None)
        if change.progress is not None and change.model.state == "loading":
            self._progress[change.model.name] = change.progress
        self._refresh()

    def _refresh(self) -> None:
        name = self.current
        self.set_label(name or self.tr("No model"))
        self.setAccessibleName(self.tr("Model: {0}").format(name or self.tr("none")))
        words = self.tr("The model that answers: {0}").format(name or self.tr("none installed"))
        self.setToolTip(plain_tooltip(words))
        self._menu.clear()
        if not self._models:
            missing = self._menu.addAction(self.tr("No model is installed"))
            missing.setEnabled(False)
            return
        group = QActionGroup(self._menu)
        for model in self._models:
            action = QAction(self._label(model), group)
            action.setCheckable(True)
            action.setChecked(model.name == name)
            action.setData(model.name)
            action.setEnabled(model.state != "broken")
            action.setToolTip(plain_tooltip(f"{model.problem} {model.hint}".strip() or model.path))
            self._menu.addAction(action)
        group.triggered.connect(self._on_triggered)

    def _label(self, model: ModelEntry) -> str:
        size = self.locale().formattedDataSize(model.size_bytes, 0, QLocale.DataSizeFormat.DataSizeSIFormat)
        state = {
            "loading": self.tr("loading"),
            "loaded": self.tr("ready"),
            "broken": self.tr("cannot be used"),
        }.get(model.state, "")
        if model.name in self._progress:
            state += f" {round(self._progress[model.name] * 100)} %"
        return "  ·  ".join(part for part in (model.name, size, state) if part)

    @Slot(QAction)
    def _on_triggered(self, action: QAction) -> None:
        self.set_current(str(action.data()))
        self.model_chosen.emit(self._current)


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
        self._menu.addSection(self.tr("Only these collections"))
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
