"""A model that one can get: what it is good for, its terms, its files, and the button that gets one."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.protocol.catalogue import CatalogueModel
from app.protocol.downloads import Download
from app.ui.chat.busy_indicator import BusyIndicator
from app.ui.elements.buttons import tool_button
from app.ui.elements.message_card import MessageCard
from app.ui.models.flow import FlowBox
from app.ui.models.hub_status import HubStatus
from app.ui.models.offers import FileRow, choices, file_look, file_rows
from app.ui.models.parts import FactsGrid, MarkLabel, breakable, card, plain_label, push_button, scrolling
from app.ui.models.row_list import RowList
from app.ui.models.row_model import RowModel
from app.ui.models.words import Mark, kind_words, number_words, parameter_words, size_words, tokens_words
from app.ui.theme import Theme
from app.ui.toasts import announce
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS


class OfferDetails(QWidget):
    """Shows one CatalogueModel, or why there is none.

    Signals:
        download_requested: CatalogueModel (object) and the file's name (str).
        installed_requested: name of the model here that the file is.
        downloads_requested: show the downloads.
        token_requested: show where the token is put.
    """

    download_requested = Signal(object, str)
    installed_requested = Signal(str)
    downloads_requested = Signal()
    token_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it without a model."""
        super().__init__(parent)
        self._offer: CatalogueModel | None = None
        self._hub = HubStatus()
        self._downloads: tuple[Download, ...] = ()
        self.title, self.good_for = plain_label("", "heading"), plain_label("", "")
        self.facts = FactsGrid()
        self.licence_note, self.token_note = MarkLabel(theme), MarkLabel(theme)
        self.token_button = push_button(self.tr("Enter a token…"), theme, "key")
        self.token_button.clicked.connect(self.token_requested)
        self.files_title = plain_label(self.tr("Files"), "muted")
        self.rows = RowModel(lambda row: row.file.name, file_look, self)
        self.files = RowList(self.rows, theme, self.tr("Files of the model"))
        self.files.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.files.chosen.connect(self._on_file_chosen)
        self.files.opened.connect(self._on_file_opened)
        self.button = push_button("", theme, "download", "primary")
        self.button.clicked.connect(self._on_button_clicked)
        self.link_button = tool_button("link", self.tr("Copy the model's address"), theme, self)
        self.link_button.clicked.connect(self._on_link_clicked)
        self.note = plain_label("", "faint")
        self.message = MessageCard(theme)
        self._busy = self._busy_line(theme)
        self._lay_out()

    # --- what is shown

    @property
    def offer(self) -> CatalogueModel | None:
        """The model shown."""
        return self._offer

    def show_offer(
        self, offer: CatalogueModel, *, is_busy: bool = False, problem: Mark | None = None
    ) -> None:
        """Show a model.

        Args:
            offer: what is known of it.
            is_busy: its files are being asked for.
            problem: why they could not be had.
        """
        is_other = self._offer is None or self._offer.id != offer.id
        chosen = None if is_other else self.files.current
        self._offer = offer
        self.title.setText(breakable(offer.title))
        self.good_for.setText(offer.good_for)
        self.good_for.setVisible(bool(offer.good_for))
        self.facts.show_facts(self._facts(offer))
        note = offer.licence_note
        self.licence_note.show_mark(Mark("info", note, "warning") if note else None)
        self.problem.show_mark(problem)
        self._busy.setVisible(is_busy)
        self._show_files()
        if chosen is None and choices(offer):
            self.files.choose(offer.recommended)
        if self.files.current is None:
            self.files.choose_first()
        self._stack.setCurrentIndex(1)
        self._show_hub()
        self._show_button()

    def say(self, icon_name: str, title: str, text: str) -> None:
        """Show a message in place of a model."""
        self._offer = None
        self.message.say(icon_name, title, text)
        self._stack.setCurrentIndex(0)

    def show_hub(self, status: HubStatus) -> None:
        """Say to whom a download connects, and whether it may."""
        self._hub = status
        self._show_hub()
        self._show_button()

    def show_downloads(self, downloads: Sequence[Download]) -> None:
        """Show which of the files are being downloaded."""
        self._downloads = tuple(downloads)
        if self._offer is not None:
            self._show_files()
            self._show_button()

    def _facts(self, offer: CatalogueModel) -> list[tuple[str, str]]:
        context = tokens_words(offer.context_length) if offer.context_length else ""
        downloads = number_words(offer.n_downloads) if offer.n_downloads is not None else ""
        return [
            (self.tr("Use"), kind_words(offer.kind)),
            (self.tr("Family"), offer.family),
            (self.tr("Parameters"), parameter_words(offer.n_params)),
            (self.tr("Made for"), context),
            (self.tr("Languages"), offer.languages),
            (self.tr("Licence"), offer.licence or self.tr("Not named; look at the model's page")),
            (self.tr("From"), offer.repository),
            (self.tr("Downloaded"), self.tr("{0} times").format(downloads) if downloads else ""),
        ]

    def _show_files(self) -> None:
        assert self._offer is not None
        rows = file_rows(self._offer, self._downloads)
        self.rows.show(rows)
        self.files.setFixedHeight(self.files.contents_height)
        for part in (self.files_title, self.files_card):
            part.setVisible(bool(rows))

    def _show_hub(self) -> None:
        offer = self._offer
        needs = offer is not None and offer.needs_token
        words = self.tr(
            "Its owner lets only people download it who have accepted the terms on {0}. Accept them there, "
            "then enter your access token here; it is kept in the system's keyring."
        )
        if needs and self._hub.has_token:
            words = self.tr("Its owner wants the terms on {0} accepted. Your access token is used for it.")
        self.token_note.show_mark(Mark("key", words.format(self._hub.host), "text_muted") if needs else None)
        self.token_button.setVisible(needs and not self._hub.has_token)

    def _show_button(self) -> None:
        row: FileRow | None = self.files.current
        self.button.setVisible(row is not None)
        self.note.setVisible(row is not None)
        if row is None:
            return
        if row.file.installed:
            self.button.setText(self.tr("Show the installed model"))
            self.note.setText(self.tr("This file is here already."))
        elif row.download is not None:
            self.button.setText(self.tr("Show the download"))
            self.note.setText(self.tr("This file is on its way."))
        else:
            size = (row.file.size_bytes or 0) + row.extra_bytes
            known = row.file.size_bytes is not None
            words = self.tr("&Download {0}").format(size_words(size)) if known else self.tr("&Download")
            self.button.setText(words)
            self.note.setText(self._connection_words(row))
        self.button.setEnabled(self._may_act(row))

    def _may_act(self, row: FileRow) -> bool:
        is_here = bool(row.file.installed) or row.download is not None
        return is_here or not self._hub.offline

    def _connection_words(self, row: FileRow) -> str:
        if self._hub.offline:
            return self.tr("The network is switched off, so nothing can be downloaded. See “Network”.")
        words = self.tr(
            "Downloading connects to {0}. What it receives is the model's name and your address, nothing of "
            "your documents."
        ).format(self._hub.host)
        if row.extra_bytes:
            words = f"{self.tr('What it needs beside it comes along.')} {words}"
        return words

    # --- building

    def _busy_line(self, theme: Theme) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(BusyIndicator(theme, 18))
        row.addWidget(plain_label(self.tr("Asking for the files…"), "muted"), 1)
        self.problem = MarkLabel(theme)
        return line

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(SPACE_L, SPACE_M, SPACE_L, SPACE_M)
        column.setSpacing(SPACE_S)
        self.files_card = card(self.files)
        for part in (self.title, self.good_for, self.facts, self.licence_note, self.token_note):
            column.addWidget(part)
        column.addWidget(self.token_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addSpacing(SPACE_XS)
        for below in (self._busy, self.problem, self.files_title, self.files_card):
            column.addWidget(below)
        column.addWidget(FlowBox(self.button, self.link_button))
        column.addWidget(self.note)
        column.addStretch(1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.message)
        self._stack.addWidget(scrolling(inner, self.tr("Details of the model")))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(card(self._stack, margin=1))

    # --- wishes

    @Slot(object)
    def _on_file_chosen(self, _row: FileRow | None) -> None:
        self._show_button()

    @Slot(object)
    def _on_file_opened(self, _row: FileRow) -> None:
        if self.button.isEnabled():
            self._on_button_clicked()

    @Slot()
    def _on_button_clicked(self) -> None:
        row: FileRow | None = self.files.current
        if row is None or self._offer is None:
            return
        if row.file.installed:
            self.installed_requested.emit(row.file.installed)
        elif row.download is not None:
            self.downloads_requested.emit()
        else:
            self.download_requested.emit(self._offer, row.file.name)

    @Slot()
    def _on_link_clicked(self) -> None:
        if self._offer is not None:
            address = f"https://{self._hub.host}/{self._offer.repository}"
            QGuiApplication.clipboard().setText(address)
            announce(self.link_button, self.tr("Copied."))
            self.note.setVisible(True)
            self.note.setText(self.tr("Copied: {0}").format(address))

    # Qt overrides

    def changeEvent(self, event: QEvent, /) -> None:
        """Keep the list of files as high as its rows when the font changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self._offer is not None:
            self.files.setFixedHeight(self.files.contents_height)
