"""Messages about conversations and answers."""

from dataclasses import dataclass
from typing import Any, ClassVar

from app.protocol.body import Body, Request
from app.protocol.search import EVERYTHING, Scope
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class Citation(Body):
    """A place in a document that supports part of an answer.

    Attributes:
        n: number of the passage in the conversation, as shown in `[n]`.
        quote: verbatim slice `[char_start, char_end)` of the document's stored text.
        verified: the slice is equal to the stored text and supports the sentence lexically.
        answer_start: the part of the answer it supports, code points, half-open.
    """

    n: int
    document_id: int
    path: str
    name: str
    page: int | None
    char_start: int
    char_end: int
    quote: str
    verified: bool
    answer_start: int
    answer_end: int


@dataclass(frozen=True, kw_only=True)
class AnswerStats(Body):
    """Figures of one answer; times in seconds.

    Attributes:
        n_shifted: oldest tokens that the model had to forget to go on writing.
        n_drafted, n_accepted: tokens guessed ahead, and those of them that were right.
        from_snapshot: the cached tokens were read back from the disk.
        seed: None for greedy answers.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_token_s: float | None = None
    tokens_per_s: float | None = None
    n_shifted: int = 0
    n_drafted: int = 0
    n_accepted: int = 0
    from_snapshot: bool = False
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class ImageAttachment(Body):
    """An image attached to a question, kept as `images/<sha256>`; its size is that of the upright image."""

    sha256: str
    name: str
    width: int
    height: int


NO_STATS = AnswerStats()


@dataclass(frozen=True, kw_only=True)
class ChatMessage(Body):
    """One message of a conversation.

    Attributes:
        role: `user` or `assistant`.
        kind: of an answer: `documents` (from passages), `not_found` (not in your documents), `general` (the
            model's own knowledge, marked as such); empty for the user's.
        state: `complete`, `streaming`, `stopped` (by the user), `interrupted` (crash or error; what came is
            kept) or `failed`.
        unsupported: ranges of the answer (code points) that no passage supports.
        error_message: in words, for `failed` and `interrupted`, and for `complete` where a limit cut the
            answer; with error_hint, the next step (which a `not_found` answer has without a message).
        images: attached to a question.
    """

    id: str
    parent_id: str | None
    role: str
    text: str
    created_at: float
    kind: str = ""
    state: str = "complete"
    model: str = ""
    citations: tuple[Citation, ...] = ()
    unsupported: tuple[tuple[int, int], ...] = ()
    stats: AnswerStats = NO_STATS
    error_code: str = ""
    error_message: str = ""
    error_hint: str = ""
    images: tuple[ImageAttachment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ConversationEntry(Body):
    """A conversation in the list."""

    id: str
    title: str
    created_at: float
    updated_at: float
    scope: Scope = EVERYTHING
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class ConversationList(Body):
    """Conversations, the most recently used first."""

    conversations: tuple[ConversationEntry, ...]


@dataclass(frozen=True, kw_only=True)
class ListConversations(Request[ConversationList]):
    """Ask for the conversations that are not in the trash."""

    TYPE: ClassVar[str] = "conversation.list"
    RESULT: ClassVar[type[Body]] = ConversationList


@dataclass(frozen=True, kw_only=True)
class CreateConversation(Request[ConversationEntry]):
    """Create a conversation; it is titled by its first question where `title` is empty."""

    TYPE: ClassVar[str] = "conversation.create"
    RESULT: ClassVar[type[Body]] = ConversationEntry
    title: str = ""
    scope: Scope = EVERYTHING
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class UpdateConversation(Request[ConversationEntry]):
    """Change what is not None; error `conversation.not_found`."""

    TYPE: ClassVar[str] = "conversation.update"
    RESULT: ClassVar[type[Body]] = ConversationEntry
    conversation_id: str
    title: str | None = None
    scope: Scope | None = None
    model: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeleteConversation(Request[Empty]):
    """Move a conversation to the trash."""

    TYPE: ClassVar[str] = "conversation.delete"
    RESULT: ClassVar[type[Body]] = Empty
    conversation_id: str


@dataclass(frozen=True, kw_only=True)
class RestoreConversation(Request[ConversationEntry]):
    """Take a conversation back out of the trash."""

    TYPE: ClassVar[str] = "conversation.restore"
    RESULT: ClassVar[type[Body]] = ConversationEntry
    conversation_id: str


@dataclass(frozen=True, kw_only=True)
class ConversationChanged(Body):
    """Event: a conversation appeared or changed; `deleted` means that it went to the trash."""

    TYPE: ClassVar[str] = "conversation.changed"
    conversation: ConversationEntry
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class Conversation(Body):
    """A conversation with the messages of its current branch, oldest first, and its unsent draft."""

    entry: ConversationEntry
    messages: tuple[ChatMessage, ...]
    draft: str = ""


@dataclass(frozen=True, kw_only=True)
class GetConversation(Request[Conversation]):
    """Ask for a conversation; error `conversation.not_found`."""

    TYPE: ClassVar[str] = "conversation.open"
    RESULT: ClassVar[type[Body]] = Conversation
    conversation_id: str


@dataclass(frozen=True, kw_only=True)
class SaveDraft(Request[Empty]):
    """Keep the unsent text of a conversation."""

    TYPE: ClassVar[str] = "conversation.save_draft"
    RESULT: ClassVar[type[Body]] = Empty
    conversation_id: str
    text: str


@dataclass(frozen=True, kw_only=True)
class AnswerStarted(Body):
    """Progress of Ask: both messages are stored; without `keep` they are not, the conversation has no id."""

    TYPE: ClassVar[str] = "answer.started"
    conversation: ConversationEntry
    question: ChatMessage
    answer: ChatMessage


@dataclass(frozen=True, kw_only=True)
class AnswerPhase(Body):
    """Progress of Ask.

    Attributes:
        phase: `waiting` (another answer is being written; detail says how many stand before), `searching`,
            `loading`, `reading` (the prompt) or `writing`.
        progress: 0 to 1 of the phase; None where unknown.
    """

    TYPE: ClassVar[str] = "answer.phase"
    phase: str
    detail: str = ""
    progress: float | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerToken(Body):
    """Progress of Ask: more text of the answer."""

    TYPE: ClassVar[str] = "answer.token"
    text: str


@dataclass(frozen=True, kw_only=True)
class AnswerKept(Body):
    """Progress of Ask, before `cancelled` or `error`: the partial answer as it was stored."""

    TYPE: ClassVar[str] = "answer.kept"
    answer: ChatMessage


@dataclass(frozen=True, kw_only=True)
class AnswerDone(Body):
    """The end of Ask.

    Attributes:
        found: the relevance gate's decision; False for general answers.
    """

    conversation_id: str
    answer: ChatMessage
    found: bool


@dataclass(frozen=True, kw_only=True)
class Ask(Request[AnswerDone]):
    """Ask a question; streams AnswerStarted, AnswerPhase, AnswerToken; cancelling keeps the partial answer.

    Errors: `model.none`, `model.not_found`, `conversation.not_found`, `collection.not_found`, `worker.died`,
    `image.not_found`, `image.too_many`, `model.no_images` and the inference worker's.

    Attributes:
        conversation_id: None starts a conversation; with `keep` False it is not stored (one-shot `ask`).
        collections: names; where empty, `scope` counts, or the conversation's own where that is None.
        use_documents: False asks the model alone (answers are marked general).
        model: name; empty for the conversation's or the default one.
        max_tokens: None for the setting.
        temperature: None for the setting.
        images: attached before with AttachImage.
        grammar: GBNF that the answer obeys; empty for none.
        json_schema: that the answer obeys; None for none. With either, documents are not cited inside it.
    """

    TYPE: ClassVar[str] = "chat.ask"
    RESULT: ClassVar[type[Body]] = AnswerDone
    question: str
    conversation_id: str | None = None
    keep: bool = True
    collections: tuple[str, ...] = ()
    scope: Scope | None = None
    use_documents: bool = True
    model: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    images: tuple[ImageAttachment, ...] = ()
    grammar: str = ""
    json_schema: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class AttachImage(Request[ImageAttachment]):
    """Keep an image for a question: the payload is the file. It is decoded in a confined process.

    Errors: `image.bad`, `image.too_large`. One that no question was asked about goes after a day.
    """

    TYPE: ClassVar[str] = "image.attach"
    RESULT: ClassVar[type[Body]] = ImageAttachment
    name: str


@dataclass(frozen=True, kw_only=True)
class ImageThumbnail(Body):
    """A small picture of an image; the payload is its pixels, RGB888, `width` × `height` × 3 bytes."""

    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class GetImage(Request[ImageThumbnail]):
    """Ask for the pixels of an attached image, no larger than `max_side` pixels either way.

    Errors: `image.not_found`, `image.bad`.
    """

    TYPE: ClassVar[str] = "image.get"
    RESULT: ClassVar[type[Body]] = ImageThumbnail
    sha256: str
    max_side: int = 512
