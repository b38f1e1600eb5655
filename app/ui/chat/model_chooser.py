"""Beside the composer: which model answers."""

from dataclasses import replace

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QWidget

from app.protocol.models import Fit, ModelChanged, ModelEntry, ModelList
from app.ui.chat.choosers import ChooserButton, add_heading
from app.ui.chat.model_words import fit_colour, is_of_other_program, is_usable, model_line
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import bind_icon
from app.ui.theme import Theme


class ModelChooser(ChooserButton):
    """Chooses the model.

    Signals:
        model_chosen: its name (str); empty for the default one.
        manage_requested: show all models.
        cancel_requested: end the loading that is under way.
        fit_wanted: the list is about to show; the advice should be fresh.
    """

    model_chosen = Signal(str)
    manage_requested = Signal()
    cancel_requested = Signal()
    fit_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start without models."""
        super().__init__("model", theme, parent)
        self._models: tuple[ModelEntry, ...] = ()
        self._default = ""
        self._current = ""
        self._loading: str | None = None
        self._progress: dict[str, float] = {}
        self._actions: dict[str, QAction] = {}
        self._cancel: QAction | None = None
        self._menu.aboutToShow.connect(self.fit_wanted)
        self._build()

    @property
    def current(self) -> str:
        """Name of the model that will answer; empty where there is none."""
        return self._current or self._default

    @property
    def has_models(self) -> bool:
        """Whether there is a model to choose."""
        return any(is_usable(model) for model in self._models)

    def entry(self, name: str = "") -> ModelEntry | None:
        """Give a model's entry; that of the current one without a name."""
        wanted = name or self.current
        return next((model for model in self._models if model.name == wanted), None)

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        """The chat models, by name."""
        return self._models

    def set_models(self, models: ModelList) -> None:
        """Show these models, of all kinds only those that chat; advice once given stays."""
        known = {model.name: model.fit for model in self._models}
        before = [(model.name, model.source) for model in self._models]
        self._models = tuple(
            _with_fit(model, known.get(model.name)) for model in models.models if model.kind == "chat"
        )
        self._default = models.default
        if before == [(model.name, model.source) for model in self._models]:
            self._refresh()  # the menu may be open
        else:
            self._build()

    def set_current(self, name: str) -> None:
        """Show the conversation's model; empty for the default one."""
        self._current = name
        self._refresh()

    def set_loading(self, name: str) -> None:
        """Offer to cancel the loading of a model that the window asked for; empty: nothing is loaded."""
        self._loading = name or None
        self._refresh()

    @Slot(object)
    def apply_change(self, change: ModelChanged) -> None:
        """Take over a model's new state."""
        model = change.model
        if model.kind != "chat":
            return
        self._progress.pop(model.name, None)
        if change.progress is not None and model.state == "loading":
            self._progress[model.name] = change.progress
        before = self.entry(model.name)
        model = _with_fit(model, before.fit if before is not None else None)
        known = {each.name: each for each in self._models} | {model.name: model}
        self._models = tuple(sorted(known.values(), key=lambda each: each.name.casefold()))
        if before is None:
            self._build()
        else:
            self._refresh()

    def _build(self) -> None:
        self._menu.clear()
        self._actions.clear()
        group = QActionGroup(self._menu)
        group.triggered.connect(self._on_triggered)
        own = [model for model in self._models if not is_of_other_program(model)]
        others = [model for model in self._models if is_of_other_program(model)]
        if not self._models:
            missing = self._menu.addAction(self.tr("No model is installed"))
            missing.setEnabled(False)
        for title, models in ((self.tr("Installed"), own), (self.tr("From other programs"), others)):
            if models and others:
                add_heading(self._menu, title)
            for model in models:
                action = QAction(group)
                action.setCheckable(True)
                action.setData(model.name)
                self._menu.addAction(action)
                self._actions[model.name] = action
        self._menu.addSeparator()
        self._cancel = self._menu.addAction(self.tr("Cancel loading"))
        self._cancel.triggered.connect(self.cancel_requested)
        bind_icon(self._cancel, "close", self._theme)
        manage = self._menu.addAction(self.tr("Manage models…"))
        manage.triggered.connect(self.manage_requested)
        bind_icon(manage, "edit", self._theme)
        self._refresh()

    def _refresh(self) -> None:
        name = self.current
        for model in self._models:
            action = self._actions[model.name]
            action.setText(model_line(model, self._progress.get(model.name)).replace("&", "&&"))
            action.setChecked(model.name == name)
            action.setEnabled(is_usable(model))
            action.setToolTip(plain_tooltip(f"{model.problem} {model.hint}".strip() or model.path))
            sign = "check" if model.name == name else "dot"
            bind_icon(action, sign, self._theme, fit_colour(model.fit))
        if self._cancel is not None:
            self._cancel.setVisible(self._loading is not None)
        self._show_label(name)

    def _show_label(self, name: str) -> None:
        words = name or self.tr("No model")
        progress = self._progress.get(name)
        self.set_label(f"{words} · {round(progress * 100)} %" if progress is not None else words)
        model = self.entry()
        problem = "" if model is None or is_usable(model) else model_line(model)
        self.setAccessibleName(self.tr("Model: {0}").format(problem or name or self.tr("none")))
        told = problem or name or self.tr("none installed")
        self.setToolTip(plain_tooltip(self.tr("The model that answers: {0}").format(told)))

    @Slot(QAction)
    def _on_triggered(self, action: QAction) -> None:
        self.set_current(str(action.data()))
        self.model_chosen.emit(self._current)


def _with_fit(model: ModelEntry, fit: Fit | None) -> ModelEntry:
    """Keep advice that was asked for before, where a later entry came without."""
    return replace(model, fit=fit) if model.fit is None else model
