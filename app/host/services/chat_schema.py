"""The tables of `chats.db`, one script a schema version. A script that was released is never changed."""

MIGRATIONS = (
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        scope_kind TEXT NOT NULL CHECK (scope_kind IN ('all', 'some', 'none')),
        scope_collections TEXT NOT NULL,              -- JSON list of collection ids
        model TEXT NOT NULL,
        draft TEXT NOT NULL DEFAULT '',
        leaf_id TEXT REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
        deleted_at REAL                               -- in the trash since
    ) STRICT;

    CREATE TABLE messages (
        id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        parent_id TEXT REFERENCES messages (id) ON DELETE CASCADE,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
        text TEXT NOT NULL,
        created_at REAL NOT NULL,
        kind TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL DEFAULT 'complete',
        model TEXT NOT NULL DEFAULT '',
        unsupported TEXT NOT NULL DEFAULT '[]',       -- JSON list of [start, end]
        stats TEXT NOT NULL DEFAULT '{}',             -- JSON of AnswerStats
        error_code TEXT NOT NULL DEFAULT '',
        error_message TEXT NOT NULL DEFAULT '',
        error_hint TEXT NOT NULL DEFAULT '',
        query TEXT NOT NULL DEFAULT '',               -- of a question: as it was searched for
        prompt TEXT NOT NULL DEFAULT '',              -- exactly what stands in prompts for this message
        window_start TEXT NOT NULL DEFAULT ''         -- of a question: first question of its prompt
    ) STRICT;
    CREATE INDEX messages_of_conversation ON messages (conversation_id, created_at);
    CREATE INDEX messages_by_parent ON messages (parent_id);
    CREATE INDEX messages_streaming ON messages (state) WHERE state = 'streaming';

    CREATE TABLE passages (
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        n INTEGER NOT NULL CHECK (n > 0),
        document_id INTEGER NOT NULL,
        path TEXT NOT NULL,
        name TEXT NOT NULL,
        heading TEXT NOT NULL,
        page INTEGER,
        char_start INTEGER NOT NULL,
        char_end INTEGER NOT NULL,
        text TEXT NOT NULL,
        text_sha256 TEXT NOT NULL,
        PRIMARY KEY (conversation_id, n)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE passage_turns (                      -- in which question's prompt a passage is written out
        question_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        PRIMARY KEY (question_id, n)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE citations (
        message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        n INTEGER NOT NULL,
        document_id INTEGER NOT NULL,
        path TEXT NOT NULL,
        name TEXT NOT NULL,
        page INTEGER,
        char_start INTEGER NOT NULL,
        char_end INTEGER NOT NULL,
        quote TEXT NOT NULL,
        verified INTEGER NOT NULL,
        answer_start INTEGER NOT NULL,
        answer_end INTEGER NOT NULL,
        PRIMARY KEY (message_id, position)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE message_images (                     -- images attached to a question, in order
        message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
        name TEXT NOT NULL,
        width INTEGER NOT NULL CHECK (width > 0),
        height INTEGER NOT NULL CHECK (height > 0),
        PRIMARY KEY (message_id, position)
    ) STRICT, WITHOUT ROWID;
    """,
)
