-- ?1: a task, ?2: its account, ?3: its phone, ?4: what its effect brings into the world, by its hash. The newest other task of
-- the account (or of the phone, when either has no account) that has done the same and has taken place, or may have: since ?5
-- by the wall clock, or, in this epoch, since ?6 by the clock that nobody sets.
SELECT task_id FROM (
    SELECT effect.task_id, effect.attempt_id
    FROM effect CROSS JOIN attempt ON attempt.id = effect.attempt_id
    WHERE effect.content ->> 'hash' = ?4 AND effect.task_id <> ?1
      AND effect.state IN ('intended', 'unknown', 'confirmed', 'resolved_done')
      AND (attempt.username = ?2 OR ((attempt.username IS NULL OR ?2 IS NULL) AND attempt.serial = ?3))
      AND (effect.intended_at > ?5
           OR (effect.steady_at > ?6 AND attempt.epoch = (SELECT max(epoch) FROM controller)))
    UNION ALL
    SELECT past.task_id, past.attempt_id
    FROM past_effect AS past
    WHERE past.hash = ?4
      AND (past.username = ?2 OR ((past.username IS NULL OR ?2 IS NULL) AND past.serial = ?3))
      AND (past.intended_at > ?5
           OR (past.steady_at > ?6 AND past.epoch = (SELECT max(epoch) FROM controller))))
ORDER BY attempt_id DESC LIMIT 1
