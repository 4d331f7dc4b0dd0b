-- Devices, accounts and materials: what tasks work with.

CREATE TABLE device (
    serial     TEXT    PRIMARY KEY,
    alias      TEXT,
    -- JSON array of texts.
    tags       TEXT    NOT NULL DEFAULT '[]',
    enabled    INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    -- What the phone last said of itself, JSON.
    info       TEXT    NOT NULL DEFAULT '{}',
    last_seen  INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
    username       TEXT    PRIMARY KEY,
    app            TEXT    NOT NULL,
    package        TEXT,
    serial         TEXT,
    status         TEXT    NOT NULL CHECK (status IN ('active', 'disabled', 'needs_attention', 'cooldown')),
    status_reason  TEXT,
    evidence       TEXT,
    cooldown_until INTEGER,
    -- JSON object: script → {"per_hour", "per_day", "min_gap_s"}.
    limits         TEXT    NOT NULL DEFAULT '{}',
    last_used      INTEGER,
    created_at     INTEGER NOT NULL
) STRICT;

-- Confirmed effects, for the limits; kept when the account goes, since it may come back.
CREATE TABLE account_use (
    id          INTEGER PRIMARY KEY,
    username    TEXT    NOT NULL,
    script_name TEXT    NOT NULL,
    at          INTEGER NOT NULL
) STRICT;

CREATE INDEX account_use_by_age ON account_use (at, username, script_name);

CREATE TABLE material (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL,
    file       TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('video', 'image')),
    sha256     TEXT    NOT NULL,
    bytes      INTEGER NOT NULL CHECK (bytes >= 0),
    -- JSON array of texts.
    tags       TEXT    NOT NULL DEFAULT '[]',
    username   TEXT,
    caption    TEXT,
    sort_order INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX material_by_order ON material (sort_order, id);

-- Which content an account has published, by its hash: also of files that were never in the library.
CREATE TABLE media_use (
    sha256   TEXT    NOT NULL,
    username TEXT    NOT NULL,
    used_at  INTEGER NOT NULL,
    PRIMARY KEY (sha256, username)
) STRICT, WITHOUT ROWID;
