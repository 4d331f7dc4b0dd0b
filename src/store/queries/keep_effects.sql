-- ?1: [task, …] that are about to be deleted, ?2: now. What they have done, or may have, goes on to count; nobody will find
-- out any more about what is open.
INSERT INTO account_use (username, script_name, at, doubtful)
SELECT attempt.username, task.script_name, effect.intended_at, 1
FROM json_each(?1) AS asked CROSS JOIN effect ON effect.task_id = asked.value
     JOIN attempt ON attempt.id = effect.attempt_id JOIN task ON task.id = effect.task_id
WHERE effect.state IN ('intended', 'unknown') AND attempt.username IS NOT NULL AND task.state <> 'running';

INSERT OR IGNORE INTO media_use (sha256, username, used_at)
SELECT file.value ->> 'sha256', attempt.username, effect.intended_at
FROM json_each(?1) AS asked CROSS JOIN effect ON effect.task_id = asked.value
     JOIN attempt ON attempt.id = effect.attempt_id JOIN task ON task.id = effect.task_id
     JOIN json_each(effect.content, '$.media') AS file
WHERE effect.state IN ('intended', 'unknown') AND attempt.username IS NOT NULL AND task.state <> 'running'
  AND file.value ->> 'sha256' IS NOT NULL;

INSERT INTO past_effect (task_id, attempt_id, epoch, script_name, serial, username, hash, params, state, intended_at,
                         settled_at, steady_at, gone_at)
SELECT task.id, attempt.id, attempt.epoch, task.script_name, attempt.serial, attempt.username, effect.content ->> 'hash',
       CASE WHEN effect.content ->> 'hash' IS NULL THEN effect.content -> 'params' END, effect.state, effect.intended_at,
       effect.settled_at, effect.steady_at, ?2
FROM json_each(?1) AS asked CROSS JOIN effect ON effect.task_id = asked.value
     JOIN attempt ON attempt.id = effect.attempt_id JOIN task ON task.id = effect.task_id
WHERE effect.state IN ('intended', 'unknown', 'confirmed', 'resolved_done') AND task.state <> 'running';
