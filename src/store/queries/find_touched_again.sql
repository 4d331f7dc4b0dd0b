-- ?1 task, ?2 step, ?3 ordinal: an effect; ?4: the parameter that says to whom it is done. Whether another task of the account
-- (or of the phone, when either has no account) has done something there since, or may have. What came later is told by the
-- attempts: those of an account follow one another, while the row of an effect that is intended once more keeps its number,
-- and clocks are set.
SELECT EXISTS (
           SELECT 1
           FROM effect AS other INDEXED BY effect_by_attempt CROSS JOIN attempt ON attempt.id = other.attempt_id
           WHERE other.attempt_id > own.attempt_id AND other.task_id <> own.task_id
             AND other.state IN ('intended', 'unknown', 'confirmed', 'resolved_done')
             AND other.content -> 'params' -> ?4 = own.content -> 'params' -> ?4
             AND (attempt.username = acting.username
                  OR ((attempt.username IS NULL OR acting.username IS NULL) AND attempt.serial = acting.serial)))
       OR EXISTS (
           SELECT 1 FROM past_effect AS past INDEXED BY past_effect_by_attempt
           WHERE past.attempt_id > own.attempt_id
             AND past.params -> ?4 = own.content -> 'params' -> ?4
             AND (past.username = acting.username
                  OR ((past.username IS NULL OR acting.username IS NULL) AND past.serial = acting.serial)))
       AS touched
FROM effect AS own JOIN attempt AS acting ON acting.id = own.attempt_id
WHERE own.task_id = ?1 AND own.step = ?2 AND own.ordinal = ?3
