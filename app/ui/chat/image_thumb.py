"""A picture of an attached image, as a button: Enter or a click shows it larger."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QToolButton, QWidget

from app.protocol.chat import ImageAttachment
from app.ui.chat.thumbnails import Thumbnails
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import icon_pixmap
from app.ui.theme import Theme
from app.ui.tokens import ICON_SIZE, RADIUS_M


class ImageThumb(QToolButton):
    """Paints the thumbnail, or a sign while there is none; fixed in size from the start.

    Signals:
        opened: ImageAttachment to be shown larger.
    """

    opened = Signal(object)

    def __init__(
        self,
        image: ImageAttachment,
        size: QSize,
        thumbnails: Thumbnails,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        """Show `image` within `size`, cut where its shape is another one."""
        super().__init__(parent)
        self._image, self._thumbnails, self._theme = image, thumbnails, theme
        self.setFixedSize(size)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        words = self.tr("Image {0}, {1} × {2} pixels").format(image.name, image.width, image.height)
        self.setAccessibleName(words)
        self.setToolTip(plain_tooltip(words))
        self.clicked.connect(self._on_clicked)
        thumbnails.arrived.connect(self._on_arrived)
        theme.changed.connect(self.update)

    @property
    def image(self) -> ImageAttachment:
        """What it shows."""
        return self._image

    @Slot()
    def _on_clicked(self) -> None:
        self.opened.emit(self._image)

    @Slot(str)
    def _on_arrived(self, sha256: str) -> None:
        if sha256 != self._image.sha256:
            return
        if (error := self._thumbnails.failure(sha256)) is not None:
            self.setToolTip(plain_tooltip(f"{self._image.name}: {error.user_message} {error.hint}".strip()))
        self.update()

    # Qt overrides

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Paint the thumbnail with round corners, filling the button."""
        with QPainter(self) as painter:
            painter.setRenderHints(
                QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
            )
            box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            path = QPainterPath()
            path.addRoundedRect(box, RADIUS_M, RADIUS_M)
            painter.fillPath(path, self._theme.colour("pressed"))
            picture = self._thumbnails.image(self._image.sha256)
            if picture is None:
                failed = self._thumbnails.failure(self._image.sha256) is not None
                name, colour = ("error", "error") if failed else ("picture", "text_faint")
                sign = icon_pixmap(name, self._theme.colour(colour), ICON_SIZE, self.devicePixelRatioF())
                painter.drawPixmap((self.width() - ICON_SIZE) // 2, (self.height() - ICON_SIZE) // 2, sign)
            else:
                painter.setClipPath(path)
                scale = max(box.width() / picture.width(), box.height() / picture.height())
                size = QSize(round(picture.width() * scale), round(picture.height() * scale))
                left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
                painter.drawImage(QRectF(left, top, size.width(), size.height()), picture)
                painter.setClipping(False)
            edge = "focus" if self.hasFocus() else "border"
            painter.setPen(QPen(self._theme.colour(edge), 2 if self.hasFocus() else 1))
            painter.drawPath(path)
