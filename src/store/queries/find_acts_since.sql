-- ?1: a task; ?2: its account; ?3: its phone, which counts where either has no account. Whether an attempt of another task may
-- have acted since the attempt that reached the checkpoint, or has looked what became of such an act, or one is open.
SELECT EXISTS (
           SELECT 1
           FROM attempt CROSS JOIN effect ON effect.task_id = attempt.task_id
           WHERE attempt.id > checkpoint.attempt_id AND attempt.task_id <> ?1
             AND (attempt.username = ?2 OR (attempt.username IS NULL OR ?2 IS NULL) AND attempt.serial = ?3)
             AND effect.state IN ('intended', 'unknown', 'confirmed', 'resolved_done'))
       OR EXISTS (
           SELECT 1
           FROM effect INDEXED BY effect_open CROSS JOIN attempt ON attempt.id = effect.attempt_id
           WHERE (effect.state = 'intended' OR effect.state = 'unknown') AND effect.task_id <> ?1
             AND (attempt.username = ?2 OR (attempt.username IS NULL OR ?2 IS NULL) AND attempt.serial = ?3))
       -- One of before that is known since, be it by a person's word.
       OR EXISTS (
           SELECT 1
           FROM attempt AS own CROSS JOIN effect INDEXED BY effect_by_attempt CROSS JOIN attempt ON attempt.id = effect.attempt_id
           WHERE own.id = checkpoint.attempt_id AND effect.attempt_id < own.id AND effect.attempt_id > own.id - 100000
             AND effect.settled_at >= own.started_at AND effect.state IN ('confirmed', 'resolved_done')
             AND effect.task_id <> ?1 AND (attempt.username = ?2 OR (attempt.username IS NULL OR ?2 IS NULL) AND attempt.serial = ?3))
       -- Those whose tasks are gone.
       OR EXISTS (
           SELECT 1
           FROM past_effect AS past INDEXED BY past_effect_by_attempt
           WHERE past.attempt_id > checkpoint.attempt_id - 100000
             AND (past.attempt_id > checkpoint.attempt_id OR past.state IN ('intended', 'unknown')
                  OR past.settled_at >= checkpoint.reached_at)
             AND (past.username = ?2 OR (past.username IS NULL OR ?2 IS NULL) AND past.serial = ?3))
       -- The same by what older versions kept; of which nobody knew, also of the day before.
       OR EXISTS (
           SELECT 1
           FROM attempt CROSS JOIN account_use INDEXED BY account_use_by_name
                ON account_use.at >= attempt.started_at - 86400000 * account_use.doubtful
           WHERE attempt.id = checkpoint.attempt_id AND account_use.username = ?2
             AND NOT EXISTS (SELECT 1 FROM effect WHERE effect.task_id = ?1 AND effect.intended_at = account_use.at))
       AS acted
FROM checkpoint WHERE checkpoint.task_id = ?1
