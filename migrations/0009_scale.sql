-- Lists, totals and statistics of a million tasks in a few milliseconds, and fewer index entries to write for each task:
-- no index holds what changes when an attempt begins.

-- How many tasks there are of each kind, by blocks of 4096 task numbers (block = id / 4096): a deep page is found by
-- passing over whole blocks. Block -1 counts all. Written in the transaction of the change; a kind that has come to
-- zero is forgotten later. No CHECK of `n`: an upsert offers it negative changes.
DROP TABLE task_count;
CREATE TABLE task_count (
    block          INTEGER NOT NULL CHECK (block >= -1),
    script_name    TEXT    NOT NULL,
    source         TEXT    NOT NULL,
    status         INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    -- '' for tasks that have not failed.
    failure_reason TEXT    NOT NULL,
    n              INTEGER NOT NULL,
    PRIMARY KEY (block, script_name, source, status, failure_reason)
) STRICT, WITHOUT ROWID;

INSERT INTO task_count (block, script_name, source, status, failure_reason, n)
SELECT id / 4096, script_name, source, status, coalesce(failure_reason, ''), count(*) FROM task GROUP BY 1, 2, 3, 4, 5;
INSERT INTO task_count (block, script_name, source, status, failure_reason, n)
SELECT -1, script_name, source, status, failure_reason, sum(n) FROM task_count GROUP BY 2, 3, 4, 5;

DROP INDEX task_by_status;
DROP INDEX task_by_serial;
DROP INDEX task_by_username;
DROP INDEX task_by_source;
DROP INDEX task_by_failure;
DROP INDEX task_lane;

-- The front of a lane: its pending tasks in order. `due_at` is in it so that tasks not due yet are passed over without
-- reading their rows; what follows is for lists. Written when a task begins to wait, taken out when it is claimed.
CREATE INDEX task_lane ON task (lane_id, rank, id, due_at, script_name, source, state)
    WHERE state IN ('scheduled', 'available', 'retryable');
-- All tasks of a device or an account: written once. Its columns never change.
CREATE INDEX task_by_lane ON task (lane_id, id, script_name, source);
-- Finished tasks of a device or an account: written when a task ends.
CREATE INDEX task_finished ON task (lane_id, state, id, failure_reason, script_name, source)
    WHERE state IN ('completed', 'failed');
-- Failed tasks: written when a task fails.
CREATE INDEX task_failed ON task (id, failure_reason, script_name, source) WHERE state = 'failed';
-- Tasks that people made by hand, which may be rare: written once, and not for those of programs.
CREATE INDEX task_from_ui ON task (id, script_name) WHERE source = 'ui';

CREATE INDEX lane_by_username ON lane (username) WHERE username IS NOT NULL;
