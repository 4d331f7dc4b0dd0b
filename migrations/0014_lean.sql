-- Fewer and narrower index entries for each task, and cheaper CHECKs. SQLite builds a small table for each `IN` of three
-- or more words every time that a row is written, so the words are compared one by one here.
--
-- A lane's index entries lay as far apart as there are lanes: a thousand phones that each took one task wrote a thousand
-- pages. Now the tasks of one block (block = id / 4096) lie together, whatever their lanes: those that are worked on at the
-- same time were mostly made at the same time.
--
-- Runs with foreign keys off: dropping a table would delete what refers to its rows.

CREATE TABLE task_new (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of its serial and username; without a device there is none.
    lane_id              INTEGER REFERENCES lane (id),
    batch_id             TEXT    NOT NULL,
    script_name          TEXT    NOT NULL,
    serial               TEXT,
    username             TEXT,
    enable_multi_account INTEGER NOT NULL CHECK (enable_multi_account IN (0, 1)),
    source               TEXT    NOT NULL CHECK (source = 'api' OR source = 'ui'),
    start_time           TEXT,
    scheduled_at         INTEGER,
    due_at               INTEGER,
    gap_ms               INTEGER CHECK (gap_ms >= 0),
    priority             INTEGER NOT NULL CHECK (priority BETWEEN -10 AND 10),
    -- Due time minus the head start of its priority: the order within a lane.
    rank                 INTEGER NOT NULL,
    state                TEXT    NOT NULL CHECK (
        state = 'available' OR state = 'running' OR state = 'completed'
        OR state = 'failed' OR state = 'retryable' OR state = 'scheduled'),
    -- The API's number for `state`.
    status               INTEGER GENERATED ALWAYS AS (
        CASE state WHEN 'running' THEN 1 WHEN 'completed' THEN 2 WHEN 'failed' THEN 3 ELSE 0 END) VIRTUAL,
    purpose              TEXT    NOT NULL DEFAULT 'execute' CHECK (purpose = 'execute' OR purpose = 'verify'),
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
    failure_reason       TEXT CHECK (
        failure_reason IS NULL
        OR failure_reason = 'stopped' OR failure_reason = 'timeout' OR failure_reason = 'device_offline'
        OR failure_reason = 'device_error' OR failure_reason = 'app_missing' OR failure_reason = 'account_unavailable'
        OR failure_reason = 'needs_attention' OR failure_reason = 'material_missing'
        OR failure_reason = 'material_invalid' OR failure_reason = 'flow_error' OR failure_reason = 'assertion_failed'
        OR failure_reason = 'outcome_unknown' OR failure_reason = 'interrupted' OR failure_reason = 'internal'),
    failure_message      TEXT,
    failure_step         INTEGER,
    failure_retryable    INTEGER CHECK (failure_retryable IN (0, 1)),
    config               TEXT    NOT NULL,
    -- Without a foreign key: tasks outlive their schedule, and its number is never used again.
    schedule_id          INTEGER,
    CHECK ((state = 'completed' OR state = 'failed') = (finished_at IS NOT NULL)),
    CHECK ((state = 'failed') = (failure_reason IS NOT NULL))
) STRICT;

INSERT INTO task_new (
    id, lane_id, batch_id, script_name, serial, username, enable_multi_account, source, start_time, scheduled_at, due_at,
    gap_ms, priority, rank, state, purpose, attempts, retry_count, auto_retries, interruptions, stop_requested_at,
    created_at, started_at, finished_at, progress, remark, failure_reason, failure_message, failure_step,
    failure_retryable, config, schedule_id)
SELECT
    id, lane_id, batch_id, script_name, serial, username, enable_multi_account, source, start_time, scheduled_at, due_at,
    gap_ms, priority, rank, state, purpose, attempts, retry_count, auto_retries, interruptions, stop_requested_at,
    created_at, started_at, finished_at, progress, remark, failure_reason, failure_message, failure_step,
    failure_retryable, config, schedule_id
FROM task ORDER BY id;

-- `outcome`: `completed`, a failure reason, `unverified` (an effect is open), `abandoned` (the controller died).
CREATE TABLE attempt_new (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id     INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL CHECK (number >= 1),
    purpose     TEXT    NOT NULL CHECK (purpose = 'execute' OR purpose = 'verify'),
    serial      TEXT    NOT NULL,
    username    TEXT,
    epoch       INTEGER NOT NULL,
    token       TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    outcome     TEXT CHECK (
        outcome IS NULL
        OR outcome = 'completed' OR outcome = 'unverified' OR outcome = 'abandoned'
        OR outcome = 'stopped' OR outcome = 'timeout' OR outcome = 'device_offline' OR outcome = 'device_error'
        OR outcome = 'app_missing' OR outcome = 'account_unavailable' OR outcome = 'needs_attention'
        OR outcome = 'material_missing' OR outcome = 'material_invalid' OR outcome = 'flow_error'
        OR outcome = 'assertion_failed' OR outcome = 'outcome_unknown' OR outcome = 'interrupted'
        OR outcome = 'internal'),
    -- SHA-256 over the files of the flow that the attempt ran, hex; written when it begins. Older attempts have none.
    flow_hash   TEXT,
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
) STRICT;

INSERT INTO attempt_new (
    id, task_id, number, purpose, serial, username, epoch, token, started_at, finished_at, outcome, flow_hash)
SELECT id, task_id, number, purpose, serial, username, epoch, token, started_at, finished_at, outcome, flow_hash
FROM attempt ORDER BY id;

CREATE TABLE step_new (
    attempt_id  INTEGER NOT NULL REFERENCES attempt (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    command     TEXT    NOT NULL,
    label       TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (
        state = 'running' OR state = 'completed' OR state = 'skipped' OR state = 'warned' OR state = 'failed'),
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER,
    error       TEXT,
    detail      TEXT,
    screenshot  TEXT,
    hierarchy   TEXT,
    PRIMARY KEY (attempt_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO step_new (
    attempt_id, number, command, label, state, started_at, duration_ms, error, detail, screenshot, hierarchy)
SELECT attempt_id, number, command, label, state, started_at, duration_ms, error, detail, screenshot, hierarchy FROM step;

-- Events, written in the transaction of the change that they tell of.
CREATE TABLE event_new (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    topic   TEXT    NOT NULL CHECK (topic = 'task' OR topic = 'device' OR topic = 'account' OR topic = 'supervisor'),
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    data    TEXT    NOT NULL
) STRICT;

INSERT INTO event_new (seq, at, topic, kind, subject, data)
SELECT seq, at, topic, kind, subject, data FROM event ORDER BY seq;

-- No number is used twice, also of rows that are gone.
DELETE FROM sqlite_sequence WHERE name IN ('task_new', 'attempt_new', 'event_new');
INSERT INTO sqlite_sequence (name, seq)
SELECT name || '_new', seq FROM sqlite_sequence WHERE name IN ('task', 'attempt', 'event');

DROP TABLE step;
DROP TABLE attempt;
DROP TABLE task;
DROP TABLE event;
ALTER TABLE task_new RENAME TO task;
ALTER TABLE attempt_new RENAME TO attempt;
ALTER TABLE step_new RENAME TO step;
ALTER TABLE event_new RENAME TO event;

-- Tasks that have not ended, by block and lane: written when a task is made, taken out when it ends. Nothing that a claim
-- changes is in it. The front of a lane, for those that take their place by their number. (`finished_at` is in it because
-- SQLite would read the rows to see that it is null.)
CREATE INDEX task_open ON task (id / 4096, lane_id, id, script_name, source, finished_at) WHERE finished_at IS NULL;
-- The front of a lane, for tasks that wait and whose place is another one: scheduled, with a priority, or taken up again.
-- `due_at` is in it so that tasks not due yet are passed over without reading their rows.
CREATE INDEX task_lane ON task (lane_id, rank, id, due_at, script_name)
    WHERE finished_at IS NULL AND state <> 'running' AND (due_at IS NOT NULL OR rank <> created_at);
-- When the next task of a lane falls due; tasks without a time of their own are not in it.
CREATE INDEX task_due ON task (lane_id, due_at)
    WHERE finished_at IS NULL AND state <> 'running' AND due_at IS NOT NULL;
-- Tasks that have ended, by block and lane: written when a task ends.
CREATE INDEX task_finished ON task (id / 4096, lane_id, state, id, failure_reason, script_name, source, finished_at)
    WHERE finished_at IS NOT NULL;
-- Failed tasks: written when a task fails.
CREATE INDEX task_failed ON task (id, failure_reason, script_name, source) WHERE state = 'failed';
-- Tasks that people made by hand, which may be rare: written once, and not for those of programs.
CREATE INDEX task_from_ui ON task (id, script_name) WHERE source = 'ui';
CREATE INDEX task_by_script ON task (script_name);
CREATE INDEX task_by_batch ON task (batch_id);
-- The newest start of each batch that keeps a gap, by device: read when a controller begins. Tasks without a gap are not in
-- it.
CREATE INDEX task_gap ON task (batch_id, serial, started_at) WHERE gap_ms IS NOT NULL;

CREATE UNIQUE INDEX attempt_by_task ON attempt (task_id, number);
-- At most one live attempt per task, per device and per account.
CREATE UNIQUE INDEX attempt_live_task ON attempt (task_id) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX attempt_live_serial ON attempt (serial) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX attempt_live_username ON attempt (username) WHERE finished_at IS NULL AND username IS NOT NULL;
