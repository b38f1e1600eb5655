"""The middle of the window: title, messages or the first steps, and the composer."""

from PySide6.QtCore import QPoint, QSize, Qt, Signal, SignalInstance, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from app.protocol.chat import ConversationEntry
from app.protocol.library import CollectionList, CollectionsChanged, LibraryStatus
from app.protocol.models import ModelChanged, ModelList
from app.protocol.search import Scope
from app.ui.chat.choosers import ScopeChooser
from app.ui.chat.composer import Composer
from app.ui.chat.controller import ChatController
from app.ui.chat.empty_state import EmptyState
from app.ui.chat.image_files import is_image
from app.ui.chat.image_notice import ImageNotice
from app.ui.chat.message_list import MessageList
from app.ui.chat.message_model import MessageModel
from app.ui.chat.message_widgets import MAX_CONTENT_WIDTH
from app.ui.chat.model_chooser import ModelChooser
from app.ui.chat.open_conversation import OpenConversation
from app.ui.elements.elided_label import ElidedLabel
from app.ui.icons import bind_icon
from app.ui.session import Session
from app.ui.theme import Theme, set_role
from app.ui.tokens import CONTROL_HEIGHT, SPACE_L, SPACE_M, SPACE_S

_LEAST_PAGE_HEIGHT = 120


class ChatPane(QFrame):
    """Shows the open conversation; wishes go to the controller, or up as signals where they concern others.

    Signals:
        citation_opened: (tuple of Citation, index).
        link_activated: address (str), not opened yet.
        files_pasted: local paths (list of str).
        add_files_requested, add_folder_requested, sample_requested: to the window.
        images_requested: the user wants to choose images for the question.
        image_opened: ImageAttachment to be shown larger.
        models_requested: show the installed models.
        catalogue_requested: show the models that can be fetched.
    """

    citation_opened = Signal(object, int)
    link_activated = Signal(str)
    files_pasted = Signal(list)
    add_files_requested = Signal()
    add_folder_requested = Signal()
    sample_requested = Signal()
    images_requested = Signal()
    image_opened = Signal(object)
    models_requested = Signal()
    catalogue_requested = Signal()

    def __init__(
        self, controller: ChatController, session: Session, theme: Theme, parent: QWidget | None = None
    ) -> None:
        """Show the controller's conversation."""
        super().__init__(parent)
        set_role(self, "surface")
        self._controller, self._theme = controller, theme
        self._title = ElidedLabel()
        set_role(self._title, "heading")
        self.left_button = self._header_button("sidebar-left", self.tr("Show or hide the conversations"))
        self.right_button = self._header_button("sidebar-right", self.tr("Show or hide the library"))
        self.menu_button = self._header_button("more", self.tr("Menu"))
        self.messages = MessageList(theme, thumbnails=controller.thumbnails, times=controller.citation_times)
        self.empty = EmptyState(theme)
        self._stack = _Pages()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.messages)
        self.composer = Composer(theme, controller.thumbnails)
        self.models = ModelChooser(theme)
        self.scopes = ScopeChooser(theme)
        self.composer.add_chooser(self.models)
        self.composer.add_chooser(self.scopes)
        self._image_notice = ImageNotice(controller, self.models, self.composer)
        self._lay_out()
        self._connect_parts()
        for signal in _row_signals(self.messages.model):
            signal.connect(self._on_rows_changed)
        self._connect_controller(controller, session)
        self._show_conversation(controller.current)

    def _header_button(self, name: str, words: str) -> QToolButton:
        button = QToolButton()
        button.setFixedSize(QSize(CONTROL_HEIGHT, CONTROL_HEIGHT))
        button.setToolTip(words)
        button.setAccessibleName(words)
        bind_icon(button, name, self._theme)
        return button

    def _lay_out(self) -> None:
        header = QHBoxLayout()
        header.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        header.setSpacing(SPACE_S)
        header.addWidget(self.left_button)
        header.addWidget(self._title, 1)
        header.addWidget(self.menu_button)
        header.addWidget(self.right_button)
        line = QFrame()
        line.setFixedHeight(1)
        set_role(line, "line")
        self._above_composer = QVBoxLayout()
        self._above_composer.setContentsMargins(SPACE_L, 0, SPACE_L, 0)
        foot = QHBoxLayout()
        foot.setContentsMargins(SPACE_L, SPACE_S, SPACE_L, SPACE_M)
        self.composer.setMaximumWidth(MAX_CONTENT_WIDTH)
        foot.addStretch(1)
        foot.addWidget(self.composer, 1000)
        foot.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(header)
        layout.addWidget(line)
        layout.addWidget(self._stack, 1)
        layout.addLayout(self._above_composer)
        layout.addLayout(foot)

    def add_above_composer(self, widget: QWidget) -> None:
        """Put a strip between the messages and the composer, as wide as that."""
        widget.setMaximumWidth(MAX_CONTENT_WIDTH)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(widget, 1000)
        row.addStretch(1)
        self._above_composer.addLayout(row)

    def _connect_parts(self) -> None:
        self.messages.citation_activated.connect(self._on_citation_activated)
        self.messages.link_activated.connect(self.link_activated)
        self.messages.retry_requested.connect(self._on_retry_requested)
        self.messages.general_requested.connect(self._on_general_requested)
        self.empty.add_files_requested.connect(self.add_files_requested)
        self.empty.add_folder_requested.connect(self.add_folder_requested)
        self.empty.sample_requested.connect(self._on_sample_requested)
        self.empty.question_chosen.connect(self._on_send_requested)
        self.empty.models_requested.connect(self.catalogue_requested)
        self.messages.image_opened.connect(self.image_opened)
        self.messages.models_requested.connect(self.catalogue_requested)
        self.composer.images_requested.connect(self.images_requested)
        self.composer.image_opened.connect(self.image_opened)
        self.composer.send_requested.connect(self._on_send_requested)
        self.composer.stop_requested.connect(self.stop)
        self.composer.text_edited.connect(self._on_text_edited)
        self.composer.files_pasted.connect(self.take_files)
        self.composer.attach_requested.connect(self.add_files_requested)
        self.models.model_chosen.connect(self._on_model_chosen)
        self.models.manage_requested.connect(self.models_requested)
        self.models.fit_wanted.connect(self._controller.list_fit)
        self.models.cancel_requested.connect(self._controller.cancel_loading)
        self._image_notice.library_wanted.connect(self.files_pasted)
        self._image_notice.models_requested.connect(self.catalogue_requested)
        self.scopes.scope_chosen.connect(self._on_scope_chosen)

    def _connect_controller(self, controller: ChatController, session: Session) -> None:
        controller.conversation_shown.connect(self._show_conversation)
        controller.entry_changed.connect(self._on_entry_changed)
        controller.busy_changed.connect(self._on_busy_changed)
        controller.models_changed.connect(self._on_models_changed)
        controller.collections_changed.connect(self._on_collections_changed)
        controller.loader.changed.connect(self._on_loading_changed)
        session.collections_changed.connect(self._on_collections_changed)
        session.model_changed.connect(self._on_model_changed)
        session.library_status_changed.connect(self.show_library_status)

    @Slot()
    def stop(self) -> None:
        """Stop the answer that is being written."""
        self._controller.stop()

    @Slot(object)
    def show_library_status(self, status: LibraryStatus) -> None:
        """Fit the first steps to the library."""
        self.empty.show_status(status)

    def attach_images(self, paths: list[str]) -> None:
        """Attach image files to the question that is being written."""
        self._controller.current.images.add_files(paths)
        self.focus_composer()

    @Slot(list)
    def take_files(self, paths: list[str]) -> None:
        """Take files that were pasted or dropped at the composer: images for the question, others on."""
        images = [path for path in paths if is_image(path)]
        others = [path for path in paths if not is_image(path)]
        if images:
            self.attach_images(images)
        if others:
            self.files_pasted.emit(others)

    def is_over_composer(self, place: QPoint) -> bool:
        """Tell whether a place of the screen is on the composer."""
        return self.composer.rect().contains(self.composer.mapFromGlobal(place))

    def focus_composer(self) -> None:
        """Put the cursor into the composer."""
        self.composer.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def suggest(self, question: str) -> None:
        """Put a question into the composer of a conversation without messages; what the user typed stays."""
        if self._controller.current.model.rowCount():
            self._controller.new()
        if not self.composer.text().strip():
            self.composer.set_text(question)
            self._controller.edit_draft(question)
        self.focus_composer()

    @Slot(object)
    def _show_conversation(self, conversation: OpenConversation) -> None:
        for signal in _row_signals(self.messages.model):
            signal.disconnect(self._on_rows_changed)
        self.messages.set_model(conversation.model)
        for signal in _row_signals(conversation.model):
            signal.connect(self._on_rows_changed)
        self.composer.set_text(conversation.draft)
        self.models.set_current(conversation.model_name)
        self.scopes.set_scope(conversation.scope)
        self._show_title(conversation.entry)
        self._image_notice.refresh()
        self._on_rows_changed()

    def _show_title(self, entry: ConversationEntry | None) -> None:
        words = entry.title if entry is not None and entry.title else self.tr("New conversation")
        self._title.set_full_text(words)

    @Slot()
    def _on_rows_changed(self) -> None:
        has_messages = self._controller.current.model.rowCount() > 0
        self._stack.setCurrentWidget(self.messages if has_messages else self.empty)

    @Slot(object)
    def _on_entry_changed(self, entry: ConversationEntry) -> None:
        self._show_title(entry)
        self.models.set_current(entry.model)
        self.scopes.set_scope(entry.scope)
        self._image_notice.refresh()

    @Slot(bool)
    def _on_busy_changed(self, busy: bool) -> None:
        self.composer.set_busy(busy)

    @Slot(object)
    def _on_models_changed(self, models: ModelList) -> None:
        self.models.set_models(models)
        self.empty.show_models(has_models=self.models.has_models)
        self._image_notice.refresh()

    @Slot(object)
    def _on_model_changed(self, change: ModelChanged) -> None:
        self.models.apply_change(change)
        self.empty.show_models(has_models=self.models.has_models)

    @Slot(str)
    def _on_loading_changed(self, name: str) -> None:
        self.models.set_loading(name)

    @Slot(object)
    def _on_collections_changed(self, collections: CollectionList | CollectionsChanged) -> None:
        self.scopes.set_collections(collections.collections)

    @Slot(str, int)
    def _on_citation_activated(self, message_id: str, index: int) -> None:
        citations = self._controller.citations_of(message_id)
        if index < len(citations):
            self.citation_opened.emit(citations, index)

    @Slot(str)
    def _on_retry_requested(self, message_id: str) -> None:
        self._controller.retry(message_id)

    @Slot(str)
    def _on_general_requested(self, message_id: str) -> None:
        self._controller.retry(message_id, use_documents=False)

    @Slot()
    def _on_sample_requested(self) -> None:
        self.empty.suggest_questions(
            (
                self.tr("Which kinds of files can it read?"),
                self.tr("Where do my files go when I add them?"),
                self.tr("What happens if my documents do not hold the answer?"),
            )
        )
        self.sample_requested.emit()

    @Slot(str)
    def _on_send_requested(self, question: str) -> None:
        if self._controller.current.live is None:
            self.composer.set_text("")
            self._controller.ask(question)

    @Slot(str)
    def _on_text_edited(self, text: str) -> None:
        self._controller.edit_draft(text)

    @Slot(str)
    def _on_model_chosen(self, name: str) -> None:
        self._controller.choose_model(name)
        self._image_notice.refresh()

    @Slot(object)
    def _on_scope_chosen(self, scope: Scope) -> None:
        self._controller.choose_scope(scope)


class _Pages(QStackedWidget):
    """Gives way to the composer: what a page that is not shown would need must not cut that off."""

    # Qt overrides

    def hasHeightForWidth(self) -> bool:
        """Take what is left."""
        return False

    def minimumSizeHint(self) -> QSize:
        """Ask for a few lines."""
        return QSize(super().minimumSizeHint().width(), _LEAST_PAGE_HEIGHT)


def _row_signals(model: MessageModel) -> tuple[SignalInstance, ...]:
    return model.rowsInserted, model.rowsRemoved, model.modelReset
