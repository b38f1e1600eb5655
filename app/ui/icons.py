"""The program's own line icons, drawn in a colour of the theme and sharp at every scale."""

from functools import cache
from typing import Protocol

from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Slot
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer

from app.core.paths import resources_dir
from app.ui.theme import Theme
from app.ui.tokens import ICON_SIZE


class IconTarget(Protocol):
    """A widget or action that shows an icon."""

    def setIcon(self, icon: QIcon, /) -> None:
        """Show the icon."""


def icon(name: str, theme: Theme, role: str = "text_muted", size: int = ICON_SIZE) -> QIcon:
    """Give an icon in the present colour of a Palette field.

    Args:
        name: of a file in `resources/icons`, without `.svg`.
        theme: whose colours count.
        role: field of Palette; disabled, the icon takes `text_faint`.
        size: edge in device-independent pixels.

    Raises:
        FileNotFoundError: there is no such icon.
    """
    result = QIcon()
    for ratio in _ratios():
        result.addPixmap(icon_pixmap(name, theme.colour(role), size, ratio), QIcon.Mode.Normal)
        faint = theme.colour("text_faint")
        faint.setAlphaF(0.6)
        result.addPixmap(icon_pixmap(name, faint, size, ratio), QIcon.Mode.Disabled)
    return result


def icon_pixmap(name: str, colour: QColor, size: int, ratio: float = 1.0) -> QPixmap:
    """Draw an icon of `size` device-independent pixels for a screen with the given device pixel ratio."""
    key = f"{name} {colour.name(QColor.NameFormat.HexArgb)} {size} {ratio}"
    pixmap = QPixmap()
    if QPixmapCache.find(key, pixmap):
        return pixmap
    source = _source(name).replace(b"currentColor", colour.name().encode())
    renderer = QSvgRenderer(QByteArray(source))
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.setOpacity(colour.alphaF())
        renderer.render(painter, QRectF(0, 0, size, size))
    QPixmapCache.insert(key, pixmap)
    return pixmap


def bind_icon(target: IconTarget, name: str, theme: Theme, role: str = "text_muted") -> None:
    """Show an icon on a widget or action and tint it anew whenever the theme changes.

    Binding again replaces the earlier icon.
    """
    assert isinstance(target, QObject)
    for child in target.children():
        if isinstance(child, _IconBinding):
            child.rebind(name, role)
            return
    _IconBinding(target, name, theme, role)


class _IconBinding(QObject):
    """Lives as a child of its target, so that the connection ends with it."""

    def __init__(self, target: IconTarget, name: str, theme: Theme, role: str) -> None:
        assert isinstance(target, QObject)
        super().__init__(target)
        self._target: IconTarget = target
        self._theme = theme
        theme.changed.connect(self._on_theme_changed)
        self.rebind(name, role)

    def rebind(self, name: str, role: str) -> None:
        self._name, self._role = name, role
        self._on_theme_changed()

    @Slot()
    def _on_theme_changed(self) -> None:
        self._target.setIcon(icon(self._name, self._theme, self._role))


def _ratios() -> list[float]:
    """Give the device pixel ratios of all screens, and 2 for a screen that is plugged in later."""
    return sorted({1.0, 2.0, *(screen.devicePixelRatio() for screen in QGuiApplication.screens())})


@cache
def _source(name: str) -> bytes:
    return (resources_dir() / "icons" / f"{name}.svg").read_bytes()
