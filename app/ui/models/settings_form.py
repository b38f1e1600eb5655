"""All settings of a model in groups: each with its editor, a mark when it is changed, and a reset."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.ui.elements.buttons import tool_button
from app.ui.icons import bind_icon
from app.ui.models.parts import MarkLabel, focusable, plain_label, push_button
from app.ui.models.settings_editors import Editor
from app.ui.models.settings_schema import GROUPS, FieldSpec, group_words
from app.ui.models.words import Mark
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS

MakeEditor = Callable[[FieldSpec], Editor]
_WIDE_KINDS = frozenset({"template"})


class SettingRow(QWidget):
    """Title, description, editor; a badge and a reset button while the value is not the default.

    Signals:
        changed: the value changed.
    """

    changed = Signal()

    def __init__(self, spec: FieldSpec, editor: Editor, theme: Theme, parent: QWidget | None = None) -> None:
        """Show a setting."""
        super().__init__(parent)
        self.spec, self.editor = spec, editor
        self._refused = ""
        self.title = QLabel(spec.title)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.badge = QLabel(self.tr("changed"))
        set_role(self.badge, "badge-accent")
        self.reset_button = tool_button("undo", self.tr("Reset “{0}”").format(spec.title), theme, self)
        self.reset_button.clicked.connect(self.reset)
        self.problem = MarkLabel(theme)
        editor.setAccessibleDescription(spec.description)
        editor.changed.connect(self._on_changed)
        self._lay_out()
        self._show_state()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(SPACE_S)
        head.addWidget(self.title)
        head.addWidget(self.badge, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addStretch(1)
        head.addWidget(self.reset_button)
        policy = self.reset_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.reset_button.setSizePolicy(policy)
        words = QVBoxLayout()
        words.setSpacing(SPACE_XS)
        words.addLayout(head)
        words.addWidget(plain_label(self.spec.description, "faint"))
        words.addWidget(self.problem)
        words.addStretch(1)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, SPACE_S, 0, SPACE_S)
        grid.setHorizontalSpacing(SPACE_L)
        grid.setVerticalSpacing(SPACE_S)
        grid.addLayout(words, 0, 0)
        if self.spec.kind in _WIDE_KINDS:
            grid.addWidget(self.editor, 1, 0)
            return
        grid.addWidget(self.editor, 0, 1)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)

    @property
    def value(self) -> Any:
        """The value as the protocol carries it."""
        return self.editor.value

    @property
    def is_changed(self) -> bool:
        """Whether the value is another than the default."""
        value, default = self.value, self.spec.default
        if self.spec.is_automatic(value) and self.spec.is_automatic(default):
            return False
        if isinstance(default, tuple | list):
            return list(value) != list(default)
        return bool(value != default)

    def set_value(self, value: Any) -> None:
        """Show a value."""
        self.editor.set_value(value)
        self._refused = ""
        self._show_state()

    def refuse(self, words: str) -> None:
        """Say what the host has against the value."""
        self._refused = words
        self._show_state()

    @Slot()
    def reset(self) -> None:
        """Take the value back to its default."""
        if self.is_changed:
            self.set_value(self.spec.default)
            self.changed.emit()

    @Slot()
    def _on_changed(self) -> None:
        self._refused = ""
        self._show_state()
        self.changed.emit()

    def _show_state(self) -> None:
        changed = self.is_changed
        self.badge.setVisible(changed)
        self.reset_button.setVisible(changed)
        words = self.editor.problem or self._refused
        self.problem.show_mark(Mark("error", words, "error") if words else None)


class SettingsForm(QWidget):
    """The groups of settings, one below the other.

    Attributes:
        rows: by name.

    Signals:
        changed: name of the setting whose value changed.
    """

    changed = Signal(str)

    def __init__(self, make_editor: MakeEditor, theme: Theme, parent: QWidget | None = None) -> None:
        """Start without settings."""
        super().__init__(parent)
        self._theme, self._make_editor = theme, make_editor
        self.rows: dict[str, SettingRow] = {}
        self.groups: dict[str, GroupCard] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, SPACE_S, 0)
        layout.setSpacing(SPACE_M)
        for group in GROUPS:
            self.groups[group] = GroupCard(group_words(group), theme)
            layout.addWidget(self.groups[group])
        self.nothing = plain_label(self.tr("No setting is called like that."), "muted")
        self.nothing.hide()
        layout.addWidget(self.nothing)
        layout.addStretch(1)

    def add(self, specs: Sequence[FieldSpec]) -> None:
        """Add a row for each of some settings to its group."""
        for spec in specs:
            row = SettingRow(spec, self._make_editor(spec), self._theme)
            row.changed.connect(self._on_row_changed)
            self.rows[spec.name] = row
            self.groups[spec.group].add(row)

    @property
    def tab_order(self) -> list[QWidget]:
        """What Tab reaches, in the order of reading."""
        return [widget for card in self.groups.values() for widget in card.tab_order]

    @property
    def values(self) -> dict[str, Any]:
        """All values."""
        return {name: row.value for name, row in self.rows.items()}

    @property
    def changed_names(self) -> tuple[str, ...]:
        """Names of those that are not at their default."""
        return tuple(name for name, row in self.rows.items() if row.is_changed)

    @property
    def problems(self) -> tuple[str, ...]:
        """Titles of those whose value cannot be."""
        return tuple(row.spec.title for row in self.rows.values() if row.editor.problem)

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values; those that have no row are left out."""
        for name, row in self.rows.items():
            row.set_value(values.get(name, row.spec.default))
        for card in self.groups.values():
            card.unfold_changed()

    def reset_all(self) -> None:
        """Take all values back to their defaults."""
        for row in self.rows.values():
            row.reset()

    def search(self, text: str) -> None:
        """Show the settings that hold each word of a text; all without one."""
        words = text.casefold().split()
        shown = [card.search(words) for card in self.groups.values()]
        self.nothing.setVisible(not any(shown))

    @Slot()
    def _on_row_changed(self) -> None:
        row = self.sender()
        assert isinstance(row, SettingRow)
        self.changed.emit(row.spec.name)


class GroupCard(QFrame):
    """One group; what only few people need is folded away."""

    def __init__(self, title: str, theme: Theme, parent: QWidget | None = None) -> None:
        """Start hidden, without rows."""
        super().__init__(parent)
        self._theme = theme
        self._rows: list[SettingRow] = []
        self._words: list[str] = []
        set_role(self, "card")
        heading = QLabel(title)
        set_role(heading, "heading")
        self.more_button = push_button("", theme, "chevron-down", "link")
        self.more_button.setCheckable(True)
        self.more_button.toggled.connect(self._show_rows)
        self._basic, self._advanced = QVBoxLayout(), QVBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_M, SPACE_L, SPACE_M)
        layout.setSpacing(0)
        layout.addWidget(heading)
        layout.addLayout(self._basic)
        layout.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addLayout(self._advanced)
        self.hide()

    def add(self, row: SettingRow) -> None:
        """Add a row."""
        self._rows.append(row)
        row.setVisible(not row.spec.is_advanced)
        (self._advanced if row.spec.is_advanced else self._basic).addWidget(row)
        self._show_rows()
        self.show()

    def search(self, words: list[str]) -> bool:
        """Show the rows that match; tell whether there are any."""
        self._words = words
        self._show_rows()
        any_shown = any(not row.isHidden() for row in self._rows)
        self.setVisible(any_shown)
        return any_shown

    @property
    def tab_order(self) -> list[QWidget]:
        """What Tab reaches, in the order of reading."""
        order: list[QWidget] = []
        for row in sorted(self._rows, key=lambda row: row.spec.is_advanced):
            if row.spec.is_advanced and self.more_button not in order:
                order.append(self.more_button)
            order += [*focusable(row.editor), row.reset_button]
        return order

    def unfold_changed(self) -> None:
        """Unfold if a folded value is changed: what is in force must be seen."""
        if any(row.is_changed for row in self._rows if row.spec.is_advanced):
            self.more_button.setChecked(True)

    @Slot()
    def _show_rows(self) -> None:
        is_open = self.more_button.isChecked()
        for row in self._rows:
            if self._words:
                row.setVisible(row.spec.matches(self._words))
            else:
                row.setVisible(is_open or not row.spec.is_advanced)
        n_advanced = sum(row.spec.is_advanced for row in self._rows)
        self.more_button.setVisible(n_advanced > 0 and not self._words)
        words = self.tr("Fewer settings") if is_open else self.tr("More settings ({0})")
        self.more_button.setText(words.format(n_advanced))
        bind_icon(self.more_button, "chevron-up" if is_open else "chevron-down", self._theme, "accent")
