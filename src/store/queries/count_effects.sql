-- ?1: [[task, attempt that counts them], …]. The effects of these tasks that have taken place and are not counted yet: at
-- the time of the act, for the account that the acting attempt had.
INSERT INTO account_use (username, script_name, at)
SELECT attempt.username, task.script_name, effect.intended_at
FROM json_each(?1) AS counted
     CROSS JOIN effect ON effect.task_id = counted.value ->> 0
     JOIN attempt ON attempt.id = effect.attempt_id
     JOIN task ON task.id = effect.task_id
WHERE effect.counted_by IS NULL AND effect.state IN ('confirmed', 'resolved_done') AND attempt.username IS NOT NULL;

INSERT OR IGNORE INTO media_use (sha256, username, used_at)
SELECT file.value ->> 'sha256', attempt.username, effect.intended_at
FROM json_each(?1) AS counted
     CROSS JOIN effect ON effect.task_id = counted.value ->> 0
     JOIN attempt ON attempt.id = effect.attempt_id
     JOIN json_each(effect.content, '$.media') AS file
WHERE effect.counted_by IS NULL AND effect.state IN ('confirmed', 'resolved_done') AND attempt.username IS NOT NULL
  AND file.value ->> 'sha256' IS NOT NULL;

UPDATE effect SET counted_by = counted.value ->> 1
FROM json_each(?1) AS counted
WHERE effect.task_id = counted.value ->> 0 AND effect.counted_by IS NULL
  AND effect.state IN ('confirmed', 'resolved_done')
RETURNING task_id, intended_at;
