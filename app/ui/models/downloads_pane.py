"""The page of downloads."""

from PySide6.QtCore import QModelIndex, Signal, Slot
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.protocol.downloads import Download
from app.ui.elements.message_card import MessageCard
from app.ui.models.download_card import DownloadCard
from app.ui.models.downloads_controller import PAUSABLE, DownloadsController
from app.ui.models.parts import Page, order_tabs, push_button, scrolling
from app.ui.theme import Theme
from app.ui.toasts import announce
from app.ui.tokens import SPACE_S


class DownloadsPane(Page):
    """A card for each download, in the order of the controller's rows.

    Signals:
        catalogue_requested: show the catalogue.
        model_requested: show a model here, by name.
    """

    catalogue_requested = Signal()
    model_requested = Signal(str)

    def __init__(self, controller: DownloadsController, theme: Theme) -> None:
        """Show what `controller` keeps."""
        super().__init__(
            controller.tr("Downloads"),
            controller.tr("They go on where they stopped, even after the program was closed."),
            theme,
        )
        self._controller, self._rows = controller, controller.downloads
        self.cards: list[DownloadCard] = []
        self.pause_button = push_button(self.tr("&Pause all"), theme, "pause")
        self.resume_button = push_button(self.tr("&Resume all"), theme, "play")
        self.clear_button = push_button(self.tr("Remove &finished"), theme, "check")
        for button in (self.pause_button, self.resume_button, self.clear_button):
            self.add_button(button)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, 0, SPACE_S, 0)
        self._column.setSpacing(SPACE_S)
        self._column.addStretch(1)
        self.empty = MessageCard(theme)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self.area = scrolling(inner, self.tr("Downloads"))
        self._stack.addWidget(self.area)
        self.body.addWidget(self._stack, 1)
        self._connect()
        self._on_reset()  # it is built when it is wanted: downloads may have begun before
        self._on_changed()

    def _connect(self) -> None:
        self.pause_button.clicked.connect(self._controller.pause_all)
        self.resume_button.clicked.connect(self._controller.resume_all)
        self.clear_button.clicked.connect(self._controller.remove_ended)
        self._controller.changed.connect(self._on_changed)
        self._controller.list_failed.connect(self._on_list_failed)
        self._controller.ended.connect(self._on_ended)
        self._rows.rowsInserted.connect(self._on_rows_inserted)
        self._rows.rowsAboutToBeRemoved.connect(self._on_rows_removed)
        self._rows.dataChanged.connect(self._on_data_changed)
        self._rows.modelReset.connect(self._on_reset)

    def focus_first(self) -> None:
        """Put the keyboard on the newest download, or on what to do while there is none."""
        if self.cards:
            self.cards[0].focus_button()
        elif self.empty.buttons:
            self.empty.buttons[0].setFocus()

    # --- cards

    def _add_card(self, row: int) -> None:
        download = self._rows.item(self._rows.index(row))
        card = DownloadCard(download, self._theme)
        card.pause_requested.connect(self._controller.pause)
        card.resume_requested.connect(self._controller.resume)
        card.remove_requested.connect(self._controller.remove)
        card.model_requested.connect(self.model_requested)
        self.cards.insert(row, card)
        self._column.insertWidget(row, card)

    def _remove_card(self, row: int) -> None:
        card = self.cards.pop(row)
        had_focus = card.isAncestorOf(self.focusWidget()) if self.focusWidget() is not None else False
        self._column.removeWidget(card)
        card.hide()
        card.deleteLater()
        if had_focus and self.cards:
            self.cards[min(row, len(self.cards) - 1)].focus_button()

    @Slot(QModelIndex, int, int)
    def _on_rows_inserted(self, _parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            self._add_card(row)
        self._order_tabs()

    def _order_tabs(self) -> None:
        buttons = [button for card in self.cards for button in card.buttons]
        order_tabs([self.pause_button, self.resume_button, self.clear_button, *buttons])

    @Slot(QModelIndex, int, int)
    def _on_rows_removed(self, _parent: QModelIndex, first: int, last: int) -> None:
        for row in range(last, first - 1, -1):
            self._remove_card(row)

    @Slot(QModelIndex, QModelIndex)
    def _on_data_changed(self, first: QModelIndex, last: QModelIndex) -> None:
        for row in range(first.row(), last.row() + 1):
            self.cards[row].show_download(self._rows.item(self._rows.index(row)))

    @Slot()
    def _on_reset(self) -> None:
        for row in range(len(self.cards) - 1, -1, -1):
            self._remove_card(row)
        for row in range(self._rows.rowCount()):
            self._add_card(row)
        self._order_tabs()

    # --- the rest

    @Slot()
    def _on_changed(self) -> None:
        controller = self._controller
        self.pause_button.setEnabled(controller.any_in(PAUSABLE))
        self.resume_button.setEnabled(controller.any_in(frozenset({"paused"})))
        self.clear_button.setEnabled(controller.any_in(frozenset({"done", "cancelled"})))
        self._stack.setCurrentIndex(1 if self.cards else 0)
        if not self.cards:
            self.empty.say(
                "download",
                self.tr("No downloads"),
                self.tr("Models that you get from the catalogue or the search are shown here on their way."),
                ((self.tr("Open the catalogue"), self.catalogue_requested.emit),),
            )

    @Slot(object)
    def _on_list_failed(self, error: AppError) -> None:
        if self.cards:
            self.banner.say_error(error)
            return
        title = self.tr("The downloads cannot be shown")
        self.empty.say_error(title, error, ((self.tr("Try again"), self._controller.load),))

    @Slot(object)
    def _on_ended(self, download: Download) -> None:
        """Let a screen reader speak of an end; whoever sees, sees it."""
        if download.state == "done":
            announce(self, self.tr("{0} was downloaded.").format(download.title))
        else:
            words = self.tr("The download of {0} failed. {1}")
            announce(self, words.format(download.title, download.error_message), urgent=True)
