"""The schema, as the steps that led to it. Each is run once, in order; their number is the schema's version.

Times are in seconds since the epoch, durations in seconds, costs in US dollars.
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE exchange (
            id INTEGER PRIMARY KEY,
            request_id TEXT NOT NULL,
            began_at REAL NOT NULL,
            dialect TEXT NOT NULL,
            model TEXT NOT NULL,
            outcome TEXT NOT NULL,        -- a stop reason, a status, or "abandoned"
            first_event REAL,             -- seconds from the request to the first event; NULL when there was none
            duration REAL NOT NULL,
            input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL,
            cache_read_tokens INTEGER NOT NULL,
            cache_write_tokens INTEGER NOT NULL,
            reasoning_tokens INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX exchange_began_at ON exchange (began_at)",
    ),
    (
        "ALTER TABLE exchange ADD COLUMN key TEXT",  # the id of the API key; NULL when none was asked for
        "ALTER TABLE exchange ADD COLUMN cost REAL NOT NULL DEFAULT 0",
        """
        CREATE TABLE key (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            digest BLOB NOT NULL,
            scopes TEXT NOT NULL,         -- with commas between them
            limits TEXT NOT NULL,         -- as `--limit` takes them
            created_at REAL NOT NULL,
            expires_at REAL,
            revoked_at REAL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE UNIQUE INDEX key_name ON key (name) WHERE revoked_at IS NULL",
        "CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
        """
        CREATE TABLE session (
            number INTEGER PRIMARY KEY,
            owner TEXT NOT NULL,          -- the id of an API key; empty for what was made while there was none
            id TEXT NOT NULL,
            about INTEGER NOT NULL,       -- its title and its system prompt, a JSON object: the text's first piece
            about_pieces INTEGER NOT NULL,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            expires_after REAL,           -- seconds without use; NULL keeps it
            expires_at REAL,
            turns INTEGER NOT NULL,
            UNIQUE (owner, id)
        ) STRICT
        """,
        "CREATE INDEX session_updated_at ON session (owner, updated_at, number)",
        "CREATE INDEX session_expires_at ON session (expires_at) WHERE expires_at IS NOT NULL",
        """
        CREATE TABLE turn (
            session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
            position INTEGER NOT NULL,    -- 0, 1, 2, ... without a gap
            id TEXT NOT NULL,
            role TEXT NOT NULL,
            content INTEGER NOT NULL,     -- its parts, a JSON array: the text's first piece
            pieces INTEGER NOT NULL,
            created_at REAL NOT NULL,
            status TEXT NOT NULL,
            answer TEXT                   -- what an answer came to, a JSON object; NULL for a user's turn
        ) STRICT
        """,
        "CREATE UNIQUE INDEX turn_position ON turn (session, position)",
        """
        CREATE TABLE text (               -- as cca.store.text keeps it
            number INTEGER PRIMARY KEY,
            session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
            piece BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX text_session ON text (session)",
    ),
    ("CREATE INDEX session_of_all ON session (updated_at, number)",),
    (
        # 1 for one that nobody named: it is there for the answers stored in it, and goes with the last of them
        "ALTER TABLE session ADD COLUMN lone INTEGER NOT NULL DEFAULT 0",
        """
        CREATE TABLE stored (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL,             -- as its body has it
            owner TEXT NOT NULL,          -- its session's
            kind TEXT NOT NULL,           -- the object that its body is
            session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
            turns INTEGER NOT NULL,       -- of its session, with its answer as the last
            created_at INTEGER NOT NULL,
            model TEXT NOT NULL,
            asked TEXT NOT NULL,          -- the model that the request asked for
            about INTEGER NOT NULL,       -- its metadata and its system prompt, a JSON object: the text's first piece
            about_pieces INTEGER NOT NULL,
            input INTEGER NOT NULL,       -- what its client sent, a JSON array
            input_pieces INTEGER NOT NULL,
            body INTEGER NOT NULL,        -- what its client got, a JSON object
            body_pieces INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE UNIQUE INDEX stored_id ON stored (owner, id)",
        "CREATE INDEX stored_created_at ON stored (owner, kind, created_at, number)",
        "CREATE INDEX stored_session ON stored (session, turns)",
    ),
)
