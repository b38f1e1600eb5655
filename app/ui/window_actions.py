"""What the window can do by menu and by keyboard, in one place."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, Qt, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from app.ui.icons import bind_icon
from app.ui.theme import SETTINGS, Theme


@dataclass(frozen=True)
class Command:
    """One thing the window can do.

    Attributes:
        words: as in the menu; empty for one that has only a shortcut there.
        keys: shortcut in Qt's portable form; empty for none.
        act: what is called.
        icon: name; empty for none.
        help: what the shortcut does, for the list of shortcuts; `words` where empty.
    """

    words: str
    keys: str
    act: Callable[[], object]
    icon: str = ""
    help: str = ""


class WindowActions:
    """Builds the window's actions and its menu."""

    def __init__(
        self,
        window: QWidget,
        commands: list[Command | None],
        theme: Theme,
        on_theme_chosen: Callable[[str], object],
    ) -> None:
        """Add every command to `window`; None stands for a line in the menu."""
        self._window, self._theme, self._commands = window, theme, commands
        self._on_theme_chosen = on_theme_chosen
        self.menu = QMenu(window)
        for command in commands:
            if command is None:
                self.menu.addSeparator()
            else:
                self._add(command)

    def shortcut_rows(self) -> list[tuple[str, str]]:
        """Give (keys, what they do) for the list of shortcuts."""
        rows = [
            (QKeySequence(command.keys).toString(QKeySequence.SequenceFormat.NativeText), _help(command))
            for command in self._commands
            if command is not None and command.keys
        ]
        return [
            *rows,
            (_tr("Esc"), _tr("Stop the answer that is being written, or reading aloud")),
            (_tr("Enter"), _tr("Send the question")),
            (_tr("Shift+Enter"), _tr("Begin a new line")),
            (_tr("Ctrl+F"), _tr("Find in the document that is open")),
            (_tr("Ctrl+P, Enter"), _tr("Play the recording that is open, or from the text cursor")),
            (_tr("Ctrl+V"), _tr("In the text field: also attach an image; elsewhere: add to the library")),
            (_tr("F2, Delete"), _tr("Rename or delete the chosen conversation")),
        ]

    def _add(self, command: Command) -> None:
        action = QAction(command.words or _help(command), self._window)
        if command.keys:
            action.setShortcut(QKeySequence(command.keys))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        if command.icon:
            bind_icon(action, command.icon, self._theme)
        action.triggered.connect(command.act)
        self._window.addAction(action)
        if command.words == THEME_MARK:
            self._add_theme_menu()
        elif command.words:
            self.menu.addAction(action)

    def _add_theme_menu(self) -> None:
        menu = self.menu.addMenu(_tr("Theme"))
        bind_icon(menu.menuAction(), "theme", self._theme)
        group = self._theme_group = QActionGroup(menu)
        words = {"system": _tr("As the system"), "light": _tr("Light"), "dark": _tr("Dark")}
        for setting in SETTINGS:
            action = QAction(words[setting], group)
            action.setCheckable(True)
            action.setChecked(setting == self._theme.setting)
            action.setData(setting)
            menu.addAction(action)
        group.triggered.connect(self._on_theme_triggered)

    def show_theme(self, setting: str) -> None:
        """Tick the theme that is in force."""
        for action in self._theme_group.actions():
            action.setChecked(action.data() == setting)

    @Slot(QAction)
    def _on_theme_triggered(self, action: QAction) -> None:
        self._on_theme_chosen(str(action.data()))


THEME_MARK = "<theme>"


def _help(command: Command) -> str:
    return command.help or command.words.rstrip("…")


def _tr(text: str) -> str:
    return QCoreApplication.translate("WindowActions", text)
