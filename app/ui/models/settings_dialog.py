"""The dialog of a model's settings."""

from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.core.errors import AppError
from app.protocol.models import Fit, ModelEntry
from app.ui.elements.banner import Banner
from app.ui.icons import bind_icon
from app.ui.models.fit_line import FitLine
from app.ui.models.parts import push_button, scaled_size, scrolling
from app.ui.models.settings_editors import NumberEditor
from app.ui.models.settings_form import MakeEditor, SettingsForm
from app.ui.models.template_box import TemplateEditor
from app.ui.models.words import counted
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S

_SIZE = (860, 760)
_FIT_NAMES = frozenset({"context_length", "kv_type", "gpu_layers"})
_PROMPT_NAMES = frozenset({"prompt_format", "template"})


@dataclass(frozen=True)
class SettingsChange:
    """What saving changes.

    Attributes:
        values: by name; None takes a value back to its default.
    """

    values: dict[str, Any] = field(default_factory=dict)


class ModelSettingsDialog(QDialog):
    """Shows settings, follows what is changed, and hands the change over when it is saved.

    It stays open until the host has taken the change: a value that it refuses is named in place.

    Signals:
        save_requested: SettingsChange.
        fit_wanted: context length, KV type or GPU layers changed.
        preview_wanted: prompt format or template changed.
    """

    save_requested = Signal(object)
    fit_wanted = Signal()
    preview_wanted = Signal()

    def __init__(
        self,
        name: str,
        make_editor: MakeEditor,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        """Build it with an empty form, to which rows are added; `show_values` fills them."""
        super().__init__(parent)
        self._name = name
        self._values: dict[str, Any] = {}
        self._stored: frozenset[str] = frozenset()
        self.setWindowTitle(self.tr("Settings of {0}").format(name))
        self.resize(scaled_size(self, *_SIZE))
        self.form = SettingsForm(make_editor, theme)
        self.form.changed.connect(self._on_changed)
        self.fit = FitLine(theme)
        self.banner = Banner(theme)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Find a setting"))
        self.search.setAccessibleName(self.tr("Find a setting"))
        self.search.setClearButtonEnabled(True)
        bind_icon(self.search.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition), "search", theme)
        self.search.textChanged.connect(self.form.search)
        QShortcut(QKeySequence.StandardKey.Find, self).activated.connect(self.search.setFocus)
        self.count = QLabel()
        set_role(self.count, "faint")
        self.reset_button = push_button(self.tr("&Reset all"), theme, "undo")
        self.reset_button.clicked.connect(self.form.reset_all)
        self._add_buttons()
        self._lay_out()

    def _add_buttons(self) -> None:
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Save | standard.Cancel)
        self.save_button = self.buttons.button(standard.Save)
        set_role(self.save_button, "primary")
        for kind in (standard.Save, standard.Cancel):
            self.buttons.button(kind).setIcon(QIcon())  # the style's are black
            self.buttons.button(kind).setAutoDefault(False)
        self.save_button.setDefault(True)
        self.buttons.accepted.connect(self._on_save)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self) -> None:
        heading = QLabel(self._name)
        set_role(heading, "heading")
        top = QHBoxLayout()
        top.setSpacing(SPACE_M)
        top.addWidget(heading, 1)
        top.addWidget(self.search, 1)
        foot = QHBoxLayout()
        foot.setSpacing(SPACE_S)
        foot.addWidget(self.reset_button)
        foot.addWidget(self.count, 1)
        foot.addWidget(self.buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addLayout(top)
        layout.addWidget(self.fit)
        layout.addWidget(self.banner)
        layout.addWidget(scrolling(self.form, self.tr("Settings")), 1)
        layout.addLayout(foot)

    @property
    def template(self) -> TemplateEditor | None:
        """The editor of the template; None where the schema has no template."""
        row = self.form.rows.get("template")
        editor = row.editor if row is not None else None
        return editor if isinstance(editor, TemplateEditor) else None

    @property
    def values(self) -> dict[str, Any]:
        """What is shown now."""
        return self.form.values

    def show_values(self, values: dict[str, Any], stored: tuple[str, ...], model: ModelEntry | None) -> None:
        """Fill the form.

        Args:
            values: in force.
            stored: names of those that the user has set.
            model: whose trained context ends the slider; None where it is not known.
        """
        if self.template is not None:
            self.template.preview_wanted.connect(self.preview_wanted)
        self.form.set_values(values)
        self._values, self._stored = self.form.values, frozenset(stored)
        if model is not None and model.context_trained:
            self._limit("context_length", model.context_trained)
        self._show_count()
        self.search.setFocus()

    def show_fit(self, fit: Fit) -> None:
        """Show whether it would fit with what is chosen now."""
        self.fit.show_fit(fit)
        if fit.n_layers:
            self._limit("gpu_layers", fit.n_layers)
        for name, chosen in (("context_length", fit.context_length), ("gpu_layers", fit.n_gpu_layers)):
            editor = self._number(name)
            if editor is not None and chosen:
                editor.suggest(chosen)

    def _limit(self, name: str, highest: int) -> None:
        if (editor := self._number(name)) is not None:
            editor.limit(highest)

    def _number(self, name: str) -> NumberEditor | None:
        row = self.form.rows.get(name)
        return row.editor if row is not None and isinstance(row.editor, NumberEditor) else None

    def show_error(self, error: AppError) -> None:
        """Name the value that the host refused, or say why nothing was saved."""
        self._show_count()
        words = f"{error.user_message} {error.hint}".strip()
        row = next((row for name, row in self.form.rows.items() if _names(error, name)), None)
        self.banner.say("error", words)
        if row is not None:
            self.search.clear()
            row.refuse(words)
            row.editor.setFocus()

    @property
    def change(self) -> SettingsChange:
        """What saving would change."""
        changed = self.form.changed_names
        values: dict[str, Any] = {}
        for name, value in self.form.values.items():
            if name in changed and (value != self._values.get(name) or name not in self._stored):
                values[name] = value
            elif name not in changed and name in self._stored:
                values[name] = None
        return SettingsChange(values)

    def _show_count(self) -> None:
        number = len(self.form.changed_names)
        words = counted(number, self.tr("1 is changed"), self.tr("{0} are changed"))
        self.count.setText(words if number else self.tr("All are at their defaults"))
        self.reset_button.setEnabled(number > 0)
        self.save_button.setEnabled(not self.form.problems)

    @Slot(str)
    def _on_changed(self, name: str) -> None:
        self._show_count()
        if name in _FIT_NAMES:
            self.fit_wanted.emit()
        if name in _PROMPT_NAMES and self.template is not None:
            self.template.want_preview()

    @Slot()
    def _on_save(self) -> None:
        change = self.change
        if not change.values:
            self.accept()
            return
        self.banner.hide()
        self.save_button.setEnabled(False)  # until the answer has come
        self.save_requested.emit(change)


def _names(error: AppError, name: str) -> bool:
    told = error.context.get("name", error.context.get("setting", ""))
    if told:
        return str(told).split(".")[0] == name
    return name in error.user_message.replace(",", " ").replace(".", " ").split()
