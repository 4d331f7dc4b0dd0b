-- ?1 task, ?2 step, ?3 ordinal: an effect; ?4: the parameter that says to whom it is done. Whether another task of the account
-- has done something there since, or may have. What came later is told by the attempts: those of an account follow one
-- another, while the row of an effect that is intended once more keeps its number, and clocks are set.
SELECT EXISTS (
           SELECT 1 FROM effect AS other INDEXED BY effect_by_attempt
           WHERE other.attempt_id > own.attempt_id AND other.task_id <> own.task_id
             AND other.state IN ('intended', 'unknown', 'confirmed', 'resolved_done')
             AND other.content ->> 'username' IS own.content ->> 'username'
             AND other.content -> 'params' -> ?4 = own.content -> 'params' -> ?4) AS touched
FROM effect AS own
WHERE own.task_id = ?1 AND own.step = ?2 AND own.ordinal = ?3
