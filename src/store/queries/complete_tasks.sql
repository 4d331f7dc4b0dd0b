-- ?1: [[task, finished_at, remark], …]. What most tasks come to, apart from `end_tasks.sql`: it leaves alone all the
-- columns whose indexes would have to be looked at.
UPDATE task
SET state = 'completed', finished_at = ending.finished_at, remark = ending.remark, purpose = 'execute',
    stop_requested_at = NULL
FROM (SELECT value ->> 0 AS id, value ->> 1 AS finished_at, value ->> 2 AS remark
      FROM (SELECT value FROM json_each(?1) LIMIT -1) WHERE value IS NOT NULL) AS ending
WHERE task.id = ending.id AND task.state = 'running'
RETURNING id, script_name, source
