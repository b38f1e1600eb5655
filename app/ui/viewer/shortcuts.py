"""The viewer's keys; they act while the focus is inside the pane."""

from typing import Protocol

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from app.ui.viewer.zoom import Fit


class ViewerActions(Protocol):
    """What the keys can ask of the pane."""

    def open_search(self) -> None:
        """Open the find bar."""

    def step_match(self, direction: int) -> None:
        """Look at the next (1) or previous (-1) match."""

    def step_zoom(self, steps: int) -> None:
        """Zoom in (positive) or out."""

    def set_fit(self, fit: Fit) -> None:
        """Let the zoom follow the view."""

    def step_page(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) page."""

    def step_citation(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) citation."""

    def toggle_sound(self) -> None:
        """Play or pause the recording."""


class ViewerShortcuts(QObject):
    """Creates the shortcuts of a pane and owns them."""

    def __init__(self, actions: ViewerActions, pane: QWidget) -> None:
        """Let keys pressed inside `pane` ask `actions`, which is usually the same object."""
        super().__init__(pane)
        self._actions = actions
        for keys, act in (
            (QKeySequence(QKeySequence.StandardKey.Find), self._on_find),
            (QKeySequence("F3"), self._on_next_match),
            (QKeySequence("Shift+F3"), self._on_previous_match),
            (QKeySequence("Ctrl++"), self._on_zoom_in),
            (QKeySequence("Ctrl+="), self._on_zoom_in),
            (QKeySequence("Ctrl+-"), self._on_zoom_out),
            (QKeySequence("Ctrl+0"), self._on_fit_width),
            (QKeySequence("Ctrl+9"), self._on_fit_page),
            (QKeySequence("Ctrl+PgUp"), self._on_previous_page),
            (QKeySequence("Ctrl+PgDown"), self._on_next_page),
            (QKeySequence("Alt+Left"), self._on_previous_citation),
            (QKeySequence("Alt+Right"), self._on_next_citation),
            (QKeySequence("Ctrl+P"), self._on_sound),
        ):
            shortcut = QShortcut(keys, pane)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    @Slot()
    def _on_find(self) -> None:
        self._actions.open_search()

    @Slot()
    def _on_next_match(self) -> None:
        self._actions.step_match(1)

    @Slot()
    def _on_previous_match(self) -> None:
        self._actions.step_match(-1)

    @Slot()
    def _on_zoom_in(self) -> None:
        self._actions.step_zoom(1)

    @Slot()
    def _on_zoom_out(self) -> None:
        self._actions.step_zoom(-1)

    @Slot()
    def _on_fit_width(self) -> None:
        self._actions.set_fit(Fit.WIDTH)

    @Slot()
    def _on_fit_page(self) -> None:
        self._actions.set_fit(Fit.PAGE)

    @Slot()
    def _on_previous_page(self) -> None:
        self._actions.step_page(-1)

    @Slot()
    def _on_next_page(self) -> None:
        self._actions.step_page(1)

    @Slot()
    def _on_previous_citation(self) -> None:
        self._actions.step_citation(-1)

    @Slot()
    def _on_next_citation(self) -> None:
        self._actions.step_citation(1)

    @Slot()
    def _on_sound(self) -> None:
        self._actions.toggle_sound()
