"""The window's three panes side by side: their widths, which of them are shown, and the way of the focus."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QApplication, QSplitter, QWidget

from app.protocol.chat import Citation
from app.ui.chat.pane import ChatPane
from app.ui.conversations.pane import ConversationPane
from app.ui.right_area import RightArea
from app.ui.window_state import WindowState

_VIEWER_SHARE = 0.42
_VIEWER_MIN_WIDTH = 460
_LEFT_MIN_WIDTH, _CHAT_MIN_WIDTH, _RIGHT_MIN_WIDTH = 170, 320, 268  # all three fit into the smallest window
_CHAT_START_WIDTH = 360


class WindowPanes(QSplitter):
    """Conversations, chat and the right area; a document gets the room that a page needs while it is open.

    Signals:
        arranged: the user changed a width, or what is shown.
    """

    arranged = Signal()

    def __init__(self, conversations: ConversationPane, chat: ChatPane, right: RightArea) -> None:
        """Put the panes beside each other."""
        super().__init__(Qt.Orientation.Horizontal)
        self._conversations, self._chat, self._right = conversations, chat, right
        self._width_before_viewer: int | None = None
        self._remembered = WindowState()
        self.setHandleWidth(1)
        self.setChildrenCollapsible(False)
        for pane, width in (
            (conversations, _LEFT_MIN_WIDTH),
            (chat, _CHAT_MIN_WIDTH),
            (right, _RIGHT_MIN_WIDTH),
        ):
            self.addWidget(pane)
            pane.setMinimumWidth(width)
        for index, stretch in enumerate((0, 1, 0)):
            self.setStretchFactor(index, stretch)
        chat.left_button.clicked.connect(self.toggle_left)
        chat.right_button.clicked.connect(self.toggle_right)
        right.document_opened.connect(self._on_document_opened)
        right.document_closed.connect(self._on_document_closed)
        self.splitterMoved.connect(self._on_splitter_moved)

    # --- remembered

    def restore(self, state: WindowState, window_width: int) -> None:
        """Show the panes as they were left, in a window of so many pixels."""
        self._remembered = state
        self._conversations.setVisible(state.left_visible)
        self._right.setVisible(state.right_visible)
        rest = max(_CHAT_START_WIDTH, window_width - state.left_width - state.right_width)
        self.setSizes([state.left_width, rest, state.right_width])

    def left_width(self) -> int:
        """Give the conversations' width to remember, in pixels; the old one while they are hidden."""
        return self.sizes()[0] or self._remembered.left_width

    def right_width(self) -> int:
        """Give the right area's width to remember, in pixels, without the room that a document was given."""
        return self._width_before_viewer or self.sizes()[2] or self._remembered.right_width

    # --- what is shown

    @Slot()
    def toggle_left(self) -> None:
        """Show or hide the conversations."""
        self._conversations.setVisible(self._conversations.isHidden())
        self.arranged.emit()

    @Slot()
    def toggle_right(self) -> None:
        """Show or hide library and viewer."""
        self._right.setVisible(self._right.isHidden())
        self.arranged.emit()

    @Slot()
    def show_library(self) -> None:
        """Bring the library into view."""
        self._right.show()
        self._right.show_library()

    @Slot(object, int)
    def open_citation(self, citations: tuple[Citation, ...], index: int) -> None:
        """Bring the place of a citation into view."""
        self._right.show()
        self._right.open_citation(citations, index)

    @Slot()
    def _on_document_opened(self) -> None:
        """Give the viewer the room that a page needs, and remember what it was."""
        left, chat, right = self.sizes()
        wanted = max(_VIEWER_MIN_WIDTH, int(self.window().width() * _VIEWER_SHARE))
        if right < wanted:
            if self._width_before_viewer is None:
                self._width_before_viewer = right
            wanted = min(wanted, right + chat - self._chat.minimumWidth())
            self.setSizes([left, chat + right - wanted, wanted])

    @Slot()
    def _on_document_closed(self) -> None:
        if self._width_before_viewer is not None:
            left, chat, right = self.sizes()
            before, self._width_before_viewer = self._width_before_viewer, None
            self.setSizes([left, chat + right - before, before])

    @Slot()
    def _on_splitter_moved(self) -> None:
        self._width_before_viewer = None  # the user's own width is kept
        self.arranged.emit()

    # --- focus

    @Slot()
    def focus_next(self) -> None:
        """Move the focus to the next pane."""
        self._move_focus(1)

    @Slot()
    def focus_previous(self) -> None:
        """Move the focus to the pane before."""
        self._move_focus(-1)

    @Slot()
    def focus_search(self) -> None:
        """Move the focus to the search of conversations, which are shown for it."""
        self._conversations.show()
        self._conversations.focus_search()

    def _move_focus(self, step: int) -> None:
        stops = [
            (self._conversations, self._conversations.focus_list),
            (self._chat.messages, self._chat.messages.setFocus),
            (self._chat.composer, self._chat.focus_composer),
            (self._right, self._right.focus_front),
        ]
        stops = [stop for stop in stops if stop[0].isVisible()]
        focused = QApplication.focusWidget()
        at = [i for i, (pane, _) in enumerate(stops) if focused and _is_within(focused, pane)]
        position = (at[0] + step) % len(stops) if at else 0
        stops[position][1]()


def _is_within(widget: QWidget, pane: QWidget) -> bool:
    return pane is widget or pane.isAncestorOf(widget)
