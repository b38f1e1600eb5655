"""The window's theme: follows the system's colour scheme and contrast, or a choice of the user."""

import weakref

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from app.ui.stylesheet import build_stylesheet
from app.ui.tokens import Palette, palette_for

SETTINGS = ("system", "light", "dark")


class Theme(QObject):
    """Keeps the palette in force and applies it to the windows it is given.

    The style sheet is put on windows, not on the application: Qt would restyle each widget again for each of
    its parents, which holds the event loop several times as long.

    Created once, in the main thread, after the QApplication.

    Signals:
        changed: the Palette now in force; widgets that paint themselves repaint, icons are tinted anew.
    """

    changed = Signal(object)

    def __init__(self, setting: str = "system", parent: QObject | None = None) -> None:
        """Follow the system, or `setting` (`system`, `light`, `dark`); nothing is applied before `apply`."""
        super().__init__(parent)
        self._setting = setting if setting in SETTINGS else "system"
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._on_hints_changed)
        hints.accessibility().contrastPreferenceChanged.connect(self._on_hints_changed)
        self._palette = self._wanted()
        self._windows: list[weakref.ref[QWidget]] = []

    @property
    def palette(self) -> Palette:
        """The colours in force."""
        return self._palette

    @property
    def setting(self) -> str:
        """What the user chose: `system`, `light` or `dark`."""
        return self._setting

    def colour(self, role: str) -> QColor:
        """Give the colour of a Palette field, for painting."""
        return QColor(getattr(self._palette, role))

    def set_setting(self, setting: str) -> None:
        """Choose `system`, `light` or `dark`; applied at once.

        Raises:
            ValueError: any other word.
        """
        if setting not in SETTINGS:
            raise ValueError(f"no theme is called {setting!r}")
        self._setting = setting
        self._refresh()

    def apply(self) -> None:
        """Put the palette on the application, and the style sheet on the windows."""
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        if application.style().objectName() != "fusion":
            application.setStyle("fusion")  # the same metrics on every platform
        application.setPalette(qt_palette(self._palette))
        sheet = self.stylesheet()
        for window in self._living_windows():
            window.setStyleSheet(sheet)

    def dress(self, window: QWidget) -> None:
        """Give a window the style sheet, now and whenever it changes; its children wear it too."""
        self._windows.append(weakref.ref(window))
        window.setStyleSheet(self.stylesheet())

    def stylesheet(self) -> str:
        """Give the style sheet for the palette in force and the application's font."""
        return build_stylesheet(self._palette, QApplication.font().pointSizeF())

    def _living_windows(self) -> list[QWidget]:
        found = [window for reference in self._windows if (window := reference()) is not None]
        return [window for window in found if isValid(window)]

    @Slot()
    def _on_hints_changed(self) -> None:
        self._refresh()

    def _refresh(self) -> None:
        wanted = self._wanted()
        if wanted != self._palette:
            self._palette = wanted
            self.apply()
            self.changed.emit(wanted)

    def _wanted(self) -> Palette:
        hints = QGuiApplication.styleHints()
        dark = self._setting == "dark"
        if self._setting == "system":
            dark = hints.colorScheme() == Qt.ColorScheme.Dark
        high = hints.accessibility().contrastPreference() == Qt.ContrastPreference.HighContrast
        return palette_for(dark=dark, high_contrast=high)


def qt_palette(palette: Palette) -> QPalette:
    """Give the QPalette for what no style sheet rule reaches."""
    result = QPalette()
    role = QPalette.ColorRole
    for target, colour in (
        (role.Window, palette.window),
        (role.WindowText, palette.text),
        (role.Base, palette.surface),
        (role.AlternateBase, palette.sidebar),
        (role.Text, palette.text),
        (role.Button, palette.raised),
        (role.ButtonText, palette.text),
        (role.ToolTipBase, palette.raised),
        (role.ToolTipText, palette.text),
        (role.PlaceholderText, palette.text_faint),
        (role.Highlight, palette.accent),
        (role.HighlightedText, palette.on_accent),
        (role.Link, palette.accent),
        (role.LinkVisited, palette.accent),
        (role.Accent, palette.accent),
    ):
        result.setColor(target, QColor(colour))
    for target in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, target, QColor(palette.text_faint))
    return result


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget one of the style sheet's roles and restyle it."""
    if widget.property("role") == role:
        return
    widget.setProperty("role", role)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
