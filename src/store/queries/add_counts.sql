-- ?: [[block, script_name, source, status, failure_reason, change], …]
INSERT INTO task_count (block, script_name, source, status, failure_reason, n)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM (SELECT value FROM json_each(?) LIMIT -1) WHERE value IS NOT NULL
ON CONFLICT DO UPDATE SET n = n + excluded.n
