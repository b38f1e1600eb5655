"""The images beside the unsent text: small pictures with a button each that takes them away."""

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from app.ui.chat.busy_indicator import BusyIndicator
from app.ui.chat.draft_images import FAILED, READING, DraftImage
from app.ui.chat.image_thumb import ImageThumb
from app.ui.chat.thumbnails import Thumbnails
from app.ui.elements.elided_label import ElidedLabel
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_S, SPACE_XS

_SIDE = 40
_CHIP_HEIGHT = _SIDE + 2 * SPACE_XS + 2
_WORDS_WIDTH = 118


class ImageChip(QFrame):
    """One image: picture, name, state, and a button that takes it away.

    Signals:
        removed: key of the image (int).
        opened: ImageAttachment to be shown larger.
    """

    removed = Signal(int)
    opened = Signal(object)

    def __init__(self, item: DraftImage, thumbnails: Thumbnails, theme: Theme) -> None:
        """Show an image as it is now; a new state is a new chip."""
        super().__init__()
        self.item = item
        set_role(self, "chip-error" if item.state == FAILED else "chip")
        self.setFixedHeight(_CHIP_HEIGHT)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_XS, SPACE_XS, SPACE_XS, SPACE_XS)
        layout.setSpacing(SPACE_XS)
        layout.addWidget(self._picture(item, thumbnails, theme))
        words = QVBoxLayout()
        words.setSpacing(0)
        name = ElidedLabel(item.name, Qt.TextElideMode.ElideMiddle)
        state = ElidedLabel(self._state_words())
        set_role(state, "faint")
        for label in (name, state):
            label.setFixedWidth(_WORDS_WIDTH)
            words.addWidget(label)
        layout.addLayout(words)
        self.remove_button = QToolButton()
        self.remove_button.setFixedSize(QSize(24, 24))
        said = self.tr("Remove {0}").format(item.name)
        self.remove_button.setAccessibleName(said)
        self.remove_button.setToolTip(self.tr("Remove"))
        bind_icon(self.remove_button, "close", theme)
        self.remove_button.clicked.connect(self._on_remove_clicked)
        layout.addWidget(self.remove_button)
        self.setAccessibleName(f"{item.name}: {self._state_words()}")

    def _picture(self, item: DraftImage, thumbnails: Thumbnails, theme: Theme) -> QWidget:
        if item.attachment is not None:
            thumb = ImageThumb(item.attachment, QSize(_SIDE, _SIDE), thumbnails, theme)
            thumb.opened.connect(self.opened)
            return thumb
        box = QLabel()
        box.setFixedSize(_SIDE, _SIDE)
        inner = QHBoxLayout(box)
        inner.setContentsMargins(0, 0, 0, 0)
        sign = BusyIndicator(theme) if item.state == READING else IconLabel("error", "error", theme)
        inner.addWidget(sign, 0, Qt.AlignmentFlag.AlignCenter)
        return box

    def _state_words(self) -> str:
        item = self.item
        if item.error is not None:
            return f"{item.error.user_message} {item.error.hint}".strip()
        if item.attachment is None:
            return self.tr("being read…")
        return f"{item.attachment.width} × {item.attachment.height}"

    @Slot()
    def _on_remove_clicked(self) -> None:
        self.removed.emit(self.item.key)


class ImageChips(QScrollArea):
    """A row of chips; hidden while there are none, scrolled sideways where they do not fit.

    Signals:
        removed: key of an image (int).
        opened: ImageAttachment to be shown larger.
    """

    removed = Signal(int)
    opened = Signal(object)

    def __init__(self, thumbnails: Thumbnails, theme: Theme, parent: QWidget | None = None) -> None:
        """Start hidden."""
        super().__init__(parent)
        self._thumbnails, self._theme = thumbnails, theme
        self._chips: list[ImageChip] = []
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Images of this question"))
        row = QWidget()
        self._row = QHBoxLayout(row)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(SPACE_S)
        self._row.addStretch(1)
        self.setWidget(row)
        row.setAutoFillBackground(False)  # setWidget turned it on
        self.viewport().setAutoFillBackground(False)
        self.horizontalScrollBar().rangeChanged.connect(self._fit)
        self._fit()
        self.hide()

    @property
    def chips(self) -> tuple[ImageChip, ...]:
        """What is shown."""
        return tuple(self._chips)

    def show_items(self, items: tuple[DraftImage, ...]) -> None:
        """Show these images; chips of unchanged ones stay, and so does the focus on them."""
        kept = {chip.item: chip for chip in self._chips}
        for item, chip in kept.items():
            if item not in items:
                self._row.removeWidget(chip)
                chip.hide()
                chip.deleteLater()
        self._chips = [kept.get(item) or self._new_chip(item) for item in items]
        for position, chip in enumerate(self._chips):
            self._row.insertWidget(position, chip)
            chip.show()
        self.setVisible(bool(items))

    def _new_chip(self, item: DraftImage) -> ImageChip:
        chip = ImageChip(item, self._thumbnails, self._theme)
        chip.removed.connect(self.removed)
        chip.opened.connect(self.opened)
        return chip

    @Slot()
    def _fit(self) -> None:
        """Give the scroll bar room where it shows."""
        bar = self.horizontalScrollBar()
        self.setFixedHeight(_CHIP_HEIGHT + (bar.sizeHint().height() if bar.maximum() > 0 else 0))
