-- ?1: [[script_name, source, status, failure_reason, change], …]. Two statements, because the CHECK of `n` would
-- refuse the negative changes that an upsert offers for insertion.
INSERT OR IGNORE INTO task_count (script_name, source, status, failure_reason, n)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, 0 FROM json_each(?1);
UPDATE task_count SET n = task_count.n + change.n
FROM (SELECT value ->> 0 AS script_name, value ->> 1 AS source, value ->> 2 AS status, value ->> 3 AS failure_reason,
             value ->> 4 AS n
      FROM json_each(?1)) AS change
WHERE task_count.script_name = change.script_name AND task_count.source = change.source
  AND task_count.status = change.status AND task_count.failure_reason = change.failure_reason
