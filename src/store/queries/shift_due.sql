-- ?1: milliseconds by which the clock was set, ?2: what it showed before. A task with a time of day waits for that, until it
-- is taken up again; the others of its batch wait for it as long as the batch has not begun.
UPDATE task
SET due_at = due_at + ?1, rank = rank + ?1 * (state <> 'retryable')
WHERE finished_at IS NULL AND state <> 'running' AND due_at IS NOT NULL
  AND (state = 'retryable' OR scheduled_at IS NULL OR (gap_ms IS NOT NULL AND scheduled_at <= ?2 AND due_at > scheduled_at))
