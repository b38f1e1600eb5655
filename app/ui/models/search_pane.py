"""The page that searches the hub."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QIcon, QKeyEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit

from app.core.errors import AppError
from app.protocol.catalogue import CatalogueList, CatalogueModel
from app.ui.icons import bind_icon
from app.ui.models.hub_status import HubStatus
from app.ui.models.offer_pane import OfferPane
from app.ui.models.parts import focusable, order_tabs, plain_label, push_button
from app.ui.models.search_controller import SearchController
from app.ui.models.words import Mark
from app.ui.theme import Theme
from app.ui.toasts import announce
from app.ui.tokens import SPACE_S


class SearchPane(OfferPane):
    """A field that connects only when asked, the results, and the files of one.

    Signals:
        network_requested: show the page with the network's switch.
    """

    network_requested = Signal()

    def __init__(self, controller: SearchController, theme: Theme) -> None:
        """Show what `controller` finds."""
        super().__init__(
            controller.tr("Search"),
            controller.tr("Find any GGUF model on the hub."),
            controller.tr("Models found"),
            controller,
            theme,
        )
        self._controller = controller
        self._hub = HubStatus()
        self._is_searching = False
        self.field = QLineEdit()
        self.field.setPlaceholderText(self.tr("For example: mistral 7b instruct"))
        self.field.setAccessibleName(self.tr("Search the hub"))
        self.field.setClearButtonEnabled(True)
        bind_icon(self.field.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition), "search", theme)
        self.button = push_button(self.tr("&Search"), theme, "search", "primary")
        self.cancel_button = push_button(self.tr("&Cancel"), theme, "close")
        self.cancel_button.hide()
        self.note = plain_label("", "faint")
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        for part in (self.field, self.button, self.cancel_button):
            row.addWidget(part, 1 if part is self.field else 0)
        self.tools.addLayout(row)
        self.tools.addWidget(self.note)
        first = [self.field, self.button, self.cancel_button]
        order_tabs([*first, self.list, *focusable(self.details)])
        self.field.returnPressed.connect(self._on_search)
        self.field.textChanged.connect(self._show_controls)
        self.button.clicked.connect(self._on_search)
        self.cancel_button.clicked.connect(self._on_cancel)
        controller.searching.connect(self._on_searching)
        controller.found.connect(self._on_found)
        controller.search_failed.connect(self._on_search_failed)
        controller.files_asked.connect(self._on_files_asked)
        controller.files_ready.connect(self.details.show_offer)
        controller.files_failed.connect(self._on_files_failed)
        self.show_hub(self._hub)
        self._say_start()

    def focus_first(self) -> None:
        """Put the keyboard into the field."""
        self.field.setFocus()

    def show_hub(self, status: HubStatus) -> None:
        """Say to whom searching connects, and whether it may."""
        self._hub = status
        words = self.tr("Search connects to {0}. What you type is sent there; nothing else is.")
        if status.offline:
            words = self.tr("The network is switched off: searching {0} is not possible now.")
        self.note.setText(words.format(status.host))
        self.details.show_hub(status)
        self._show_controls()
        if not self.is_filled and not self._is_searching:
            self._say_start()

    @Slot()
    def _show_controls(self) -> None:
        may = bool(self.field.text().strip()) and not self._hub.offline
        self.button.setVisible(not self._is_searching)
        self.button.setEnabled(may)
        self.cancel_button.setVisible(self._is_searching)

    def _say_start(self) -> None:
        self.show_filled(filled=False)
        if self._hub.offline:
            self.empty.say(
                "offline",
                self.tr("The network is switched off"),
                self.tr("Nothing connects while the switch is on. The catalogue can be read without."),
                ((self.tr("Show the switch"), self.network_requested.emit),),
            )
            return
        self.empty.say(
            "search",
            self.tr("Search for a model"),
            self.tr("Type a name and press Enter. Each result shows its files and how they would run here."),
        )

    @Slot()
    def _on_search(self) -> None:
        if not self._hub.offline:
            self._controller.search(self.field.text())

    @Slot()
    def _on_cancel(self) -> None:
        self._controller.cancel()
        self._end_search()
        self.show_filled(filled=bool(self._controller.offers.items))
        if not self.is_filled:
            self._say_start()
        self.field.setFocus()

    @Slot(str)
    def _on_searching(self, text: str) -> None:
        self._is_searching = True
        self.banner.hide()
        self._show_controls()
        self.empty.say("search", self.tr("Searching for “{0}”…").format(text))
        self.show_filled(filled=False)

    def _end_search(self) -> None:
        self._is_searching = False
        self._show_controls()

    @Slot(object)
    def _on_found(self, results: CatalogueList) -> None:
        self._end_search()
        n_found = len(results.models)
        self.show_filled(filled=n_found > 0)
        if not n_found:
            self.empty.say(
                "search",
                self.tr("Nothing was found"),
                self.tr("Try fewer or other words: the model's family and size are enough."),
            )
            return
        announce(self.list, self.tr("{0} models found").format(n_found))
        self.details.say(
            "model",
            self.tr("Choose a model"),
            self.tr("Its files are then asked for at {0}.").format(self._hub.host),
        )
        if self.list.current is not None:
            self._on_chosen(self.list.current)
        self.list.setFocus()

    @Slot(object)
    def _on_search_failed(self, error: AppError) -> None:
        self._end_search()
        title = self.tr("The search did not succeed")
        steps = [(self.tr("Search again"), self._on_search)]
        if error.code == "network.off":
            steps = [(self.tr("Show the switch"), self.network_requested.emit)]
        self.empty.say_error(title, error, steps)
        self.show_filled(filled=False)

    @Slot(object)
    def _on_chosen(self, offer: CatalogueModel | None) -> None:
        if offer is not None:
            self._controller.look_at(offer)

    @Slot(object)
    def _on_files_asked(self, offer: CatalogueModel) -> None:
        self.details.show_offer(offer, is_busy=True)

    @Slot(object, object)
    def _on_files_failed(self, offer: CatalogueModel, error: AppError) -> None:
        words = f"{error.user_message} {error.hint}".strip()
        self.details.show_offer(offer, problem=Mark("error", words, "error"))
        if error.code == "hub.needs_token":
            self.details.token_button.show()

    # Qt overrides

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Escape ends a search."""
        if event.key() == Qt.Key.Key_Escape and self._is_searching:
            self._on_cancel()
        else:
            super().keyPressEvent(event)
