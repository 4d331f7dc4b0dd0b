-- Where a task's flow can be taken up, if the controller or the phone goes away: the newest one of each task.
CREATE TABLE checkpoint (
    task_id    INTEGER PRIMARY KEY REFERENCES task (id) ON DELETE CASCADE,
    attempt_id INTEGER NOT NULL,
    -- Times that the task was begun anew before: a retry begins at the start.
    retries    INTEGER NOT NULL CHECK (retries >= 0),
    step       TEXT    NOT NULL,
    -- SHA-256 of the flow's files, hex: another version begins at the start.
    flow_hash  TEXT    NOT NULL,
    -- What scripts had found out until then, JSON.
    state      TEXT    NOT NULL,
    reached_at INTEGER NOT NULL
) STRICT;
