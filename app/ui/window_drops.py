"""What is dragged over the window: says what dropping will do, and does it."""

from PySide6.QtCore import QObject, QPoint, QRect, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from app.ui.chat.pane import ChatPane
from app.ui.drop_overlay import DropOverlay
from app.ui.intake import Intake, intake_of
from app.ui.intake_controller import IntakeController
from app.ui.library.pane import LibraryPane


class WindowDrops(QObject):
    """Takes drops for a window: images on the composer go to the question, all else to the library.

    While images are dragged, the composer stays uncovered and lights up under them.
    """

    def __init__(
        self,
        window: QWidget,
        chat: ChatPane,
        library: LibraryPane,
        intake: IntakeController,
        overlay: DropOverlay,
    ) -> None:
        """Serve `window`, which passes its drag events on."""
        super().__init__(window)
        self._window, self._chat, self._library = window, chat, library
        self._intake, self._overlay = intake, overlay
        self._dragged = Intake()

    def enter(self, event: QDragEnterEvent) -> None:
        """Say what dropping will do; what is dragged inside the window is left alone."""
        if event.source() is not None:
            return
        self._dragged = intake_of(event.mimeData())
        self._tell(event.position().toPoint())
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def move(self, event: QDragMoveEvent) -> None:
        """Accept everywhere; over the composer images are meant for the question."""
        if self._dragged.images:
            self._tell(event.position().toPoint())
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def leave(self) -> None:
        """Take the words away."""
        self._overlay.hide()
        self._chat.composer.mark_drop_target(False)
        self._dragged = Intake()

    def drop(self, event: QDropEvent) -> None:
        """Take what was dropped."""
        intake = intake_of(event.mimeData())
        is_for_question = bool(intake.images) and self._is_over_composer(event.position().toPoint())
        self.leave()
        if is_for_question:
            self._chat.take_files(list(intake.paths))
            self._intake.tell_refused(intake.n_refused, any_added=True)
            event.acceptProposedAction()
        elif self._intake.take(event.mimeData()):
            event.acceptProposedAction()

    def _is_over_composer(self, place: QPoint) -> bool:
        return self._chat.is_over_composer(self._window.mapToGlobal(place))

    def _tell(self, place: QPoint) -> None:
        for_question = bool(self._dragged.images) and self._is_over_composer(place)
        self._chat.composer.mark_drop_target(for_question)
        collection = self._library.collections.current()
        name = collection.name if collection else ""
        self._overlay.show_intake(self._dragged, name, self._hole(), for_question=for_question)

    def _hole(self) -> QRect:
        """Give the composer's place in the overlay's parent, which images leave uncovered."""
        parent = self._overlay.parentWidget()
        composer = self._chat.composer
        if not self._dragged.images or parent is None or not composer.isVisible():
            return QRect()
        return QRect(composer.mapTo(parent, QPoint(0, 0)), composer.size()).adjusted(-4, -4, 4, 4)
