-- ?1 task, ?2 step, ?3 ordinal: an effect; ?4: its account, ?5: its phone; ?6: whether the check compares the values of
-- `same`. Whether another task's act could be taken for it: one of its account, or one in its app on its phone when either has
-- no account, of the same script, or of any when both bring files into the world. What came later is told by the attempts (see find_touched_again.sql). From the effects to their tasks: a
-- script has far more tasks than there are effects since.
WITH own AS (
    SELECT effect.*, effect.content ->> 'hash' AS hash, effect.content -> 'same' AS same,
           coalesce(effect.content ->> 'package', '') AS package, task.script_name, attempt.serial, attempt.epoch
    FROM effect JOIN task ON task.id = effect.task_id JOIN attempt ON attempt.id = effect.attempt_id
    WHERE effect.task_id = ?1 AND effect.step = ?2 AND effect.ordinal = ?3
),
other AS (
    SELECT effect.attempt_id, effect.state, effect.intended_at, effect.settled_at, effect.steady_at,
           effect.content ->> 'hash' AS hash, effect.content -> 'same' AS same,
           coalesce(effect.content ->> 'package', '') AS package, task.script_name, attempt.serial, attempt.username, attempt.epoch,
           -- Its confirmation was seen, and not believed because of an act of this time.
           effect.evidence ->> 'unbelieved_since' AS unbelieved_since
    FROM own CROSS JOIN effect INDEXED BY effect_by_attempt CROSS JOIN attempt ON attempt.id = effect.attempt_id
         CROSS JOIN task ON task.id = effect.task_id
    WHERE effect.attempt_id > own.attempt_id - 1000000 AND effect.task_id <> own.task_id
      AND effect.state IN ('intended', 'unknown', 'confirmed', 'resolved_done')
      AND (effect.attempt_id > own.attempt_id OR effect.intended_at > own.intended_at - 600000
           OR effect.steady_at > own.steady_at - 600000)
    UNION ALL
    -- Those whose tasks are gone.
    SELECT past.attempt_id, past.state, past.intended_at, past.settled_at, past.steady_at,
           past.hash, NULL, '', past.script_name, past.serial, past.username, past.epoch, NULL
    FROM own CROSS JOIN past_effect AS past INDEXED BY past_effect_by_attempt
    WHERE past.attempt_id > own.attempt_id - 1000000
      AND (past.attempt_id > own.attempt_id OR past.intended_at > own.intended_at - 600000
           OR past.steady_at > own.steady_at - 600000)
)
SELECT EXISTS (
           SELECT 1 FROM own CROSS JOIN other
           WHERE (other.username = ?4
                  OR ((other.username IS NULL OR ?4 IS NULL) AND other.serial IN (?5, own.serial)
                      AND (own.package = '' OR other.package IN ('', own.package))))
             AND (other.script_name = own.script_name OR (other.hash IS NOT NULL AND own.hash IS NOT NULL))
             AND NOT (?6 AND other.script_name = own.script_name AND coalesce(other.same <> own.same, FALSE))
             AND (other.attempt_id > own.attempt_id
                  -- One of the ten minutes before, of which nobody knew at that time: its upload may have come through
                  -- since. Within an epoch the minutes are told by the clock that nobody sets.
                  OR (other.attempt_id < own.attempt_id
                      AND CASE WHEN other.unbelieved_since IS NULL
                          THEN other.intended_at > own.intended_at - 600000
                               OR (other.epoch = own.epoch AND other.steady_at > own.steady_at - 600000)
                          ELSE other.unbelieved_since > own.intended_at - 600000 END
                      AND (other.state IN ('intended', 'unknown')
                           -- Settled before it was intended: the clock was set back.
                           OR other.settled_at > own.intended_at OR other.settled_at < other.intended_at))))
       -- What older versions kept of tasks that are gone.
       OR EXISTS (
           SELECT 1 FROM own JOIN account_use
           WHERE account_use.username = ?4
             AND account_use.at > own.intended_at - 600000 * account_use.doubtful
             AND account_use.script_name = own.script_name)
       AS rival
FROM own
