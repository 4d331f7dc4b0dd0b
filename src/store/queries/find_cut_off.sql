-- ?1: the epoch that has begun. Of several effects of a task, a confirmed one does not complete it.
-- At most one live attempt per device, so these are few.
SELECT attempt.id AS attempt, task.id AS task, task.script_name, task.source, task.interruptions, task.stop_requested_at IS NOT NULL AS stop_requested,
       EXISTS (SELECT 1 FROM effect
               WHERE effect.task_id = task.id AND effect.state IN ('intended', 'unknown')) AS effect_open,
       EXISTS (SELECT 1 FROM effect
               WHERE effect.task_id = task.id AND effect.state IN ('confirmed', 'resolved_done')
                 AND effect.content ->> 'one_of_several' IS NULL) AS effect_confirmed
FROM attempt INDEXED BY attempt_live_task JOIN task ON task.id = attempt.task_id
WHERE attempt.finished_at IS NULL AND attempt.epoch < ?1
ORDER BY attempt.id
