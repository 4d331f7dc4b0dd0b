-- ?1 task, ?2 step, ?3 ordinal: an effect; ?4: its account, ?5: its phone, which counts where there is no account.
-- Whether another task's act could be taken for it. What came later is told by the attempts (see find_touched_again.sql).
-- From the effects to their tasks: a script has far more tasks than there
-- are effects since.
SELECT -- One that was intended later, of the same script, or of any when both bring files into the world.
       EXISTS (
           SELECT 1
           FROM effect AS other INDEXED BY effect_by_attempt CROSS JOIN attempt ON attempt.id = other.attempt_id
                CROSS JOIN task ON task.id = other.task_id
           WHERE other.attempt_id > own.attempt_id AND other.task_id <> own.task_id
             AND other.state IN ('intended', 'unknown', 'confirmed', 'resolved_done')
             AND attempt.username IS ?4 AND (?4 IS NOT NULL OR attempt.serial = ?5)
             AND (task.script_name = mine.script_name
                  OR (other.content ->> 'hash' IS NOT NULL AND own.content ->> 'hash' IS NOT NULL)))
       -- One whose task is gone: what it did still counts.
       OR EXISTS (
           SELECT 1 FROM account_use
           WHERE account_use.username = ?4
             AND account_use.at > own.intended_at - 600000 * account_use.doubtful
             AND account_use.script_name = mine.script_name)
       -- One of the ten minutes before, of which nobody knew at that time: its upload may have come through since.
       OR EXISTS (
           SELECT 1
           FROM effect AS other INDEXED BY effect_by_attempt CROSS JOIN attempt ON attempt.id = other.attempt_id
                CROSS JOIN task ON task.id = other.task_id
           WHERE other.attempt_id < own.attempt_id AND other.attempt_id > own.attempt_id - 1000000
             AND other.intended_at > own.intended_at - 600000
             AND other.task_id <> own.task_id
             AND (other.state IN ('intended', 'unknown')
                  OR (other.state IN ('confirmed', 'resolved_done') AND other.settled_at > own.intended_at))
             AND attempt.username IS ?4 AND (?4 IS NOT NULL OR attempt.serial = ?5)
             AND (task.script_name = mine.script_name
                  OR (other.content ->> 'hash' IS NOT NULL AND own.content ->> 'hash' IS NOT NULL)))
       AS rival
FROM effect AS own JOIN task AS mine ON mine.id = own.task_id
WHERE own.task_id = ?1 AND own.step = ?2 AND own.ordinal = ?3
