"""The tables of `library.db`, as numbered migrations, and the constants that belong to them.

A migration that was released is never changed; the next one is appended.
"""

SEGMENT_CHARS = 8192
"""Code points of a stored piece of text; a passage is read without loading its whole document."""

ORDINAL_BITS = 20
"""A chunk's id is `document_id << 20 | ordinal`, so that its document is known without a look-up."""

MAX_CHUNKS = 1 << ORDINAL_BITS

_V1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,        -- name without case, in NFC
    is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    created_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_default_collection ON collections (is_default) WHERE is_default;

-- A content, read once. `staging`: being written; `live`: complete; `discarded`: being deleted.
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),   -- sha256 of the file's bytes
    stage TEXT NOT NULL CHECK (stage IN ('staging', 'live', 'discarded')),
    state TEXT NOT NULL CHECK (state IN ('embedding', 'ready', 'partial', 'empty')),
    reason_code TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    format TEXT NOT NULL,
    title TEXT NOT NULL,
    parser TEXT NOT NULL,
    n_chars INTEGER NOT NULL,
    text_hash BLOB NOT NULL,              -- sha256 of the whole text as UTF-8
    n_pages INTEGER,                      -- NULL where the format has no pages
    n_chunks INTEGER NOT NULL,
    n_embedded INTEGER NOT NULL DEFAULT 0 CHECK (n_embedded BETWEEN 0 AND n_chunks),
    read_seconds REAL NOT NULL,
    embed_seconds REAL NOT NULL DEFAULT 0,
    embed_attempts INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_live_document ON documents (content_hash) WHERE stage = 'live';
CREATE INDEX documents_to_embed ON documents (id) WHERE stage = 'live' AND state = 'embedding';
CREATE INDEX documents_not_live ON documents (id) WHERE stage <> 'live';

CREATE TABLE segments (
    document_id INTEGER NOT NULL REFERENCES documents (id),
    char_start INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (document_id, char_start)
) STRICT;

CREATE TABLE pages (
    document_id INTEGER NOT NULL REFERENCES documents (id),
    page INTEGER NOT NULL,                -- from 1
    char_start INTEGER NOT NULL,
    char_end INTEGER NOT NULL,
    width REAL,
    height REAL,
    boxes BLOB,                           -- app.worker.library.boxes; NULL where there are none
    PRIMARY KEY (document_id, page)
) STRICT;

CREATE TABLE headings (
    document_id INTEGER NOT NULL REFERENCES documents (id),
    ordinal INTEGER NOT NULL,
    title TEXT NOT NULL,
    level INTEGER NOT NULL,
    char_start INTEGER NOT NULL,
    PRIMARY KEY (document_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunks (
    document_id INTEGER NOT NULL REFERENCES documents (id),
    ordinal INTEGER NOT NULL CHECK (ordinal BETWEEN 0 AND 1048575),
    char_start INTEGER NOT NULL,
    char_end INTEGER NOT NULL CHECK (char_end > char_start),
    heading TEXT NOT NULL,                -- heading path, levels joined by ' › '
    PRIMARY KEY (document_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    dim INTEGER NOT NULL
) STRICT;

CREATE TABLE embeddings (
    document_id INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models (id),
    vector BLOB NOT NULL,                 -- dim float16, little-endian, L2-normalised before rounding
    PRIMARY KEY (document_id, ordinal, model_id),
    FOREIGN KEY (document_id, ordinal) REFERENCES chunks (document_id, ordinal)
) STRICT, WITHOUT ROWID;

-- rowid = chunk id. The text stands in `segments` only; what is indexed is keyword.index_text of it.
CREATE VIRTUAL TABLE keywords USING fts5 (
    heading, body, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE keyword_terms USING fts5vocab (keywords, row);

-- A path (or stored content) in a scope: a collection or one conversation.
CREATE TABLE locations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER REFERENCES collections (id),
    conversation_id TEXT,
    path BLOB NOT NULL,                   -- bytes as the system knows them
    name BLOB NOT NULL,
    name_key TEXT NOT NULL,               -- name without case, for order and search
    origin TEXT NOT NULL CHECK (origin IN ('path', 'content')),
    document_id INTEGER REFERENCES documents (id),
    content_hash BLOB,                    -- of the bytes last read, also where they could not be used
    size_bytes INTEGER NOT NULL DEFAULT 0,
    mtime_ns INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'embedding', 'ready', 'partial', 'empty', 'failed', 'unsupported', 'missing')
    ),
    reason_code TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    added_at REAL NOT NULL,
    seconds REAL,
    attempts INTEGER NOT NULL DEFAULT 0,  -- readings that were begun and not ended
    crashes INTEGER NOT NULL DEFAULT 0,   -- of those, how many crashed the worker
    revision INTEGER NOT NULL DEFAULT 0,  -- counts what the user asked for, so that a late result is dropped
    CHECK ((collection_id IS NULL) <> (conversation_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX one_path_a_collection ON locations (collection_id, path) WHERE collection_id IS NOT NULL;
CREATE UNIQUE INDEX one_path_a_conversation ON locations (conversation_id, path)
    WHERE conversation_id IS NOT NULL;
CREATE INDEX locations_by_document ON locations (document_id);
CREATE INDEX locations_by_path ON locations (path);
CREATE INDEX locations_queued ON locations (attempts, id) WHERE state = 'queued';
CREATE INDEX locations_by_state ON locations (state);
CREATE INDEX locations_by_name ON locations (collection_id, name_key, id);

-- Paths that were accepted and not walked to their end yet.
CREATE TABLE pending_paths (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL,
    collection_id INTEGER NOT NULL REFERENCES collections (id)
) STRICT;

INSERT INTO collections (name, name_key, is_default, created_at)
VALUES ('My documents', 'my documents', 1, unixepoch('subsec'));
"""

_V2 = """
-- Recordings: their text is made outside of this process.
-- `waiting`: to be transcribed (and not read any more); `later`: waits for something that is not here yet.
ALTER TABLE locations ADD COLUMN recording TEXT NOT NULL DEFAULT ''
    CHECK (recording IN ('', 'waiting', 'later'));
-- The user wants it transcribed once more, although its content is known.
ALTER TABLE locations ADD COLUMN anew INTEGER NOT NULL DEFAULT 0 CHECK (anew IN (0, 1));
-- How often the file was changed while it was transcribed.
ALTER TABLE locations ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
DROP INDEX locations_queued;
CREATE INDEX locations_queued ON locations (attempts, id) WHERE state = 'queued' AND recording = '';
CREATE INDEX locations_to_transcribe ON locations (recording, attempts, id) WHERE recording <> '';

ALTER TABLE documents ADD COLUMN sound_ms INTEGER;      -- length of the recording; NULL for other documents
ALTER TABLE documents ADD COLUMN language TEXT NOT NULL DEFAULT '';

-- When the stretches of a transcript's text are said.
CREATE TABLE times (
    document_id INTEGER NOT NULL REFERENCES documents (id),
    char_start INTEGER NOT NULL,
    char_end INTEGER NOT NULL CHECK (char_end > char_start),
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL CHECK (end_ms >= start_ms),
    PRIMARY KEY (document_id, char_start)
) STRICT, WITHOUT ROWID;

-- Recordings that an earlier version could not use are looked at again.
UPDATE locations SET state = 'queued', reason_code = '', reason = '', hint = '', seconds = NULL, attempts = 0,
    crashes = 0, revision = revision + 1
WHERE state = 'unsupported' AND reason_code IN ('unsupported.audio', 'unsupported.video');
"""

MIGRATIONS = (_V1, _V2)


def chunk_id(document_id: int, ordinal: int) -> int:
    """Give the id of a chunk."""
    return document_id << ORDINAL_BITS | ordinal


def split_chunk_id(value: int) -> tuple[int, int]:
    """Give (document_id, ordinal) of a chunk's id."""
    return value >> ORDINAL_BITS, value & (MAX_CHUNKS - 1)
