-- ?1: a task; ?2: its account; ?3: its phone, which counts where there is no account. Whether an attempt of another task may
-- have acted since the attempt that reached the checkpoint, or has looked what became of such an act, or one is open.
SELECT EXISTS (
           SELECT 1
           FROM attempt CROSS JOIN effect ON effect.task_id = attempt.task_id
           WHERE attempt.id > checkpoint.attempt_id AND attempt.task_id <> ?1
             AND attempt.username IS ?2 AND (?2 IS NOT NULL OR attempt.serial = ?3)
             AND effect.state IN ('intended', 'unknown', 'confirmed', 'resolved_done'))
       OR EXISTS (
           SELECT 1
           FROM effect INDEXED BY effect_open CROSS JOIN attempt ON attempt.id = effect.attempt_id
           WHERE (effect.state = 'intended' OR effect.state = 'unknown') AND effect.task_id <> ?1
             AND attempt.username IS ?2 AND (?2 IS NOT NULL OR attempt.serial = ?3))
       -- One whose task is gone.
       OR EXISTS (
           SELECT 1 FROM attempt CROSS JOIN account_use INDEXED BY account_use_by_name ON account_use.at >= attempt.started_at
           WHERE attempt.id = checkpoint.attempt_id AND account_use.username = ?2)
       AS acted
FROM checkpoint WHERE checkpoint.task_id = ?1
