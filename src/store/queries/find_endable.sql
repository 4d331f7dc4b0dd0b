-- ?: [[attempt, task, epoch, token], …]. One row: [[attempt, token, script, source, stop asked for, [effect open, done,
-- acts] or null], …] of those that live under the lease given. Of several effects of a task, a confirmed one does not make it done.
-- acts: when it did what is counted already.
SELECT json_group_array(json_array(
    attempt.id, attempt.token, task.script_name, task.source, task.stop_requested_at IS NOT NULL,
    -- Most tasks have no effect: one look for all three answers.
    CASE WHEN EXISTS (SELECT 1 FROM effect WHERE effect.task_id = task.id) THEN json_array(
        EXISTS (SELECT 1 FROM effect WHERE effect.task_id = task.id AND effect.state IN ('intended', 'unknown')),
        EXISTS (SELECT 1 FROM effect
                WHERE effect.task_id = task.id AND effect.state IN ('confirmed', 'resolved_done')
                  AND effect.content ->> 'one_of_several' IS NULL),
        (SELECT json_group_array(intended_at) FROM effect
         WHERE effect.task_id = task.id AND effect.counted_by = attempt.id)) END)) AS endable
FROM json_each(?) AS ending
     CROSS JOIN attempt ON attempt.id = ending.value ->> 0
     CROSS JOIN task ON task.id = attempt.task_id
WHERE attempt.task_id = ending.value ->> 1 AND attempt.epoch = ending.value ->> 2
  AND attempt.token = ending.value ->> 3 AND attempt.finished_at IS NULL AND task.state = 'running'
