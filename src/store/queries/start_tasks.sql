-- ?1: {task: started_at, …}; only of what find_startable.sql has found.
UPDATE task
SET state = 'running', attempts = attempts + 1, started_at = claim.value, progress = NULL, remark = ''
FROM json_each(?1) AS claim
WHERE task.id = CAST(claim.key AS INTEGER)
