-- Keys to the API. The secret itself is never stored, only its hash.
CREATE TABLE api_key (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    prefix       TEXT    NOT NULL UNIQUE,
    hash         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    -- JSON array of texts.
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
