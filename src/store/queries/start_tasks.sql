-- ?: {task: started_at, …}; only of what find_claimable.sql has found, or of what is new.
UPDATE task
SET state = 'running', attempts = attempts + 1, started_at = max(claim.value, created_at), progress = NULL, remark = ''
FROM json_each(?) AS claim
WHERE task.id = CAST(claim.key AS INTEGER)
