"""The area at the right: the library, and the document that a citation opened."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from app.protocol.chat import Citation
from app.ui.library.pane import LibraryPane
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_S
from app.ui.viewer.pane import ViewerPane

_LIBRARY, _DOCUMENT = 0, 1


class RightArea(QFrame):
    """Library and viewer behind two tabs; the viewer comes to the front when a place is opened.

    Signals:
        document_opened: the viewer came to the front and wants room.
        document_closed: the viewer was closed.
    """

    document_opened = Signal()
    document_closed = Signal()

    def __init__(
        self, library: LibraryPane, viewer: ViewerPane, theme: Theme, parent: QWidget | None = None
    ) -> None:
        """Show the library."""
        super().__init__(parent)
        set_role(self, "surface")
        self.library, self.viewer = library, viewer
        self._tabs = QTabBar()
        self._tabs.setDrawBase(False)
        self._tabs.setExpanding(False)
        self._tabs.setAccessibleName(self.tr("Library and document"))
        self._tabs.addTab(self.tr("Library"))
        self._tabs.addTab(self.tr("Document"))
        self._tabs.setTabEnabled(_DOCUMENT, False)
        self._tabs.currentChanged.connect(self._on_tab_changed)
        self._stack = QStackedWidget()
        self._stack.addWidget(library)
        self._stack.addWidget(viewer)
        header = QHBoxLayout()
        header.setContentsMargins(SPACE_S, 0, SPACE_S, 0)
        header.addWidget(self._tabs)
        header.addStretch()
        line = QFrame()
        line.setFixedHeight(1)
        set_role(line, "line")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._header = QWidget()
        self._header.setFixedHeight(48)  # as high as the chat's
        self._header.setLayout(header)
        layout.addWidget(self._header)
        layout.addWidget(line)
        layout.addWidget(self._stack, 1)
        library.open_document_requested.connect(self.open_document)
        viewer.closed.connect(self._on_viewer_closed)

    @property
    def shows_document(self) -> bool:
        """Whether the viewer is in front."""
        return self._tabs.currentIndex() == _DOCUMENT

    def show_library(self) -> None:
        """Bring the library to the front."""
        self._tabs.setCurrentIndex(_LIBRARY)

    def open_citation(self, citations: tuple[Citation, ...], index: int) -> None:
        """Show the place of a citation."""
        self._show_viewer()
        self.viewer.open_citation(citations, index)

    @Slot(int)
    def open_document(self, document_id: int) -> None:
        """Show a document from its beginning."""
        self._show_viewer()
        self.viewer.open_document(document_id)

    def focus_front(self) -> None:
        """Put the focus into what is in front."""
        front = self._stack.currentWidget()
        if front is not None and not _focus_first(front):
            self._tabs.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _show_viewer(self) -> None:
        self._tabs.setTabEnabled(_DOCUMENT, True)
        self._tabs.setCurrentIndex(_DOCUMENT)
        self.document_opened.emit()

    @Slot(int)
    def _on_tab_changed(self, index: int) -> None:
        self._stack.setCurrentIndex(index)

    @Slot()
    def _on_viewer_closed(self) -> None:
        self._tabs.setCurrentIndex(_LIBRARY)
        self._tabs.setTabEnabled(_DOCUMENT, False)
        self.document_closed.emit()


def _focus_first(widget: QWidget) -> bool:
    """Focus the first control of a widget in its tab order; False where it has none."""
    candidate = widget.nextInFocusChain()
    while candidate is not None and candidate is not widget:
        if (
            widget.isAncestorOf(candidate)
            and candidate.focusPolicy() & Qt.FocusPolicy.TabFocus
            and candidate.isVisibleTo(widget)
            and candidate.isEnabled()
        ):
            candidate.setFocus(Qt.FocusReason.ShortcutFocusReason)
            return True
        candidate = candidate.nextInFocusChain()
    return False
