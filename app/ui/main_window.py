"""The window: what it is built from, how its parts hear of each other, and its commands."""

import asyncio
from base64 import b64decode, b64encode
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QTextEdit, QVBoxLayout, QWidget

from app.protocol.chat import ConversationEntry
from app.protocol.library import GetLibraryStatus
from app.protocol.system import (
    GetSettings,
    Notice,
    UpdateSettings,
    WorkerChanged,
)
from app.ui.about.controller import AboutController
from app.ui.chat.controller import ChatController
from app.ui.chat.links import is_openable
from app.ui.chat.open_conversation import OpenConversation
from app.ui.chat.pane import ChatPane
from app.ui.conversations.controller import ConversationsController
from app.ui.conversations.pane import ConversationPane
from app.ui.dialogs import Dialogs, QtDialogs
from app.ui.drop_overlay import DropOverlay
from app.ui.elements.banner import Banner
from app.ui.guide.controller import GuideController
from app.ui.intake_controller import IntakeController
from app.ui.library.pane import LibraryPane
from app.ui.notifier import Notifier, NotifierBridge
from app.ui.right_area import RightArea
from app.ui.session import Session
from app.ui.status_line import StatusLine
from app.ui.tasks import TaskSpawner
from app.ui.theme import SETTINGS, Theme
from app.ui.toasts import ToastArea
from app.ui.viewer.pane import ViewerPane
from app.ui.voice.reading_window import ReadingParts, WindowReading
from app.ui.voice.window_voice import VoiceParts, WindowVoice
from app.ui.window_actions import THEME_MARK, Command, WindowActions
from app.ui.window_closing import WindowClosing
from app.ui.window_drops import WindowDrops
from app.ui.window_models import ModelParts, WindowModels
from app.ui.window_panes import WindowPanes
from app.ui.window_state import WindowState, load_state, save_state

_START_SIZE = (1280, 800)
_SMALLEST_SIZE = (760, 520)
_SAVE_DELAY_MS = 1500


@dataclass(frozen=True)
class WindowParts:
    """What the window is built from; wired once, in `application`.

    Attributes:
        dialogs: None for real dialogs over the window.
    """

    session: Session
    tasks: TaskSpawner
    notifier: Notifier
    theme: Theme
    dialogs: Dialogs | None = None


class MainWindow(QMainWindow):
    """The program's window.

    Signals:
        closed: the user closed it and may leave; running work was asked about.
    """

    closed = Signal()

    def __init__(self, parts: WindowParts) -> None:
        """Build the window from its parts; it is not shown yet."""
        super().__init__()
        self._session, self._tasks, self._notifier = parts.session, parts.tasks, parts.notifier
        self._theme = parts.theme
        self._dialogs: Dialogs = parts.dialogs or QtDialogs(self)
        self._state = load_state(parts.session.paths)
        self._may_close = False
        self._last_conversation = self._state.conversation_id
        self.setWindowTitle("h2oGPT")
        self.setAcceptDrops(True)
        self.setMinimumSize(*_SMALLEST_SIZE)
        self._build_panes()
        self._build_controllers()
        self._lay_out()
        self._connect()
        self._add_commands()
        self._restore()
        self._theme.dress(self)

    def _build_panes(self) -> None:
        session, tasks, theme = self._session, self._tasks, self._theme
        self.chats = ChatController(session, tasks, self._notifier, self)
        self.conversations = ConversationsController(session, tasks, self)
        self.conversation_pane = ConversationPane(self.conversations.model, theme)
        self.chat_pane = ChatPane(self.chats, session, theme)
        self.library_pane = LibraryPane(session, tasks, theme)
        self.viewer_pane = ViewerPane(session, tasks, theme)
        self.right_area = RightArea(self.library_pane, self.viewer_pane, theme)
        self.status_line = StatusLine(session, theme)
        self.banner = Banner(theme)

    def _build_controllers(self) -> None:
        self.intake = IntakeController(
            self.library_pane, self._session, self._tasks, self._notifier, self._dialogs, self
        )
        self.guide = GuideController(
            self._session, self._tasks, self._theme, self.intake, self.chat_pane, self
        )
        self.about = AboutController(self._session, self._tasks, self._theme, self)
        self.closing = WindowClosing(self._session, self._tasks, self._dialogs, self.chats, self)
        self._bridge = NotifierBridge(self._notifier, self)
        self._save_timer = QTimer(self)
        self._save_timer.setSingleShot(True)
        self._save_timer.setInterval(_SAVE_DELAY_MS)
        self._save_timer.timeout.connect(self._on_save_due)

    def _lay_out(self) -> None:
        self.panes = WindowPanes(self.conversation_pane, self.chat_pane, self.right_area)
        central = QWidget()
        layout = QVBoxLayout(central)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.banner)
        layout.addWidget(self.panes, 1)
        layout.addWidget(self.status_line)
        self.setCentralWidget(central)
        self.toasts = ToastArea(self._theme, central, self.chat_pane.composer)
        self.overlay = DropOverlay(self._theme, central)
        self._drops = WindowDrops(self, self.chat_pane, self.library_pane, self.intake, self.overlay)
        self.models = WindowModels(self._model_parts(), self)
        self.reading = WindowReading(
            ReadingParts(
                session=self._session,
                tasks=self._tasks,
                notifier=self._notifier,
                theme=self._theme,
                chats=self.chats,
                chat_pane=self.chat_pane,
                viewer=self.viewer_pane,
            ),
            self,
        )
        self.voice = WindowVoice(self._voice_parts(), self)

    def _model_parts(self) -> ModelParts:
        return ModelParts(
            session=self._session,
            tasks=self._tasks,
            theme=self._theme,
            dialogs=self._dialogs,
            chats=self.chats,
            chat_pane=self.chat_pane,
            status_line=self.status_line,
            guide=self.guide,
            intake=self.intake.models,
            toasts=self.toasts,
        )

    def _voice_parts(self) -> VoiceParts:
        return VoiceParts(
            session=self._session,
            tasks=self._tasks,
            theme=self._theme,
            chats=self.chats,
            chat_pane=self.chat_pane,
            status_line=self.status_line,
            reading=self.reading.controller,
            answers=self.reading.answers,
            open_models=self.models.open_catalogue,
            taken_keys=self._taken_keys,
        )

    def _taken_keys(self) -> list[tuple[str, str]]:
        return self.actions_.shortcut_rows()

    def _connect(self) -> None:
        self._bridge.notified.connect(self._on_notice)
        self._session.notice_received.connect(self._on_notice)
        self._session.connected.connect(self._on_connected)
        self._session.disconnected.connect(self._on_disconnected)
        self._session.worker_changed.connect(self._on_worker_changed)
        self.conversation_pane.new_requested.connect(self.new_conversation)
        self.conversation_pane.open_requested.connect(self._on_open_requested)
        self.conversation_pane.delete_requested.connect(self._on_delete_requested)
        self.conversations.deleted.connect(self._on_conversation_deleted)
        self.conversations.loaded.connect(self._on_conversations_loaded)
        self.chats.conversation_shown.connect(self._on_conversation_shown)
        self.chats.entry_changed.connect(self._on_entry_changed)
        self.chats.busy_changed.connect(self._on_busy_changed)
        self.chat_pane.citation_opened.connect(self.panes.open_citation)
        self.chat_pane.link_activated.connect(self._on_link_activated)
        self.chat_pane.files_pasted.connect(self.intake.add_paths)
        self.chat_pane.add_files_requested.connect(self.intake.choose_files)
        self.chat_pane.add_folder_requested.connect(self.intake.choose_folder)
        self.chat_pane.sample_requested.connect(self.intake.add_sample)
        self.chat_pane.menu_button.clicked.connect(self._on_menu_clicked)
        self.intake.adding.connect(self.panes.show_library)
        self.panes.arranged.connect(self._on_arranged)
        self.closing.allowed.connect(self._on_closing_allowed)
        self.closed.connect(self.guide.put_away)
        self.closed.connect(self.models.put_away)
        self.closed.connect(self.voice.put_away)

    def _add_commands(self) -> None:
        tr = self.tr
        commands = [
            Command(tr("New conversation"), "Ctrl+N", self.new_conversation, "add"),
            Command(tr("Add files…"), "Ctrl+O", self.intake.choose_files, "add-file"),
            Command(tr("Add a folder…"), "Ctrl+Shift+O", self.intake.choose_folder, "add-folder"),
            Command(tr("Add from the clipboard"), "", self.intake.paste, "copy"),
            None,
            Command(tr("Models…"), "Ctrl+M", self.models.open_installed, "model"),
            Command(tr("Voice settings…"), "", self.voice.settings.open, "microphone"),
            Command(tr("Network…"), "", self.models.open_network, "globe"),
            Command(tr("Diagnostics…"), "", self.models.open_diagnostics, "diagnostics"),
            None,
            Command(THEME_MARK, "", _nothing),
            Command(tr("Keyboard shortcuts"), "Ctrl+?", self._show_shortcuts, "info"),
            Command(tr("Show the guide"), "", self.guide.open, "question"),
            Command(tr("About h2oGPT"), "", self.about.open, "app"),
            None,
            Command(tr("Quit"), "Ctrl+Q", self.close, "close"),
            Command(
                "", "Ctrl+Shift+I", self.models.choose_images, help=tr("Attach an image to the question")
            ),
            Command(
                "",
                "Ctrl+Shift+R",
                self.reading.toggle,
                help=tr("Read the last answer aloud, or stop reading"),
            ),
            Command("", "Ctrl+Shift+H", self.voice.toggle_hands_free, help=tr("Hands-free conversation")),
            Command("", "Ctrl+L", self.chat_pane.focus_composer, help=tr("Go to the text field")),
            Command("", "Ctrl+K", self.panes.focus_search, help=tr("Search conversations")),
            Command("", "F6", self.panes.focus_next, help=tr("Go to the next pane")),
            Command("", "Shift+F6", self.panes.focus_previous, help=tr("Go to the pane before")),
            Command("", "Ctrl+B", self.panes.toggle_left, help=tr("Show or hide the conversations")),
            Command("", "Ctrl+Shift+B", self.panes.toggle_right, help=tr("Show or hide the library")),
        ]
        self.actions_ = WindowActions(self, commands, self._theme, self.choose_theme)

    # --- opening

    def _restore(self) -> None:
        state = self._state
        if not (state.geometry and self.restoreGeometry(QByteArray(b64decode(state.geometry)))):
            self.resize(*_START_SIZE)
        self.panes.restore(state, self.width())
        self.chat_pane.focus_composer()

    @Slot()
    def _on_connected(self) -> None:
        self.banner.hide()
        self._tasks.spawn(self._load_status(), "load status")

    async def _load_status(self) -> None:
        status = await self._session.call(GetLibraryStatus())
        self.status_line.show_library(status)
        self.chat_pane.show_library_status(status)
        settings = await self._session.call(GetSettings())
        theme = settings.values.get("theme")
        if theme in SETTINGS and theme != self._theme.setting:
            self._theme.set_setting(
                theme
            )  # window.json only spares the first picture from being the other one
            self.actions_.show_theme(theme)
        self.models.show_settings(settings.values)
        self.voice.show_settings(settings.values)
        self.reading.show_settings(settings.values)
        self.guide.on_settings(settings.values)

    @Slot(str)
    def _on_disconnected(self, words: str) -> None:
        self.banner.say("warning", words)

    @Slot(object)
    def _on_worker_changed(self, change: WorkerChanged) -> None:
        words = f"{change.message} {change.hint}".strip()
        if change.state == "failed" and words:
            self.banner.say("error", words)
        elif change.state == "ready":
            self.banner.hide()

    @Slot()
    def _on_conversations_loaded(self) -> None:
        wanted, self._last_conversation = self._last_conversation, ""
        is_untouched = self.chats.current.id is None and not self.chats.current.draft
        if wanted and is_untouched and self.conversations.model.row_of(wanted) is not None:
            self.chats.open(wanted)

    # --- conversations

    @Slot()
    def new_conversation(self) -> None:
        """Show a new conversation with the cursor in the composer."""
        self.chats.new()
        self.chat_pane.focus_composer()

    @Slot(str)
    def _on_open_requested(self, conversation_id: str) -> None:
        self.chats.open(conversation_id)

    @Slot(object)
    def _on_delete_requested(self, entry: ConversationEntry) -> None:
        self.conversations.delete(entry)

    @Slot(object)
    def _on_conversation_deleted(self, entry: ConversationEntry) -> None:
        title = self.conversations.model.title(entry)

        def undo() -> None:
            self.conversations.restore(entry)

        self.toasts.undo(self.tr("“{0}” was deleted.").format(title), undo)

    @Slot(object)
    def _on_conversation_shown(self, conversation: OpenConversation) -> None:
        self.conversation_pane.show_current(conversation.id)
        self._save_timer.start()

    @Slot(object)
    def _on_entry_changed(self, entry: ConversationEntry) -> None:
        self.conversation_pane.show_current(entry.id)
        self._save_timer.start()

    # --- links and commands

    @Slot(str)
    def _on_link_activated(self, address: str) -> None:
        if is_openable(address):
            self._tasks.spawn(self._open_link(address), "open link")

    async def _open_link(self, address: str) -> None:
        if await self._dialogs.confirm_link(address):
            self._dialogs.open_link(address)

    @Slot()
    def _on_menu_clicked(self) -> None:
        button = self.chat_pane.menu_button
        self.actions_.menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    def choose_theme(self, setting: str) -> None:
        """Use another theme and remember it."""
        self._theme.set_setting(setting)
        self._save_timer.start()
        self._tasks.spawn(self._session.call(UpdateSettings(values={"theme": setting})), "store theme")

    def _show_shortcuts(self) -> None:
        rows = self.actions_.shortcut_rows()
        self._tasks.spawn(self._dialogs.show_text(self.tr("Keyboard shortcuts"), rows), "show shortcuts")

    @Slot(object)
    def _on_notice(self, notice: Notice) -> None:
        if not notice.code or (notice.code, notice.hint) != self._told_in_place():
            self.toasts.show_notice(notice)

    @Slot(bool)
    def _on_busy_changed(self, busy: bool) -> None:
        code, hint = self._told_in_place()
        if code and not busy:
            self.toasts.dismiss(code, hint)

    def _told_in_place(self) -> tuple[str, str]:
        """Give code and hint of the failure that the last answer shows; empty where it shows none."""
        model = self.chats.current.model
        if not model.rowCount():
            return "", ""
        message = model.row(model.rowCount() - 1).message
        return message.error_code, message.error_hint

    # --- closing

    def close_now(self) -> None:
        """Close without asking; what runs goes on in the background."""
        self.closing.leave()

    @Slot()
    def _on_closing_allowed(self) -> None:
        self._may_close = True
        self.close()

    @Slot()
    def _on_arranged(self) -> None:
        self._save_timer.start()

    @Slot()
    def _on_save_due(self) -> None:
        self._tasks.spawn(
            asyncio.to_thread(save_state, self._session.paths, self.window_state()), "save window"
        )

    def window_state(self) -> WindowState:
        """Give what is to be remembered."""
        return WindowState(
            geometry=b64encode(bytes(self.saveGeometry().data())).decode(),
            left_width=self.panes.left_width(),
            right_width=self.panes.right_width(),
            left_visible=not self.conversation_pane.isHidden(),
            right_visible=not self.right_area.isHidden(),
            conversation_id=self.chats.current.id or "",
            theme=self._theme.setting,
        )

    # Qt overrides

    def closeEvent(self, event: QCloseEvent, /) -> None:
        """Ask about running work first."""
        if self._may_close:
            self._save_timer.stop()
            save_state(self._session.paths, self.window_state())
            event.accept()
            self.closed.emit()
            return
        event.ignore()
        self.closing.ask()

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """End talking or stop the answer on Esc; paste outside text fields adds to the library."""
        if event.key() == Qt.Key.Key_Escape:
            if self.voice.is_active:
                self.voice.cancel()
                return
            if self.chats.current.live is None:
                self.reading.stop()
            self.chat_pane.stop()
        elif event.matches(QKeySequence.StandardKey.Paste) and not isinstance(
            QApplication.focusWidget(), QTextEdit | QLineEdit
        ):
            self.intake.paste()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Remember the size soon."""
        super().resizeEvent(event)
        self._save_timer.start()

    def dragEnterEvent(self, event: QDragEnterEvent, /) -> None:
        """Say what dropping will do."""
        self._drops.enter(event)

    def dragMoveEvent(self, event: QDragMoveEvent, /) -> None:
        """Accept everywhere."""
        self._drops.move(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent, /) -> None:
        """Take the words away."""
        self._drops.leave()
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent, /) -> None:
        """Add what was dropped."""
        self._drops.drop(event)


def _nothing() -> None:
    """Stand in for a menu entry that is a menu itself."""
