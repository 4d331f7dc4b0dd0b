-- Tasks, their attempts and the effects that cannot be undone. Times are milliseconds since 1970 (UTC).
-- AUTOINCREMENT everywhere that a number is shown outside: a number is never used twice, also after a delete.

-- One row per start of the controller. The largest epoch is the only one that may write.
CREATE TABLE controller (
    epoch      INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL
) STRICT;

-- The queues: tasks of one device for one account (or for none). A number in the index of tasks instead of two names
-- makes its entries a third as long, and each claim takes one out.
CREATE TABLE lane (
    id       INTEGER PRIMARY KEY,
    serial   TEXT NOT NULL,
    username TEXT
) STRICT;

-- NULLs are distinct to UNIQUE; an empty name is no account's.
CREATE UNIQUE INDEX lane_by_name ON lane (serial, coalesce(username, ''));

CREATE TABLE task (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of its serial and username; without a device there is none.
    lane_id              INTEGER REFERENCES lane (id),
    batch_id             TEXT    NOT NULL,
    script_name          TEXT    NOT NULL,
    serial               TEXT,
    username             TEXT,
    enable_multi_account INTEGER NOT NULL CHECK (enable_multi_account IN (0, 1)),
    source               TEXT    NOT NULL CHECK (source IN ('api', 'ui')),
    start_time           TEXT,
    scheduled_at         INTEGER,
    due_at               INTEGER,
    gap_ms               INTEGER CHECK (gap_ms >= 0),
    priority             INTEGER NOT NULL CHECK (priority BETWEEN -10 AND 10),
    -- Due time minus the head start of its priority: the order within a lane.
    rank                 INTEGER NOT NULL,
    state                TEXT    NOT NULL
        CHECK (state IN ('scheduled', 'available', 'running', 'retryable', 'completed', 'failed')),
    -- The API's number for `state`.
    status               INTEGER NOT NULL GENERATED ALWAYS AS (
        CASE state WHEN 'running' THEN 1 WHEN 'completed' THEN 2 WHEN 'failed' THEN 3 ELSE 0 END) VIRTUAL,
    purpose              TEXT    NOT NULL DEFAULT 'execute' CHECK (purpose IN ('execute', 'verify')),
    attempts             INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    retry_count          INTEGER NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    auto_retries         INTEGER NOT NULL DEFAULT 0 CHECK (auto_retries >= 0),
    -- Attempts that ended because the controller died, since a person last asked for the task.
    interruptions        INTEGER NOT NULL DEFAULT 0 CHECK (interruptions >= 0),
    stop_requested_at    INTEGER,
    created_at           INTEGER NOT NULL,
    started_at           INTEGER,
    finished_at          INTEGER,
    -- {"step", "steps", "label"}
    progress             TEXT,
    remark               TEXT    NOT NULL DEFAULT '',
    failure_reason       TEXT CHECK (failure_reason IN (
        'stopped', 'timeout', 'device_offline', 'device_error', 'app_missing', 'account_unavailable',
        'needs_attention', 'material_missing', 'material_invalid', 'flow_error', 'assertion_failed',
        'outcome_unknown', 'interrupted', 'internal')),
    failure_message      TEXT,
    failure_step         INTEGER,
    failure_retryable    INTEGER CHECK (failure_retryable IN (0, 1)),
    config               TEXT    NOT NULL,
    CHECK ((state IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
    CHECK ((state = 'failed') = (failure_reason IS NOT NULL))
) STRICT;

-- The front of a lane: its pending tasks in order. `due_at` is in it so that tasks not due yet are passed over
-- without reading their rows.
CREATE INDEX task_lane ON task (lane_id, rank, id, due_at)
    WHERE state IN ('scheduled', 'available', 'retryable');
-- When the next task of a lane falls due; tasks without a time of their own are not in it.
CREATE INDEX task_due ON task (lane_id, due_at)
    WHERE state IN ('scheduled', 'available', 'retryable') AND due_at IS NOT NULL;
-- Lists, newest first: SQLite appends the id to each of these.
-- Running tasks are found by their live attempts: they are few, and each task would enter and leave.
CREATE INDEX task_by_status ON task (status) WHERE status <> 1;
CREATE INDEX task_by_serial ON task (serial) WHERE serial IS NOT NULL;
CREATE INDEX task_by_username ON task (username) WHERE username IS NOT NULL;
CREATE INDEX task_by_script ON task (script_name);
CREATE INDEX task_by_source ON task (source);
CREATE INDEX task_by_batch ON task (batch_id);
CREATE INDEX task_by_failure ON task (failure_reason) WHERE failure_reason IS NOT NULL;

-- How many tasks there are of each kind, written in the transaction that changes it: statistics and totals of lists
-- cost the same with ten tasks and with ten million. `failure_reason` is '' for tasks that have not failed.
CREATE TABLE task_count (
    script_name    TEXT    NOT NULL,
    source         TEXT    NOT NULL,
    status         INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    failure_reason TEXT    NOT NULL,
    n              INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (script_name, source, status, failure_reason)
) STRICT, WITHOUT ROWID;

-- `outcome`: `completed`, a failure reason, `unverified` (an effect is open), `abandoned` (the controller died).
CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id     INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL CHECK (number >= 1),
    purpose     TEXT    NOT NULL CHECK (purpose IN ('execute', 'verify')),
    serial      TEXT    NOT NULL,
    username    TEXT,
    epoch       INTEGER NOT NULL,
    token       TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    outcome     TEXT CHECK (outcome IN (
        'completed', 'unverified', 'abandoned',
        'stopped', 'timeout', 'device_offline', 'device_error', 'app_missing', 'account_unavailable',
        'needs_attention', 'material_missing', 'material_invalid', 'flow_error', 'assertion_failed',
        'outcome_unknown', 'interrupted', 'internal')),
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
) STRICT;

CREATE UNIQUE INDEX attempt_by_task ON attempt (task_id, number);
-- At most one live attempt per task, per device and per account.
CREATE UNIQUE INDEX attempt_live_task ON attempt (task_id) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX attempt_live_serial ON attempt (serial) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX attempt_live_username ON attempt (username) WHERE finished_at IS NULL AND username IS NOT NULL;

CREATE TABLE step (
    attempt_id  INTEGER NOT NULL REFERENCES attempt (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    command     TEXT    NOT NULL,
    label       TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('running', 'completed', 'skipped', 'warned', 'failed')),
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER,
    error       TEXT,
    detail      TEXT,
    screenshot  TEXT,
    hierarchy   TEXT,
    PRIMARY KEY (attempt_id, number)
) STRICT, WITHOUT ROWID;

-- The only gate to an act that cannot be undone. Only `refuted` and `resolved_not_done` allow it again.
CREATE TABLE effect (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id        INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    step           TEXT    NOT NULL,
    ordinal        INTEGER NOT NULL CHECK (ordinal >= 0),
    state          TEXT    NOT NULL CHECK (state IN (
        'intended', 'confirmed', 'refuted', 'unknown', 'resolved_done', 'resolved_not_done')),
    content        TEXT    NOT NULL,
    baseline       TEXT    NOT NULL,
    evidence       TEXT,
    unknown_checks INTEGER NOT NULL DEFAULT 0 CHECK (unknown_checks >= 0),
    -- The attempt that acted, and when it said that it would.
    attempt_id     INTEGER NOT NULL,
    intended_at    INTEGER NOT NULL,
    settled_at     INTEGER,
    UNIQUE (task_id, step, ordinal)
) STRICT;

-- Requests that were answered, for 24 hours.
CREATE TABLE idempotency (
    key        TEXT    PRIMARY KEY,
    body_hash  TEXT    NOT NULL,
    answer     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX idempotency_by_age ON idempotency (created_at);
