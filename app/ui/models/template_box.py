"""The user's own template beside what it makes of a conversation."""

import re
from typing import Any

from PySide6.QtCore import QSignalBlocker, QTimer, Signal, Slot
from PySide6.QtGui import QTextCharFormat, QTextFormat
from PySide6.QtWidgets import QGridLayout, QPlainTextEdit, QTextEdit

from app.protocol.models import PromptPreview
from app.ui.models.parts import MarkLabel, plain_label, push_button
from app.ui.models.settings_editors import Editor, framed, text_field
from app.ui.models.settings_schema import FieldSpec
from app.ui.models.words import Mark, number_words
from app.ui.theme import Theme
from app.ui.tokens import SPACE_M, SPACE_XS

_TYPING_PAUSE_MS = 300
_LINE = re.compile(r"\bline (\d+)")
_N_LINES = 12


class TemplateEditor(Editor):
    """Edits a template; asks for a preview when typing pauses, and shows it.

    Signals:
        preview_wanted: the preview no longer shows what stands here.
    """

    preview_wanted = Signal()

    def __init__(self, spec: FieldSpec, theme: Theme) -> None:
        """Edit a template."""
        super().__init__(spec)
        self._theme = theme
        self._format_template = ""
        self._bad_line = 0
        self.text = text_field(spec.title, _N_LINES, is_code=True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)  # a line is what an error names
        self.text.setPlaceholderText(self.tr("Empty: the format above, or the model's own template"))
        self.preview = text_field(self.tr("Preview of the prompt"), _N_LINES, is_code=True)
        self.preview.setReadOnly(True)
        self.insert_button = push_button(self.tr("Start from the chosen format"), theme, "copy")
        self.insert_button.clicked.connect(self._on_insert_clicked)
        self.insert_button.hide()
        self.status = MarkLabel(theme)
        self.stops = plain_label("", "faint")
        self._timer = QTimer(self, singleShot=True, interval=_TYPING_PAUSE_MS)
        self._timer.timeout.connect(self.preview_wanted)
        self.text.textChanged.connect(self._on_text_changed)
        theme.changed.connect(self._mark_line)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE_M)
        grid.setVerticalSpacing(SPACE_XS)
        grid.addWidget(plain_label(self.tr("Template (Jinja)"), "faint"), 0, 0)
        grid.addWidget(
            plain_label(self.tr("A sample conversation as the model would read it"), "faint"), 0, 1
        )
        grid.addWidget(framed(self.text), 1, 0)
        grid.addWidget(framed(self.preview), 1, 1)
        grid.addWidget(self.status, 2, 0, 1, 2)
        grid.addWidget(self.insert_button, 3, 0)
        grid.addWidget(self.stops, 3, 1)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)

    @property
    def value(self) -> Any:
        """The template."""
        return self.text.toPlainText()

    def set_value(self, value: Any) -> None:
        """Show a template."""
        with QSignalBlocker(self.text):
            self.text.setPlainText(str(value))
        self._timer.start()

    @property
    def problem(self) -> str:
        """Say when it is too long."""
        limit = self.spec.max_length
        if limit and len(self.value) > limit:
            return self.tr("At most {0} characters.").format(number_words(limit))
        return ""

    def set_format_template(self, template: str) -> None:
        """Offer the text of the chosen format to begin with; empty offers nothing."""
        self._format_template = template
        self.insert_button.setVisible(bool(template))

    def want_preview(self) -> None:
        """Ask for a preview soon: what it depends on has changed."""
        self._timer.start()

    def show_preview(self, preview: PromptPreview) -> None:
        """Show what the template makes, or where it fails; the last good text stays meanwhile."""
        words = f"{preview.problem} {preview.hint}".strip()
        found = _LINE.search(preview.problem)
        self._bad_line = int(found.group(1)) if found and self.value else 0
        self._mark_line()
        if words:
            self.status.show_mark(Mark("error", words, "error"))
            return
        self.status.show_mark(Mark("check-circle", self.tr("The prompt can be written"), "ok"))
        self.preview.setPlainText(preview.text)
        stops = ", ".join(f"“{stop}”" for stop in preview.stop)
        self.stops.setText(self.tr("An answer ends at {0}").format(stops) if stops else "")

    def show_problem(self, words: str) -> None:
        """Say why there is no preview at all."""
        self.status.show_mark(Mark("error", words, "error"))

    @Slot()
    def _mark_line(self) -> None:
        marks = []
        block = self.text.document().findBlockByNumber(self._bad_line - 1)
        if self._bad_line and block.isValid():
            mark = QTextEdit.ExtraSelection()
            look = QTextCharFormat()
            look.setBackground(self._theme.colour("error_soft"))
            look.setProperty(QTextFormat.Property.FullWidthSelection, True)
            mark.format = look
            cursor = self.text.textCursor()
            cursor.setPosition(block.position())
            mark.cursor = cursor
            marks.append(mark)
        self.text.setExtraSelections(marks)

    @Slot()
    def _on_text_changed(self) -> None:
        self._timer.start()
        self.changed.emit()

    @Slot()
    def _on_insert_clicked(self) -> None:
        self.text.setPlainText(self._format_template)
        self.text.setFocus()
