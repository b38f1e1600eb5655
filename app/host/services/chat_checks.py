"""What must be true of `chats.db`, for the doctor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from app.core.conversations import cyclic
from app.host.services.chat_database import in_words
from app.protocol.system import Check

_HINT = "Close the program; what can be read stays readable. Keep a copy of chats.db before anything else."

# Each statement counts the rows that break a rule.
_RULES = {
    "chats.orphans": (
        "messages without their parent, or conversations without their last message",
        """
        SELECT (SELECT count(*) FROM messages m LEFT JOIN messages p ON p.id = m.parent_id
                WHERE m.parent_id IS NOT NULL AND (p.id IS NULL OR p.conversation_id <> m.conversation_id))
             + (SELECT count(*) FROM messages WHERE conversation_id NOT IN (SELECT id FROM conversations))
             + (SELECT count(*) FROM conversations c LEFT JOIN messages m ON m.id = c.leaf_id
                WHERE c.leaf_id IS NOT NULL AND (m.id IS NULL OR m.conversation_id <> c.id))
             + (SELECT count(*) FROM citations WHERE message_id NOT IN (SELECT id FROM messages))
             + (SELECT count(*) FROM passages WHERE conversation_id NOT IN (SELECT id FROM conversations))
        """,
    ),
    "chats.citations": (
        "citations whose range does not fit their quote or their answer",
        """
        SELECT count(*) FROM citations c JOIN messages m ON m.id = c.message_id
        WHERE c.char_start < 0 OR c.char_end - c.char_start <> n_chars(c.quote) OR c.quote = ''
           OR c.answer_start < 0 OR c.answer_end <= c.answer_start OR c.answer_end > n_chars(m.text)
        """,
    ),
    "chats.passages": (
        "passages whose range or checksum does not fit their text, or that are cited without being there",
        """
        SELECT (SELECT count(*) FROM passages
                WHERE char_start < 0 OR char_end - char_start <> n_chars(text))
             + (SELECT count(*) FROM citations c JOIN messages m ON m.id = c.message_id
                WHERE NOT EXISTS (SELECT 1 FROM passages p
                                  WHERE p.conversation_id = m.conversation_id AND p.n = c.n))
        """,
    ),
}


def check_chats(connection: apsw.Connection, path: Path) -> tuple[Check, ...]:
    """Check the file and every invariant of its content.

    Raises:
        StorageError: it cannot be read.
    """
    with in_words():
        connection.create_scalar_function("n_chars", _n_chars, 1, deterministic=True)
        return (
            _integrity(connection),
            *(_rule(connection, name, what, sql) for name, (what, sql) in _RULES.items()),
            _cycles(connection),
            *_damaged_copies(path),
        )


def _n_chars(*texts: Any) -> int:
    """Count code points; SQL's length() stops at a NUL."""
    return sum(len(text) for text in texts)


def _integrity(connection: apsw.Connection) -> Check:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)")]
    found += [f"broken reference in {row[0]}" for row in connection.execute("PRAGMA foreign_key_check")]
    if found == ["ok"]:
        ((n,),) = connection.execute("SELECT count(*) FROM conversations")
        return Check(name="chats.integrity", status="ok", detail=f"chats.db is sound; conversations: {n}.")
    detail = f"chats.db is damaged: {'; '.join(line for line in found if line != 'ok')}."
    return Check(name="chats.integrity", status="error", detail=detail, hint=_HINT)


def _rule(connection: apsw.Connection, name: str, what: str, sql: str) -> Check:
    ((n,),) = connection.execute(sql)
    return _finding(name, what, n)


def _cycles(connection: apsw.Connection) -> Check:
    parents = dict(connection.execute("SELECT id, parent_id FROM messages"))
    return _finding("chats.cycles", "messages that are their own ancestors", len(cyclic(parents)))


def _finding(name: str, what: str, n: int) -> Check:
    if n:
        return Check(name=name, status="error", detail=f"{n} {what}.", hint=_HINT)
    return Check(name=name, status="ok", detail=f"No {what}.")


def _damaged_copies(path: Path) -> Iterator[Check]:
    copies = sorted(
        copy.name
        for copy in path.parent.glob(f"{path.name}.damaged-*")
        if not copy.name.endswith(("-wal", "-shm"))
    )
    if copies:
        yield Check(
            name="chats.damaged_copies",
            status="warning",
            detail=f"Damaged conversations were kept aside: {', '.join(copies)}.",
            hint="Delete these files when you do not need them.",
        )
