-- ?1: [task, …], ?2: now. 600000 is the head start of one step of priority; what is to be verified comes before
-- everything else (see list_due.sql). A time of day that is still to come is waited for.
UPDATE task
SET state = CASE WHEN again.due IS NULL THEN 'available' ELSE 'scheduled' END, due_at = again.due,
    rank = coalesce(again.due, ?2) - priority * 600000 - 1000000000000000 * again.open,
    purpose = CASE WHEN again.open THEN 'verify' ELSE 'execute' END,
    retry_count = retry_count + 1, auto_retries = 0, interruptions = 0, stop_requested_at = NULL, finished_at = NULL,
    progress = NULL, remark = '', failure_reason = NULL, failure_message = NULL, failure_step = NULL,
    failure_retryable = NULL
FROM (SELECT task_id, open, CASE WHEN scheduled_at > ?2 AND NOT open THEN scheduled_at END AS due
      FROM (SELECT id AS task_id, scheduled_at,
                   failure_reason = 'outcome_unknown'
                   OR EXISTS (SELECT 1 FROM effect
                              WHERE effect.task_id = task.id AND effect.state IN ('intended', 'unknown')) AS open
            FROM task
            WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'failed')) AS again
WHERE task.id = again.task_id
