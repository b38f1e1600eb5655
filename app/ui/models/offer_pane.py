"""What the pages of models to get have in common: a list, its details, and what is told instead."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout

from app.protocol.catalogue import CatalogueModel
from app.ui.elements.message_card import MessageCard
from app.ui.models.catalogue_controller import OfferController
from app.ui.models.offer_details import OfferDetails
from app.ui.models.parts import Page, card
from app.ui.models.row_list import RowList
from app.ui.theme import Theme
from app.ui.tokens import SPACE_S


class OfferPane(Page):
    """List and details of models to get.

    Attributes:
        tools: layout above the list, for its filters.
        empty: in place of list and details.

    Signals:
        installed_requested: show a model here, by name.
        downloads_requested: show the downloads.
        token_requested: show where the token is put.
    """

    installed_requested = Signal(str)
    downloads_requested = Signal()
    token_requested = Signal()

    def __init__(self, title: str, words: str, name: str, controller: OfferController, theme: Theme) -> None:
        """Show the controller's rows; `name` is the list's for screen readers."""
        super().__init__(title, words, theme)
        self.tools = QVBoxLayout()
        self.tools.setSpacing(SPACE_S)
        self.list = RowList(controller.offers, theme, name)
        self.details = OfferDetails(theme)
        self.empty = MessageCard(theme)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(SPACE_S)
        splitter.setStyleSheet("QSplitter::handle { background: transparent; }")
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(card(self.list))
        splitter.addWidget(self.details)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([430, 450])
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(splitter)
        self.body.addLayout(self.tools)
        self.body.addWidget(self._stack, 1)
        self.list.chosen.connect(self._on_chosen)
        self.list.opened.connect(self._on_opened)
        self.details.download_requested.connect(controller.download)
        self.details.installed_requested.connect(self.installed_requested)
        self.details.downloads_requested.connect(self.downloads_requested)
        self.details.token_requested.connect(self.token_requested)

    @property
    def is_filled(self) -> bool:
        """Whether list and details are shown."""
        return self._stack.currentIndex() == 1

    def show_filled(self, *, filled: bool) -> None:
        """Show list and details, or `empty`."""
        self._stack.setCurrentIndex(1 if filled else 0)

    @Slot(object)
    def _on_chosen(self, offer: CatalogueModel | None) -> None:
        if offer is not None:
            self.details.show_offer(offer)

    @Slot(object)
    def _on_opened(self, _offer: CatalogueModel) -> None:
        self.details.files.setFocus()
