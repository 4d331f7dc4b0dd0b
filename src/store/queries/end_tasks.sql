-- Of running tasks. ?1: [[task, state, finished_at, due_at, purpose, counts, remark, reason, message, step, retryable], …]
-- A task that goes on keeps its place among those of its lane, and has its turn there as soon as it is due; while it is to
-- be verified it comes before everything else (see list_due.sql).
UPDATE task
SET state = ending.state,
    finished_at = max(ending.finished_at, started_at),
    due_at = coalesce(ending.due_at, task.due_at),
    rank = task.rank + 1000000000000000 * (task.rank < -500000000000000)
         - 1000000000000000 * (ending.due_at IS NOT NULL AND ending.purpose = 'verify'),
    purpose = ending.purpose,
    retry_count = retry_count + ending.counts,
    auto_retries = auto_retries + ending.counts,
    stop_requested_at = CASE WHEN ending.finished_at IS NULL THEN stop_requested_at END,
    progress = CASE WHEN ending.finished_at IS NOT NULL THEN progress END,
    remark = ending.remark,
    failure_reason = ending.reason,
    failure_message = ending.message,
    failure_step = ending.step,
    failure_retryable = ending.retryable
FROM (SELECT value ->> 0 AS id, value ->> 1 AS state, value ->> 2 AS finished_at, value ->> 3 AS due_at,
             value ->> 4 AS purpose, value ->> 5 AS counts, value ->> 6 AS remark, value ->> 7 AS reason,
             value ->> 8 AS message, value ->> 9 AS step, value ->> 10 AS retryable
      FROM (SELECT value FROM json_each(?1) LIMIT -1) WHERE value IS NOT NULL) AS ending
WHERE task.id = ending.id
