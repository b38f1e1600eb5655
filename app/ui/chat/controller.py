"""Drives the chat: opens conversations, asks, stops, keeps drafts; all of it through the session."""

import logging
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core.errors import AppError
from app.protocol.chat import (
    AnswerStarted,
    Ask,
    ChatMessage,
    Citation,
    ConversationChanged,
    ConversationEntry,
    CreateConversation,
    GetConversation,
    ImageAttachment,
    SaveDraft,
    UpdateConversation,
)
from app.protocol.library import CollectionList, ListCollections
from app.protocol.models import ListModels, ModelList, ModelsChanged
from app.protocol.search import Scope
from app.ui.chat.citation_times import CitationTimes
from app.ui.chat.draft_images import DraftImages
from app.ui.chat.live_answer import PROVISIONAL, LiveAnswer
from app.ui.chat.message_model import MessageModel
from app.ui.chat.model_loader import ModelLoader
from app.ui.chat.open_conversation import OpenConversation
from app.ui.chat.thumbnails import Thumbnails
from app.ui.notifier import Notifier
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

log = logging.getLogger(__name__)
DRAFT_DELAY_MS = 800


class ChatController(QObject):
    """Holds the open conversation and talks to the host about it.

    Signals:
        conversation_shown: OpenConversation: show its model, draft, scope and model name.
        entry_changed: ConversationEntry of the shown one: a new title, scope or model, or its first storing.
        busy_changed: bool: an answer of the shown conversation is being written.
        models_changed: ModelList.
        collections_changed: CollectionList.
        images_changed: an image of the shown conversation's unsent question came, went or got ready.
        cancellable_changed: whether `cancel_loading` would end a loading (bool).
        speed_measured: (tokens a second, whether the answer is still being written).
        answer_written: (ChatMessage of an answer, whether it belongs to the shown conversation): more of it
            came, or, where its state is another than `streaming`, it has ended.

    Attributes:
        loader: loads the chosen model ahead.
        thumbnails: of attached images.
        citation_times: of citations from recordings.
    """

    conversation_shown = Signal(object)
    entry_changed = Signal(object)
    busy_changed = Signal(bool)
    models_changed = Signal(object)
    collections_changed = Signal(object)
    images_changed = Signal()
    cancellable_changed = Signal(bool)
    speed_measured = Signal(float, bool)
    answer_written = Signal(object, bool)

    def __init__(
        self, session: Session, tasks: TaskSpawner, notifier: Notifier, parent: QObject | None = None
    ) -> None:
        """Start with a new conversation; nothing is asked of the host before it is connected."""
        super().__init__(parent)
        self._session, self._tasks, self._notifier = session, tasks, notifier
        self.loader = ModelLoader(session, tasks, notifier, self)
        self.thumbnails = Thumbnails(session, tasks, self)
        self.citation_times = CitationTimes(session, tasks, self)
        self._kept_images: dict[str, DraftImages] = {}
        self._wanted_model: str | None = None  # chosen while an answer was being written
        self._is_listing_fit = False
        self._current = self._new_conversation()
        self._writing: list[OpenConversation] = []
        self._wanted_id: str | None = None  # the last one asked for: a slower answer for another is dropped
        self._draft_timer = QTimer(self)
        self._draft_timer.setSingleShot(True)
        self._draft_timer.setInterval(DRAFT_DELAY_MS)
        self._draft_timer.timeout.connect(self._on_draft_due)
        self.loader.changed.connect(self._tell_cancellable)
        session.connected.connect(self._on_connected)
        session.conversation_changed.connect(self._on_conversation_changed)
        session.models_changed.connect(self._on_list_of_models_changed)

    @property
    def current(self) -> OpenConversation:
        """The conversation that is shown."""
        return self._current

    def new(self) -> None:
        """Show a new, empty conversation with the scope and model of the one before."""
        self._wanted_id = None
        before = self._current
        if before.entry is None and not before.model.rowCount():
            self._show(before)
            return
        self._save_draft_now()
        self._show(self._new_conversation(scope=before.scope, model_name=before.model_name))

    def _new_conversation(self, **stored: Any) -> OpenConversation:
        entry: ConversationEntry | None = stored.get("entry")
        images = self._kept_images.get(entry.id) if entry is not None else None
        if images is None:
            images = DraftImages(self._session, self._tasks, self)
            images.changed.connect(self._on_images_changed)
            images.refused.connect(self._notifier.report)
        return OpenConversation(MessageModel(self), images, **stored)

    def open(self, conversation_id: str) -> None:
        """Show a stored conversation."""
        if conversation_id == self._current.id:
            return
        self._save_draft_now()
        self._wanted_id = conversation_id
        for conversation in self._writing:
            if conversation.id == conversation_id:
                self._show(conversation)
                return
        self._tasks.spawn(self._load(conversation_id), "open conversation")

    def ask(
        self,
        question: str,
        *,
        use_documents: bool = True,
        images: tuple[ImageAttachment, ...] | None = None,
    ) -> None:
        """Ask in the shown conversation; nothing while an answer is being written.

        Args:
            question: its text.
            use_documents: False asks the model alone.
            images: that go along; None for those beside the unsent text, which are taken.
        """
        conversation = self._current
        if conversation.live is not None:
            return
        if images is None:
            images = conversation.images.attachments
            conversation.images.clear()
        self._draft_timer.stop()
        conversation.draft = ""
        if conversation.entry is None and conversation.creating.locked():
            # Its draft is just making it a stored conversation; asking now would make a second one.
            self._tasks.spawn(self._ask_when_created(conversation, question, use_documents, images), "ask")
            return
        request = Ask(
            question=question,
            conversation_id=conversation.id,
            scope=conversation.scope if conversation.id is None else None,
            model=conversation.model_name,
            use_documents=use_documents,
            images=images,
        )
        live = LiveAnswer(self._session, conversation.model, request, self)
        conversation.live = live
        self._writing.append(conversation)
        live.started.connect(self._on_answer_started)
        live.ended.connect(self._on_answer_ended)
        live.speed_measured.connect(self._on_speed_measured)
        live.written.connect(self._on_answer_written)
        live.loading_changed.connect(self._tell_cancellable)
        self.busy_changed.emit(True)
        self._tasks.spawn(live.run(), "answer")

    async def _ask_when_created(
        self,
        conversation: OpenConversation,
        question: str,
        use_documents: bool,
        images: tuple[ImageAttachment, ...],
    ) -> None:
        async with conversation.creating:
            pass
        if conversation is self._current:
            self.ask(question, use_documents=use_documents, images=images)

    def stop(self) -> None:
        """Stop the answer of the shown conversation."""
        if self._current.live is not None:
            self._current.live.stop()

    def retry(self, message_id: str, *, use_documents: bool | None = None) -> None:
        """Ask the question of an answer again; one that was never stored is taken away first.

        Args:
            message_id: of the answer.
            use_documents: False for general knowledge; None for what the answer was made from.
        """
        model = self._current.model
        number = model.find(message_id)
        if number is None or self._current.live is not None:
            return
        row = model.row(number)
        if message_id.startswith(PROVISIONAL) and row.message.parent_id:
            model.remove(message_id)
            model.remove(row.message.parent_id)
        if use_documents is None:
            use_documents = row.message.kind != "general"
        if row.question:
            self.ask(row.question, use_documents=use_documents, images=row.images)

    def citations_of(self, message_id: str) -> tuple[Citation, ...]:
        """Give the citations of a message that is shown."""
        number = self._current.model.find(message_id)
        return () if number is None else self._current.model.row(number).message.citations

    def edit_draft(self, text: str) -> None:
        """Keep the unsent text; it is stored DRAFT_DELAY_MS after the first change since the last storing."""
        self._current.draft = text
        if not self._draft_timer.isActive():
            self._draft_timer.start()

    def choose_scope(self, scope: Scope) -> None:
        """Let the shown conversation use other documents."""
        self._current.scope = scope
        if self._current.id is not None:
            request = UpdateConversation(conversation_id=self._current.id, scope=scope)
            self._tasks.spawn(self._session.call(request), "set scope")

    def choose_model(self, name: str) -> None:
        """Let another model answer in the shown conversation; it is loaded ahead.

        While an answer is being written it waits for the answer's end: the model in use is left alone.
        """
        self._current.model_name = name
        if self._current.id is not None:
            request = UpdateConversation(conversation_id=self._current.id, model=name)
            self._tasks.spawn(self._session.call(request), "set model")
        if self._writing:
            self._wanted_model = name
        else:
            self.loader.load(name)

    @Slot()
    def cancel_loading(self) -> None:
        """End the loading that the window asked for, or that the shown answer waits for."""
        if self.loader.is_loading:
            self.loader.cancel()
        elif self._current.live is not None and self._current.live.is_loading:
            self.stop()

    @Slot()
    def _tell_cancellable(self) -> None:
        live = self._current.live
        self.cancellable_changed.emit(self.loader.is_loading or (live is not None and live.is_loading))

    @Slot()
    def list_fit(self) -> None:
        """Ask for the models anew, with advice on which of them fit; `models_changed` follows."""
        if not self._is_listing_fit:
            self._is_listing_fit = True
            self._tasks.spawn(self._list_fit(), "list models with advice")

    async def _list_fit(self) -> None:
        try:
            self.models_changed.emit(await self._session.call(ListModels(with_fit=True)))
        except AppError as error:
            log.info("no advice on models: %s", error.code)  # the list is there without it
        finally:
            self._is_listing_fit = False

    async def close(self) -> None:
        """Store the draft before the window goes."""
        self._draft_timer.stop()
        if self._session.is_connected:
            await self._save_draft(self._current)

    def _show(self, conversation: OpenConversation) -> None:
        before, self._current = self._current, conversation
        if before.id is not None and before.images.items:
            self._kept_images[before.id] = before.images
        if conversation.id is not None:
            self._kept_images.pop(conversation.id, None)
        self.conversation_shown.emit(conversation)
        self.busy_changed.emit(conversation.live is not None)
        self._tell_cancellable()
        if before is not conversation:
            if before.live is None:
                before.model.deleteLater()
            if before not in self._writing:
                self._drop_images(before)

    def _drop_images(self, conversation: OpenConversation) -> None:
        """Let go of the images of a conversation that is left, unless some wait for its next question.

        Those of one that its draft is just making a stored one are kept by `_create`, which knows its id.
        """
        is_being_made = conversation.entry is None and bool(conversation.draft)
        if not is_being_made and conversation.images not in self._kept_images.values():
            conversation.images.clear()
            conversation.images.deleteLater()

    async def _load(self, conversation_id: str) -> None:
        stored = await self._session.call(GetConversation(conversation_id=conversation_id))
        if self._wanted_id != conversation_id:
            return
        entry = stored.entry
        conversation = self._new_conversation(
            entry=entry,
            draft=stored.draft,
            stored_draft=stored.draft,
            scope=entry.scope,
            model_name=entry.model,
        )
        conversation.model.reset(stored.messages)
        self._show(conversation)

    @Slot()
    def _on_connected(self) -> None:
        self._tasks.spawn(self._load_choices(), "load choices")
        if self._current.id is not None and self._current.live is None:
            # What is shown may be behind what the host stored while it, or we, were away.
            self._tasks.spawn(self._reload(self._current), "reload conversation")

    async def _load_choices(self) -> None:
        models: ModelList = await self._session.call(ListModels())
        self.models_changed.emit(models)
        collections: CollectionList = await self._session.call(ListCollections())
        self.collections_changed.emit(collections)

    async def _reload(self, conversation: OpenConversation) -> None:
        assert conversation.id is not None
        stored = await self._session.call(GetConversation(conversation_id=conversation.id))
        if conversation is self._current and conversation.live is None:
            conversation.model.update_all(stored.messages)

    @Slot(object)
    def _on_conversation_changed(self, change: ConversationChanged) -> None:
        if change.conversation.id != self._current.id:
            return
        if change.deleted:
            self._draft_timer.stop()
            self._show(self._new_conversation())
            return
        is_newer = change.conversation.updated_at > (self._current.entry or change.conversation).updated_at
        if is_newer and self._current.live is None:
            # Another front end may have asked here.
            self._tasks.spawn(self._reload(self._current), "reload conversation")
        self._current.entry = change.conversation
        self._current.scope = change.conversation.scope
        self._current.model_name = change.conversation.model
        self.entry_changed.emit(change.conversation)

    @Slot(object)
    def _on_answer_started(self, started: AnswerStarted) -> None:
        conversation = self._conversation_of(self.sender())
        if conversation is None:
            return
        conversation.entry = started.conversation
        conversation.stored_draft = ""  # the host clears the draft with the question that it stored
        if conversation is self._current:
            self.entry_changed.emit(started.conversation)

    @Slot(object)
    def _on_answer_ended(self, live: LiveAnswer) -> None:
        conversation = self._conversation_of(live)
        if conversation is None:
            return
        conversation.live = None
        self._writing.remove(conversation)
        self.answer_written.emit(_ended(live.message), conversation is self._current)
        self._tell_speed(conversation)
        if self._wanted_model is not None and not self._writing:
            wanted, self._wanted_model = self._wanted_model, None
            self.loader.load(wanted)
        if conversation is self._current:
            self.busy_changed.emit(False)
        else:
            conversation.model.deleteLater()
            self._drop_images(conversation)
        live.deleteLater()

    @Slot(object)
    def _on_answer_written(self, message: ChatMessage) -> None:
        conversation = self._conversation_of(self.sender())
        self.answer_written.emit(message, conversation is self._current)

    def _conversation_of(self, live: QObject) -> OpenConversation | None:
        return next((c for c in self._writing if c.live is live), None)

    def _tell_speed(self, conversation: OpenConversation) -> None:
        model = conversation.model
        speed = model.row(model.rowCount() - 1).message.stats.tokens_per_s if model.rowCount() else None
        if speed:
            self.speed_measured.emit(speed, False)

    @Slot(float)
    def _on_speed_measured(self, tokens_per_s: float) -> None:
        self.speed_measured.emit(tokens_per_s, True)

    @Slot()
    def _on_images_changed(self) -> None:
        if self.sender() is self._current.images:
            self.images_changed.emit()

    @Slot(object)
    def _on_list_of_models_changed(self, _event: ModelsChanged) -> None:
        self._tasks.spawn(self._load_models(), "load models")

    async def _load_models(self) -> None:
        self.models_changed.emit(await self._session.call(ListModels()))

    @Slot()
    def _on_draft_due(self) -> None:
        self._tasks.spawn(self._save_draft(self._current), "save draft")

    def _save_draft_now(self) -> None:
        self._draft_timer.stop()
        if self._current.draft != self._current.stored_draft:
            self._tasks.spawn(self._save_draft(self._current), "save draft")

    async def _save_draft(self, conversation: OpenConversation) -> None:
        """Store the draft; the first text of a new conversation stores that too."""
        async with conversation.creating:
            text = conversation.draft
            if text == conversation.stored_draft:
                return
            try:
                if conversation.entry is None:
                    await self._create(conversation)
                assert conversation.id is not None
                await self._session.call(SaveDraft(conversation_id=conversation.id, text=text))
                conversation.stored_draft = text
            except AppError as error:
                log.info("a draft could not be stored: %s", error.code)  # tried again with the next change

    async def _create(self, conversation: OpenConversation) -> None:
        request = CreateConversation(scope=conversation.scope, model=conversation.model_name)
        conversation.entry = replace(await self._session.call(request))
        if conversation is self._current:
            self.entry_changed.emit(conversation.entry)
        elif conversation.images.items:
            self._kept_images[conversation.entry.id] = conversation.images


def _ended(message: ChatMessage) -> ChatMessage:
    """Give an answer as ended, also where the host never said how."""
    return replace(message, state="interrupted") if message.state == "streaming" else message
