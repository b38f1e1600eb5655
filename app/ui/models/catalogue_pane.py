"""The page of the catalogue."""

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit

from app.core.errors import AppError
from app.ui.elements.tick_box import TickBox
from app.ui.icons import bind_icon
from app.ui.library.filter_bar import ChevronBox
from app.ui.models.catalogue_controller import CatalogueController
from app.ui.models.flow import FlowBox
from app.ui.models.offer_pane import OfferPane
from app.ui.models.offers import OfferFilter
from app.ui.models.parts import focusable, order_tabs
from app.ui.models.words import kind_words, number_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_S

_TYPING_PAUSE_MS = 150


class CataloguePane(OfferPane):
    """Models chosen for this program, with advice for this computer."""

    def __init__(self, controller: CatalogueController, theme: Theme) -> None:
        """Show what `controller` keeps."""
        super().__init__(
            controller.tr("Catalogue"),
            controller.tr(
                "Models that are worth having, with how each would run on this computer. Looking connects to "
                "nothing."
            ),
            controller.tr("Catalogue"),
            controller,
            theme,
        )
        self._controller = controller
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Find by name, use or licence"))
        self.search.setAccessibleName(self.tr("Find models"))
        self.search.setClearButtonEnabled(True)
        bind_icon(self.search.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition), "search", theme)
        self.kinds = ChevronBox(theme)
        self.kinds.setAccessibleName(self.tr("Show models of this kind"))
        self.kinds.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.kinds.addItem(self.tr("All kinds"), "")
        self.fitting = TickBox(self.tr("Fits this computer"), theme)
        self.count = QLabel()
        set_role(self.count, "faint")
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        self.search.setMinimumWidth(180)
        row.addWidget(self.search, 1)
        row.addWidget(FlowBox(self.kinds, self.fitting, self.count))
        self.tools.addLayout(row)
        order_tabs([self.search, self.kinds, self.fitting, self.list, *focusable(self.details)])
        self._timer = QTimer(self, singleShot=True, interval=_TYPING_PAUSE_MS)
        self._timer.timeout.connect(self._apply_filter)
        self.search.textChanged.connect(self._timer.start)
        self.search.returnPressed.connect(self._on_return_pressed)
        self.kinds.currentIndexChanged.connect(self._apply_filter)
        self.fitting.toggled.connect(self._apply_filter)
        controller.changed.connect(self._on_changed)
        controller.list_failed.connect(self._on_list_failed)
        self.empty.say("catalogue", self.tr("Reading the catalogue…"))
        self.show_filled(filled=False)

    def focus_first(self) -> None:
        """Put the keyboard into the field."""
        self.search.setFocus()

    @Slot()
    def clear_filter(self) -> None:
        """Show the whole catalogue."""
        self.search.clear()
        self.kinds.setCurrentIndex(0)
        self.fitting.setChecked(False)
        self._apply_filter()

    @Slot()
    def _apply_filter(self) -> None:
        self._timer.stop()
        self._controller.set_filter(
            OfferFilter(
                text=self.search.text(),
                kind=self.kinds.currentData() or "",
                only_fitting=self.fitting.isChecked(),
            )
        )

    @Slot()
    def _on_return_pressed(self) -> None:
        self._apply_filter()
        self.list.setFocus()

    @Slot()
    def _on_changed(self) -> None:
        if not self._controller.is_listed:
            return
        self._add_kinds()
        n_shown, n_all = len(self._controller.offers.items), self._controller.n_offers
        self.count.setText(self.tr("{0} of {1}").format(number_words(n_shown), number_words(n_all)))
        self.show_filled(filled=n_shown > 0)
        if not n_shown:
            self.empty.say(
                "search",
                self.tr("Nothing in the catalogue is like that"),
                self.tr("Try other words, or look on the hub with “Search”."),
                ((self.tr("Show all"), self.clear_filter),),
            )
            return
        if self.list.current is None:
            self.list.choose_first()
        else:
            self.details.show_offer(self.list.current)

    def _add_kinds(self) -> None:
        for kind in self._controller.kinds:
            if self.kinds.findData(kind) < 0:
                self.kinds.addItem(kind_words(kind), kind)

    @Slot(object)
    def _on_list_failed(self, error: AppError) -> None:
        if self._controller.is_listed:
            self.banner.say_error(error)
            return
        title = self.tr("The catalogue cannot be shown")
        self.empty.say_error(title, error, ((self.tr("Try again"), self._controller.load),))
        self.show_filled(filled=False)
