"""Rows of `chats.db` as values, and back."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.core.conversations import PromptTurn
from app.core.prompting import Passage
from app.protocol.chat import AnswerStats, ChatMessage, Citation, ConversationEntry, ImageAttachment
from app.protocol.search import Scope

SELECT_ENTRIES = (
    "SELECT id, title, created_at, updated_at, scope_kind, scope_collections, model FROM conversations"
)
INSERT_CONVERSATION = (
    "INSERT INTO conversations (id, title, created_at, updated_at, scope_kind, scope_collections, model)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
SELECT_PASSAGES = "SELECT n, document_id, path, name, heading, page, char_start, char_end, text FROM passages"
INSERT_PASSAGE = (
    "INSERT INTO passages (conversation_id, n, document_id, path, name, heading, page, char_start, char_end,"
    " text, text_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SELECT_MESSAGES = (
    "SELECT id, parent_id, role, text, created_at, kind, state, model, unsupported, stats, error_code,"
    " error_message, error_hint FROM messages"
)
SELECT_TURNS = "SELECT id, parent_id, role, text, query, prompt, window_start FROM messages"
SELECT_CITATIONS_OF_CONVERSATION = (
    "SELECT message_id, n, document_id, path, name, page, char_start, char_end, quote, verified,"
    " answer_start, answer_end FROM citations WHERE message_id IN"
    " (SELECT id FROM messages WHERE conversation_id = ?) ORDER BY message_id, position"
)
SELECT_IMAGES_OF_CONVERSATION = (
    "SELECT message_id, sha256, name, width, height FROM message_images WHERE message_id IN"
    " (SELECT id FROM messages WHERE conversation_id = ?) ORDER BY message_id, position"
)
INSERT_IMAGE = (
    "INSERT INTO message_images (message_id, position, sha256, name, width, height) VALUES (?, ?, ?, ?, ?, ?)"
)
INSERT_CITATION = (
    "INSERT INTO citations (message_id, position, n, document_id, path, name, page, char_start, char_end,"
    " quote, verified, answer_start, answer_end) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class StoredTurn:
    """An earlier question with its answer.

    Attributes:
        query: the question as it was searched for.
        answer: its final text.
    """

    query: str
    answer: str
    prompt: PromptTurn


def storable(text: str) -> str:
    """Replace what UTF-8 cannot hold (undecodable bytes of a file name); the length stays."""
    return text.encode("utf-8", "replace").decode("utf-8")


def scope_values(scope: Scope) -> tuple[str, str]:
    """Give the two columns of a scope."""
    return scope.kind, json.dumps(scope.collection_ids)


def entry_of(row: tuple[Any, ...]) -> ConversationEntry:
    """Read a row of SELECT_ENTRIES."""
    conversation_id, title, created_at, updated_at, kind, collections, model = row
    return ConversationEntry(
        id=conversation_id,
        title=title,
        created_at=created_at,
        updated_at=updated_at,
        scope=Scope(kind=kind, collection_ids=tuple(json.loads(collections))),
        model=model,
    )


def message_of(
    row: tuple[Any, ...], citations: tuple[Citation, ...], images: tuple[ImageAttachment, ...]
) -> ChatMessage:
    """Read a row of SELECT_MESSAGES."""
    return ChatMessage(
        id=row[0],
        parent_id=row[1],
        role=row[2],
        text=row[3],
        created_at=row[4],
        kind=row[5],
        state=row[6],
        model=row[7],
        citations=citations,
        unsupported=tuple((start, end) for start, end in json.loads(row[8])),
        stats=AnswerStats(**json.loads(row[9])),
        error_code=row[10],
        error_message=row[11],
        error_hint=row[12],
        images=images,
    )


def turn_of(
    asked: tuple[Any, ...],
    answer: tuple[Any, ...],
    standing: tuple[int, ...],
    images: tuple[ImageAttachment, ...],
) -> StoredTurn:
    """Read a question and its answer from rows of SELECT_TURNS."""
    question_id, _, _, question, query, prompt, window_start = asked
    return StoredTurn(
        query=query or question,
        answer=answer[3],
        prompt=PromptTurn(
            question_id, prompt, answer[5], standing, window_start, tuple(image.sha256 for image in images)
        ),
    )


def passage_values(passage: Passage) -> tuple[Any, ...]:
    """Give the columns of a passage, without its conversation."""
    return (
        passage.n,
        passage.document_id,
        storable(passage.path),
        storable(passage.name),
        storable(passage.heading),
        passage.page,
        passage.char_start,
        passage.char_end,
        storable(passage.text),
        hashlib.sha256(storable(passage.text).encode()).hexdigest(),
    )


def citation_of(values: Iterable[Any]) -> Citation:
    """Read the columns of a citation, without message and position."""
    n, document_id, path, name, page, start, end, quote, verified, answer_start, answer_end = values
    return Citation(
        n=n,
        document_id=document_id,
        path=path,
        name=name,
        page=page,
        char_start=start,
        char_end=end,
        quote=quote,
        verified=bool(verified),
        answer_start=answer_start,
        answer_end=answer_end,
    )


def citation_values(citation: Citation) -> tuple[Any, ...]:
    """Give the columns of a citation, without message and position."""
    return (
        citation.n,
        citation.document_id,
        storable(citation.path),
        storable(citation.name),
        citation.page,
        citation.char_start,
        citation.char_end,
        storable(citation.quote),
        int(citation.verified),
        citation.answer_start,
        citation.answer_end,
    )
