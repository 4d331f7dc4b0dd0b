-- ?: {task: [finished_at, remark], …}. What most running tasks come to, apart from `end_tasks.sql`: it leaves alone all
-- the columns whose indexes would have to be looked at.
UPDATE task
SET state = 'completed', finished_at = max(ending.value ->> 0, started_at), remark = ending.value ->> 1, purpose = 'execute',
    stop_requested_at = NULL
FROM json_each(?) AS ending
WHERE task.id = CAST(ending.key AS INTEGER)
