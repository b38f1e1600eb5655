"""An icon on its own, in the theme's colour."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLabel, QWidget

from app.ui.icons import icon_pixmap
from app.ui.theme import Theme
from app.ui.tokens import ICON_SIZE


class IconLabel(QLabel):
    """Shows an icon that is no button; to a screen reader it is silent."""

    def __init__(
        self, name: str, role: str, theme: Theme, size: int = ICON_SIZE, parent: QWidget | None = None
    ) -> None:
        """Show the icon `name` in the colour of the Palette field `role`, `size` pixels wide."""
        super().__init__(parent)
        self._theme, self._size = theme, size
        self.setFixedSize(size, size)
        theme.changed.connect(self._on_theme_changed)
        self.set_icon(name, role)

    def set_icon(self, name: str, role: str) -> None:
        """Show another icon."""
        self._name, self._role = name, role
        self.setPixmap(icon_pixmap(name, self._theme.colour(role), self._size, self.devicePixelRatioF()))

    @Slot()
    def _on_theme_changed(self) -> None:
        self.set_icon(self._name, self._role)
