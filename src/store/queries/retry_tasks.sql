-- ?1: [task, …], ?2: now. 600000 is the head start of one step of priority; what is to be verified comes before
-- everything else (see list_due.sql).
UPDATE task
SET state = 'available', due_at = NULL,
    rank = ?2 - priority * 600000
         - 1000000000000000 * (failure_reason = 'outcome_unknown'
                               OR EXISTS (SELECT 1 FROM effect
                                          WHERE effect.task_id = task.id AND effect.state IN ('intended', 'unknown'))),
    purpose = CASE WHEN failure_reason = 'outcome_unknown'
                     OR EXISTS (SELECT 1 FROM effect
                                WHERE effect.task_id = task.id AND effect.state IN ('intended', 'unknown'))
                   THEN 'verify' ELSE 'execute' END,
    retry_count = retry_count + 1, auto_retries = 0, interruptions = 0, stop_requested_at = NULL, finished_at = NULL,
    progress = NULL, remark = '', failure_reason = NULL, failure_message = NULL, failure_step = NULL,
    failure_retryable = NULL
WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'failed'
