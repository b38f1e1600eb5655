"""While something is dragged over the window: what will happen when it is dropped."""

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QRegion
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from app.ui.icon_label import IconLabel
from app.ui.intake import Intake
from app.ui.theme import Theme, set_role
from app.ui.tokens import RADIUS_L, SPACE_L, SPACE_M, SPACE_S

_NO_HOLE = QRect()


class DropOverlay(QFrame):
    """Covers the window with words; mouse and drag events go through it."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        """Start hidden."""
        super().__init__(parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._icon = IconLabel("add-file", "accent", theme, 48)
        self._title = QLabel()
        set_role(self._title, "title")
        self._words = QLabel()
        set_role(self._words, "muted")
        for label in (self._title, self._words):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)  # a collection's name is the user's
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_S)
        layout.addStretch()
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(SPACE_M)
        layout.addWidget(self._title)
        layout.addWidget(self._words)
        layout.addStretch()
        self.hide()

    @property
    def title(self) -> str:
        """The large words."""
        return self._title.text()

    def show_intake(
        self, intake: Intake, collection: str, hole: QRect = _NO_HOLE, *, for_question: bool = False
    ) -> None:
        """Say what dropping this does.

        Args:
            intake: what is dragged.
            collection: where it goes; empty for the library as a whole.
            hole: part of the parent that stays uncovered; empty for none.
            for_question: dropped here, images go to the question instead.
        """
        where = f"“{collection}”" if collection else self.tr("the library")
        if for_question:
            n_images = len(intake.images)
            what = self.tr("this image") if n_images == 1 else self.tr("{0} images").format(n_images)
            self._title.setText(self.tr("Drop to ask about {0}").format(what))
            self._words.setText(self.tr("Drop it elsewhere to add it to the library."))
        elif intake.models and len(intake.models) == len(intake.paths):
            one = len(intake.models) == 1
            self._title.setText(
                self.tr("Drop to use this model") if one else self.tr("Drop to use these models")
            )
            self._words.setText(self.tr("The file stays where it is; nothing is copied."))
        elif intake.paths:
            n_items = len(intake.paths)
            what = self.tr("this item") if n_items == 1 else self.tr("{0} items").format(n_items)
            self._title.setText(self.tr("Drop to add {0} to {1}").format(what, where))
            words = self.tr("Files are read where they are; folders with all that is in them.")
            if intake.images:
                words = self.tr("To ask about an image, drop it on the text field below.")
            self._words.setText(words)
        elif intake.text:
            self._title.setText(self.tr("Drop to add this text to {0}").format(where))
            self._words.setText(self.tr("You will be asked for its name."))
        else:
            self._title.setText(self.tr("This cannot be added"))
            self._words.setText(self.tr("Save it on this computer first, then drop the file here."))
        self._icon.set_icon("add-file" if intake else "error", "accent" if intake else "error")
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect().adjusted(SPACE_M, SPACE_M, -SPACE_M, -SPACE_M))
        self._cut(hole)
        self.raise_()
        self.show()

    def _cut(self, hole: QRect) -> None:
        """Leave a part of the parent uncovered."""
        self.clearMask()
        if not hole.isEmpty():
            self.setMask(QRegion(self.rect()).subtracted(QRegion(hole.translated(-self.pos()))))

    # Qt overrides

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Let the window shine through."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            ground = self._theme.colour("accent_soft")
            ground.setAlphaF(0.94)
            painter.setBrush(ground)
            painter.setPen(QPen(self._theme.colour("accent"), 2, Qt.PenStyle.DashLine))
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), RADIUS_L, RADIUS_L)
