"""The diagnostics page: this computer, its graphics cards, the engine, and the checks of the program."""

from PySide6.QtCore import QCoreApplication, QLocale, Qt, QTime, Slot
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.protocol.hardware import Hardware, Requirement
from app.ui.chat.busy_indicator import BusyIndicator
from app.ui.diagnostics.controller import DiagnosticsController
from app.ui.diagnostics.parts import AnswerBox, CardBox, Facts, TickedRow
from app.ui.diagnostics.report import report_text, without_home
from app.ui.diagnostics.words import cards, engine_rows, gpu_answer, processor_rows
from app.ui.elements.message_card import MessageCard
from app.ui.elements.section import Section, words_label
from app.ui.icons import bind_icon
from app.ui.models.parts import Page
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme, set_role
from app.ui.toasts import announce
from app.ui.tokens import SPACE_L, SPACE_S


class DiagnosticsPane(Page):
    """Looks at the computer when it is first shown, and again when asked to."""

    def __init__(self, session: Session, tasks: TaskSpawner, theme: Theme) -> None:
        """Build the page; nothing is asked before it shows."""
        super().__init__(
            _tr("Diagnostics"),
            _tr("What this computer has, what answers are computed with, and what is in the way."),
            theme,
        )
        self._was_shown = False
        self.controller = DiagnosticsController(session, tasks, self)
        self._build_header()
        self.message = MessageCard(theme)
        self._build_sections()
        self._lay_out()
        self._connect()
        self._show_looking()

    def _build_header(self) -> None:
        self._when = QLabel()
        set_role(self._when, "faint")
        self._busy = BusyIndicator(self._theme)
        self.look_button = QPushButton(self.tr("Look again"))
        bind_icon(self.look_button, "retry", self._theme)
        self.copy_button = QPushButton(self.tr("Copy report"))
        bind_icon(self.copy_button, "copy", self._theme)
        for button in (self.look_button, self.copy_button):
            button.setAutoDefault(False)
        self.copied = words_label("", "faint")
        self.copied.hide()

    def _build_sections(self) -> None:
        self.graphics = Section(self.tr("Graphics"))
        self.computer = Section(self.tr("This computer"))
        self.engine = Section(self.tr("The engine"))
        self.requirements = Section(self.tr("What computing on a GPU needs"))
        self.checks = Section(self.tr("The program's own checks"))
        self.check_button = QPushButton(self.tr("Run the checks"))
        self.check_button.setAutoDefault(False)
        self.checks.header.addWidget(self.check_button)
        self._say_checks(
            self.tr(
                "Looks through the data folder, lets the model write a few words and searches once. "
                "That can take half a minute; nothing is changed."
            )
        )

    def _lay_out(self) -> None:
        self.add_button(self.look_button)
        self.add_button(self.copy_button)
        state = QHBoxLayout()
        state.setSpacing(SPACE_S)
        state.addWidget(self._busy)
        state.addWidget(self._when)
        state.addStretch(1)
        column = QWidget()
        inner = QVBoxLayout(column)
        inner.setContentsMargins(0, 0, SPACE_S, 0)
        inner.setSpacing(SPACE_L)
        sections = (self.graphics, self.computer, self.engine, self.requirements, self.checks)
        for section in sections:
            inner.addWidget(section)
        inner.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.area.setWidget(column)
        self.area.setAccessibleName(self.tr("What was found"))
        self.area.viewport().setAutoFillBackground(False)
        column.setAutoFillBackground(False)
        self.body.addLayout(state)
        self.body.addWidget(self.copied)
        self.body.addWidget(self.message, 1)
        self.body.addWidget(self.area, 1)

    def focus_first(self) -> None:
        """Put the keyboard where work on this page begins."""
        (self.look_button if self.look_button.isEnabled() else self.area).setFocus()

    def _connect(self) -> None:
        controller = self.controller
        self.look_button.clicked.connect(controller.look)
        self.copy_button.clicked.connect(self._on_copy_clicked)
        self.check_button.clicked.connect(controller.check)
        controller.looking.connect(self._show_looking)
        controller.found.connect(self._on_found)
        controller.look_failed.connect(self._on_look_failed)
        controller.checking.connect(self._on_checking)
        controller.checked.connect(self._on_checked)
        controller.check_failed.connect(self._on_check_failed)

    @Slot()
    def _show_looking(self) -> None:
        """Keep what was found before in view; only the first look has nothing to show."""
        self._busy.show()
        self._when.setText(self.tr("Looking at this computer…"))
        self.look_button.setEnabled(False)
        self.copied.hide()
        is_first = self.controller.hardware is None
        self.copy_button.setEnabled(not is_first)
        self.area.setVisible(not is_first)
        self.message.setVisible(is_first)
        if is_first:
            self.message.say(
                "model",
                self.tr("Looking at this computer…"),
                self.tr("A separate process asks the drivers, which takes a second or two."),
            )

    def _end_look(self) -> None:
        self._busy.hide()
        self.look_button.setEnabled(True)

    @Slot()
    def _on_found(self) -> None:
        hardware = self.controller.hardware
        assert hardware is not None  # the signal says so
        self._end_look()
        now = self.locale().toString(QTime.currentTime(), QLocale.FormatType.ShortFormat)
        self._when.setText(self.tr("Looked at {0}").format(now))
        self.message.hide()
        self.area.show()
        self.copy_button.setEnabled(True)
        self._fill(hardware)
        announce(self, gpu_answer(hardware).title)

    def _fill(self, hardware: Hardware) -> None:
        for section in (self.graphics, self.computer, self.engine, self.requirements):
            section.clear()
        answer = gpu_answer(hardware)
        is_used = answer.severity == "ok"
        self.graphics.set_title(self.tr("Graphics") if is_used else self.tr("Why is my GPU not used?"))
        self.graphics.body.addWidget(AnswerBox(answer, self._theme))
        for card in cards(hardware):
            self.graphics.body.addWidget(CardBox(card))
        self.computer.body.addWidget(Facts(processor_rows(hardware)))
        self.engine.body.addWidget(Facts(engine_rows(hardware.engine)))
        self.requirements.setVisible(bool(hardware.requirements))
        for requirement in hardware.requirements:
            self.requirements.body.addWidget(self._requirement_row(requirement))

    def _requirement_row(self, requirement: Requirement) -> TickedRow:
        state = self.tr("found") if requirement.found else self.tr("missing")
        purpose = self.tr("for {0}").format(requirement.needed_for) if requirement.needed_for else ""
        detail = without_home(requirement.detail)
        words = " · ".join(part for part in (state, purpose, detail) if part)
        return TickedRow("ok" if requirement.found else "missing", requirement.name, words, self._theme)

    @Slot(object)
    def _on_look_failed(self, error: AppError) -> None:
        self._end_look()
        self._when.setText("")
        self.area.hide()
        self.message.show()
        steps = [(self.tr("Look again"), self.controller.look)]
        self.message.say_error(self.tr("The computer could not be looked at"), error, steps)
        self.copy_button.setEnabled(False)
        announce(self, error.user_message, urgent=True)

    # --- checks

    def _say_checks(self, words: str) -> None:
        self.checks.clear()
        self.checks.body.addWidget(words_label(words, "muted"))

    @Slot()
    def _on_checking(self) -> None:
        self.check_button.setEnabled(False)
        self.checks.clear()
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(BusyIndicator(self._theme))
        layout.addWidget(words_label(self.tr("Checking; this can take half a minute…"), "muted"), 1)
        self.checks.body.addWidget(row)

    @Slot()
    def _on_checked(self) -> None:
        self.check_button.setEnabled(True)
        self.check_button.setText(self.tr("Run them again"))
        self.checks.clear()
        checks = self.controller.checks
        n_bad = sum(check.status != "ok" for check in checks)
        words = self.tr("Everything is in order.")
        if n_bad:
            words = self.tr("{0} of {1} need a look.").format(n_bad, len(checks))
        self.checks.body.addWidget(words_label(words))
        for check in sorted(checks, key=lambda check: check.status == "ok"):
            detail = without_home(check.detail)
            self.checks.body.addWidget(
                TickedRow(check.status, detail, "", self._theme, without_home(check.hint))
            )
        announce(self, words)

    @Slot(object)
    def _on_check_failed(self, error: AppError) -> None:
        self.check_button.setEnabled(True)
        self._say_checks(f"{error.user_message} {error.hint}".strip())
        announce(self, error.user_message, urgent=True)

    @Slot()
    def _on_copy_clicked(self) -> None:
        hardware = self.controller.hardware
        assert hardware is not None  # the button is off before
        text = report_text(hardware, self.controller.checks)
        QGuiApplication.clipboard().setText(text)
        what = self.tr("the computer, its graphics, the engine and what it needs")
        if self.controller.checks:
            what = self.tr("the computer, its graphics, the engine, what it needs and the checks")
        words = self.tr("Copied as text ({0} lines): {1}. No name, question or file of yours is in it.")
        self.copied.setText(words.format(text.count("\n"), what))
        self.copied.show()
        announce(self, self.copied.text())

    # Qt overrides

    def showEvent(self, event: QShowEvent, /) -> None:
        """Look at the computer the first time."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            self.controller.look()


def _tr(text: str) -> str:
    return QCoreApplication.translate("DiagnosticsPane", text)
