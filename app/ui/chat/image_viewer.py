"""Shows an attached image larger, over the window."""

from PySide6.QtCore import QObject, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.protocol.chat import ImageAttachment
from app.ui.chat.thumbnails import Thumbnails, shown_size
from app.ui.dialogs import run
from app.ui.tasks import TaskSpawner
from app.ui.tokens import SPACE_L, SPACE_M

_LARGEST = QSize(1100, 760)
_MAX_SIDE = 2048


class Picture(QWidget):
    """Paints an image as large as it fits; until then the words that stand for it."""

    def __init__(self, size: QSize, name: str, parent: QWidget | None = None) -> None:
        """Reserve the room."""
        super().__init__(parent)
        self.image = QImage()
        self.setMinimumSize(QSize(120, 80))
        self.resize(size)
        self._size = size
        self.setAccessibleName(name)

    def show_image(self, image: QImage) -> None:
        """Show the image."""
        self.image = image
        self.update()

    # Qt overrides

    def sizeHint(self) -> QSize:
        """Give the size that the image has on the screen."""
        return self._size

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Paint the image in the middle."""
        if self.image.isNull():
            return
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            size = self.image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
            painter.drawImage(QRectF(left, top, size.width(), size.height()), self.image)


class ImageDialog(QDialog):
    """An image with its name and size; Esc or Close ends it."""

    def __init__(self, image: ImageAttachment, parent: QWidget | None = None) -> None:
        """Say that the image is coming."""
        super().__init__(parent)
        self.setWindowTitle(image.name)
        size = shown_size(image, _LARGEST.width(), _LARGEST.height())
        self.picture = Picture(size, image.name)
        self.words = QLabel(self.tr("Loading…"))
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self._facts = self.tr("{0} · {1} × {2} pixels").format(image.name, image.width, image.height)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.words)
        layout.addWidget(buttons)

    def show_image(self, image: QImage) -> None:
        """Show the pixels."""
        self.picture.show_image(image)
        self.words.setText(self._facts)

    def show_error(self, error: AppError) -> None:
        """Say why there is nothing to see."""
        self.words.setText(f"{error.user_message} {error.hint}".strip())


class ImageViewer(QObject):
    """Opens the dialog and asks for the pixels.

    Attributes:
        dialog: the open one; None while there is none.
    """

    def __init__(self, thumbnails: Thumbnails, tasks: TaskSpawner, over: QWidget) -> None:
        """Show over `over`."""
        super().__init__(over)
        self._thumbnails, self._tasks, self._over = thumbnails, tasks, over
        self.dialog: ImageDialog | None = None

    @Slot(object)
    def open(self, image: ImageAttachment) -> None:
        """Show an image, unless one is open."""
        if self.dialog is None:
            self.dialog = ImageDialog(image, self._over.window())
            self._tasks.spawn(self._show(self.dialog), "show image")
            self._tasks.spawn(self._load(self.dialog, image.sha256), "load image")

    async def _show(self, dialog: ImageDialog) -> None:
        try:
            await run(dialog)
        finally:
            self.dialog = None

    async def _load(self, dialog: ImageDialog, sha256: str) -> None:
        try:
            picture = await self._thumbnails.large(sha256, _MAX_SIDE)
        except AppError as error:
            if dialog is self.dialog:
                dialog.show_error(error)
        else:
            if dialog is self.dialog:  # else it was closed meanwhile
                dialog.show_image(picture)
