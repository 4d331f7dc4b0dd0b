-- Schedules: task requests that are repeated. Times are milliseconds since 1970 (UTC).
CREATE TABLE schedule (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Grows with each change by a person; a run of an older one is not stored.
    revision   INTEGER NOT NULL CHECK (revision >= 1),
    name       TEXT    NOT NULL UNIQUE,
    enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- {"target", "script", "config", "enable_multi_account", "interval_minutes", "priority", "source"}
    request    TEXT    NOT NULL,
    -- {"cron", "times", "time_zone", "days", "window", "jitter_s"}
    recurrence TEXT    NOT NULL,
    misfire    TEXT    NOT NULL CHECK (misfire IN ('run_once', 'skip', 'run_all')),
    misfire_cap INTEGER NOT NULL CHECK (misfire_cap >= 1),
    -- Feeds the random delays of the runs.
    seed       INTEGER NOT NULL,
    -- The earliest run that was not dealt with.
    next_at    INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- One row for each planned instant: what makes a run take place once.
CREATE TABLE schedule_run (
    schedule_id INTEGER NOT NULL REFERENCES schedule (id) ON DELETE CASCADE,
    planned_at  INTEGER NOT NULL,
    -- A run that a person asked for does not stand in the way of a planned one.
    manual      INTEGER NOT NULL CHECK (manual IN (0, 1)),
    fired_at    INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    -- NULL when it created no task.
    batch_id    TEXT,
    first_task  INTEGER,
    task_count  INTEGER NOT NULL CHECK (task_count >= 0),
    remark      TEXT,
    PRIMARY KEY (schedule_id, planned_at, manual),
    CHECK ((batch_id IS NULL) = (task_count = 0)),
    CHECK ((first_task IS NULL) = (task_count = 0))
) STRICT, WITHOUT ROWID;

-- The latest run of each schedule.
CREATE INDEX schedule_run_latest ON schedule_run (schedule_id, fired_at);

-- Without a foreign key: tasks outlive their schedule, and its number is never used again.
ALTER TABLE task ADD COLUMN schedule_id INTEGER;
