-- ?1: [task, …]. Attempts, steps and effects go with their task.
DELETE FROM task
WHERE id IN (SELECT value FROM json_each(?1)) AND state <> 'running'
RETURNING id, state, script_name, source, failure_reason
