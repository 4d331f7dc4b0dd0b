-- ?1: an account, or none for all. Few effects are open at a time.
SELECT attempt.username, task.id AS task_id, task.script_name, effect.intended_at
FROM effect INDEXED BY effect_open CROSS JOIN attempt ON attempt.id = effect.attempt_id
     CROSS JOIN task ON task.id = effect.task_id
WHERE (effect.state = 'intended' OR effect.state = 'unknown')
  AND attempt.username IS NOT NULL AND (?1 IS NULL OR attempt.username = ?1)
