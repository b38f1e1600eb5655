"""What `chats.db` holds: conversations, their messages, citations and passages. One thread uses it."""

import json
import time
import uuid
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import apsw

from app.core.conversations import State, branch
from app.core.errors import NotFoundError
from app.core.prompting import Passage
from app.core.titles import title_of
from app.host.services.chat_database import back_up, in_words, is_backup_due, open_database
from app.host.services.chat_rows import (
    INSERT_CITATION,
    INSERT_CONVERSATION,
    INSERT_IMAGE,
    INSERT_PASSAGE,
    SELECT_CITATIONS_OF_CONVERSATION,
    SELECT_ENTRIES,
    SELECT_IMAGES_OF_CONVERSATION,
    SELECT_MESSAGES,
    SELECT_PASSAGES,
    SELECT_TURNS,
    StoredTurn,
    citation_of,
    citation_values,
    entry_of,
    message_of,
    passage_values,
    scope_values,
    storable,
    turn_of,
)
from app.host.services.chat_schema import MIGRATIONS
from app.protocol.chat import (
    ChatMessage,
    Citation,
    Conversation,
    ConversationEntry,
    CreateConversation,
    ImageAttachment,
    UpdateConversation,
)
from app.protocol.system import Notice

TRASH_KEPT_S = 30 * 24 * 3600.0
_INTERRUPTED = "The program ended while this answer was being written. What had come is kept."


@dataclass(frozen=True)
class History:
    """What an answer needs of its conversation.

    Attributes:
        turns: of the branch, oldest first, without the question that is being answered.
        passages: every passage of the conversation, by number.
    """

    turns: tuple[StoredTurn, ...] = ()
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class PromptRecord:
    """How a question went to the model, to be kept.

    Attributes:
        passages: those that are new to the conversation.
        standing: numbers of those written out in `content`.
    """

    query: str
    content: str = ""
    window_start: str = ""
    passages: tuple[Passage, ...] = field(default=())
    standing: tuple[int, ...] = ()


class ChatStore:
    """The open database. Every method belongs to one thread and raises StorageError where the disk fails.

    Attributes:
        notice: what the user must know of how the file was opened.
        forgotten: conversations that left the trash for good when it was.
    """

    def __init__(self, path: Path, backups_dir: Path) -> None:
        """Open the file; answers that a crash cut off become `interrupted`, old trash goes."""
        opened = open_database(path, backups_dir, MIGRATIONS)
        self.notice: Notice | None = opened.notice
        self._db = opened.connection
        self._backups_dir = backups_dir
        with in_words(), self._db:
            self._db.execute(
                "UPDATE messages SET state = 'interrupted', error_code = 'answer.interrupted',"
                " error_message = ?, error_hint = ? WHERE state = 'streaming'",
                (_INTERRUPTED, "Ask again to get the whole answer."),
            )
            self.forgotten = tuple(
                row[0]
                for row in self._db.execute(
                    "DELETE FROM conversations WHERE deleted_at < ? RETURNING id",
                    (time.time() - TRASH_KEPT_S,),
                )
            )

    @property
    def connection(self) -> apsw.Connection:
        """For the doctor's checks."""
        return self._db

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def back_up_if_due(self) -> None:
        """Make the daily copy."""
        with in_words():
            if is_backup_due(self._backups_dir):
                back_up(self._db, self._backups_dir)

    # ------------------------------------------------------------------------------------ conversations

    def list_entries(self) -> tuple[ConversationEntry, ...]:
        """Give the conversations that are not in the trash, the most recently used first."""
        rows = self._rows(SELECT_ENTRIES + " WHERE deleted_at IS NULL ORDER BY updated_at DESC, id")
        return tuple(entry_of(row) for row in rows)

    def create(self, request: CreateConversation) -> ConversationEntry:
        """Create a conversation."""
        now = time.time()
        entry = ConversationEntry(
            id=uuid.uuid4().hex,
            title=title_of(request.title),
            created_at=now,
            updated_at=now,
            scope=request.scope,
            model=storable(request.model),
        )
        values = (entry.id, storable(entry.title), now, now, *scope_values(entry.scope), entry.model)
        with in_words(), self._db:
            self._db.execute(INSERT_CONVERSATION, values)
        return entry

    def entry(self, conversation_id: str) -> ConversationEntry:
        """Give a conversation, also one in the trash; raises NotFoundError."""
        rows = self._rows(SELECT_ENTRIES + " WHERE id = ?", conversation_id)
        if not rows:
            raise NotFoundError(
                "conversation.not_found",
                "This conversation does not exist any more.",
                "Choose another one or start a new one.",
            )
        return entry_of(rows[0])

    def update(self, request: UpdateConversation) -> ConversationEntry:
        """Change what is not None; raises NotFoundError."""
        entry = self.entry(request.conversation_id)
        changed = replace(
            entry,
            title=entry.title if request.title is None else title_of(request.title) or entry.title,
            scope=entry.scope if request.scope is None else request.scope,
            model=entry.model if request.model is None else request.model,
        )
        values = (
            storable(changed.title),
            *scope_values(changed.scope),
            storable(changed.model),
            changed.id,
        )
        with in_words(), self._db:
            self._db.execute(
                "UPDATE conversations SET title = ?, scope_kind = ?, scope_collections = ?, model = ?"
                " WHERE id = ?",
                values,
            )
        return changed

    def trash(self, conversation_id: str) -> ConversationEntry:
        """Move a conversation to the trash; raises NotFoundError."""
        return self._set_deleted(conversation_id, time.time())

    def restore(self, conversation_id: str) -> ConversationEntry:
        """Take a conversation out of the trash; raises NotFoundError."""
        return self._set_deleted(conversation_id, None)

    def _set_deleted(self, conversation_id: str, when: float | None) -> ConversationEntry:
        entry = self.entry(conversation_id)
        with in_words(), self._db:
            self._db.execute("UPDATE conversations SET deleted_at = ? WHERE id = ?", (when, conversation_id))
        return entry

    def save_draft(self, conversation_id: str, text: str) -> None:
        """Keep the unsent text; raises NotFoundError."""
        self.entry(conversation_id)
        with in_words(), self._db:
            self._db.execute(
                "UPDATE conversations SET draft = ? WHERE id = ?", (storable(text), conversation_id)
            )

    def conversation(self, conversation_id: str) -> Conversation:
        """Give a conversation with its current branch; raises NotFoundError."""
        entry = self.entry(conversation_id)
        ((leaf_id, draft),) = self._rows(
            "SELECT leaf_id, draft FROM conversations WHERE id = ?", conversation_id
        )
        messages = self._messages(conversation_id)
        ids = branch({message.id: message.parent_id for message in messages.values()}, leaf_id)
        return Conversation(entry=entry, messages=tuple(messages[i] for i in ids), draft=draft)

    def _messages(self, conversation_id: str) -> dict[str, ChatMessage]:
        citations: dict[str, list[Citation]] = {}
        for message_id, *values in self._rows(SELECT_CITATIONS_OF_CONVERSATION, conversation_id):
            citations.setdefault(message_id, []).append(citation_of(values))
        images = self._images(conversation_id)
        rows = self._rows(SELECT_MESSAGES + " WHERE conversation_id = ?", conversation_id)
        return {
            row[0]: message_of(row, tuple(citations.get(row[0], ())), tuple(images.get(row[0], ())))
            for row in rows
        }

    def _images(self, conversation_id: str) -> dict[str, list[ImageAttachment]]:
        images: dict[str, list[ImageAttachment]] = {}
        for message_id, sha256, name, width, height in self._rows(
            SELECT_IMAGES_OF_CONVERSATION, conversation_id
        ):
            image = ImageAttachment(sha256=sha256, name=name, width=width, height=height)
            images.setdefault(message_id, []).append(image)
        return images

    def image_digests(self) -> frozenset[str]:
        """Give the sha256 of every image that a message names, also in the trash."""
        return frozenset(row[0] for row in self._rows("SELECT DISTINCT sha256 FROM message_images"))

    # ------------------------------------------------------------------------------------ answers

    def begin(
        self, conversation_id: str, question: str, model: str, images: tuple[ImageAttachment, ...] = ()
    ) -> tuple[ConversationEntry, ChatMessage, ChatMessage]:
        """Append a question and its still empty answer to the current branch; raises NotFoundError.

        A conversation without title gets the question's; a draft that was this question goes.
        """
        entry = self.entry(conversation_id)
        ((leaf_id, draft),) = self._rows(
            "SELECT leaf_id, draft FROM conversations WHERE id = ?", conversation_id
        )
        asked, answer = new_turn(question, leaf_id, model, images)
        entry = replace(entry, title=entry.title or title_of(question), updated_at=asked.created_at)
        with in_words(), self._db:
            for message in (asked, answer):
                self._insert(conversation_id, message)
            self._db.execute(
                "UPDATE conversations SET title = ?, updated_at = ?, leaf_id = ?, draft = ?,"
                " deleted_at = NULL WHERE id = ?",
                (
                    storable(entry.title),
                    entry.updated_at,
                    answer.id,
                    "" if draft.strip() == question.strip() else draft,
                    conversation_id,
                ),
            )
        return entry, asked, answer

    def _insert(self, conversation_id: str, message: ChatMessage) -> None:
        self._db.execute(
            "INSERT INTO messages (id, conversation_id, parent_id, role, text, created_at, state, model)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.id,
                conversation_id,
                message.parent_id,
                message.role,
                storable(message.text),
                message.created_at,
                message.state,
                storable(message.model),
            ),
        )
        self._db.executemany(
            INSERT_IMAGE,
            [
                (message.id, position, image.sha256, storable(image.name), image.width, image.height)
                for position, image in enumerate(message.images)
            ],
        )

    def history(self, conversation_id: str, question_id: str) -> History:
        """Give the turns before a question and the passages of its conversation."""
        rows = self._rows(SELECT_TURNS + " WHERE conversation_id = ?", conversation_id)
        messages = {row[0]: row for row in rows}
        ids = branch({row[0]: row[1] for row in rows}, question_id)[:-1]
        standing: dict[str, list[int]] = {}
        for message_id, n in self._rows(
            "SELECT question_id, n FROM passage_turns WHERE question_id IN"
            " (SELECT id FROM messages WHERE conversation_id = ?) ORDER BY n",
            conversation_id,
        ):
            standing.setdefault(message_id, []).append(n)
        images = self._images(conversation_id)
        turns = [
            turn_of(
                messages[asked],
                messages[answer],
                tuple(standing.get(asked, ())),
                tuple(images.get(asked, ())),
            )
            for asked, answer in zip(ids[::2], ids[1::2], strict=False)
        ]
        return History(tuple(turns), self.passages(conversation_id))

    def passages(self, conversation_id: str) -> tuple[Passage, ...]:
        """Give every passage of a conversation, by number."""
        rows = self._rows(SELECT_PASSAGES + " WHERE conversation_id = ? ORDER BY n", conversation_id)
        return tuple(Passage(*row) for row in rows)

    def save_prompt(self, conversation_id: str, question_id: str, record: PromptRecord) -> None:
        """Keep how a question goes to the model, before it does."""
        with in_words(), self._db:
            self._db.execute(
                "UPDATE messages SET query = ?, prompt = ?, window_start = ? WHERE id = ?",
                (storable(record.query), storable(record.content), record.window_start, question_id),
            )
            self._db.executemany(
                INSERT_PASSAGE,
                [(conversation_id, *passage_values(passage)) for passage in record.passages],
            )
            self._db.executemany(
                "INSERT INTO passage_turns (question_id, n) VALUES (?, ?)",
                [(question_id, n) for n in record.standing],
            )

    def save_partial(self, answer: ChatMessage) -> None:
        """Keep what has come of an answer so far."""
        text = storable(answer.text)
        with in_words(), self._db:
            self._db.execute(
                "UPDATE messages SET text = ?, prompt = ?, kind = ?, model = ?"
                " WHERE id = ? AND state = 'streaming'",
                (text, text, answer.kind, storable(answer.model), answer.id),
            )

    def finish(self, answer: ChatMessage, reply: str) -> None:
        """Keep an answer in its final form.

        Args:
            answer: as it is shown.
            reply: what the model wrote, untouched, for later prompts.
        """
        with in_words(), self._db:
            self._db.execute(
                "UPDATE messages SET text = ?, kind = ?, state = ?, model = ?, unsupported = ?, stats = ?,"
                " error_code = ?, error_message = ?, error_hint = ?, prompt = ? WHERE id = ?",
                (
                    storable(answer.text),
                    answer.kind,
                    answer.state,
                    storable(answer.model),
                    json.dumps(answer.unsupported),
                    json.dumps(asdict(answer.stats)),
                    answer.error_code,
                    storable(answer.error_message),
                    storable(answer.error_hint),
                    storable(reply),
                    answer.id,
                ),
            )
            self._db.execute("DELETE FROM citations WHERE message_id = ?", (answer.id,))
            self._db.executemany(
                INSERT_CITATION,
                [
                    (answer.id, position, *citation_values(citation))
                    for position, citation in enumerate(answer.citations)
                ],
            )

    def _rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with in_words():
            return list(self._db.execute(sql, arguments))


def new_turn(
    question: str, parent_id: str | None, model: str, images: tuple[ImageAttachment, ...] = ()
) -> tuple[ChatMessage, ChatMessage]:
    """Make a question with its images, and its still empty answer."""
    now = time.time()
    asked = ChatMessage(
        id=uuid.uuid4().hex, parent_id=parent_id, role="user", text=question, created_at=now, images=images
    )
    answer = ChatMessage(
        id=uuid.uuid4().hex,
        parent_id=asked.id,
        role="assistant",
        text="",
        created_at=now,
        state=State.STREAMING.value,
        model=model,
    )
    return asked, answer
