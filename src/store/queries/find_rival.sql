-- ?1 task, ?2 step, ?3 ordinal: an effect; ?4: its account, ?5: its phone, which counts where there is no account.
-- Whether another task of the script acted after it was intended, or may have acted. From the effects to their tasks: a
-- script has far more tasks than there are effects since.
SELECT EXISTS (
           SELECT 1
           FROM effect AS other NOT INDEXED CROSS JOIN attempt ON attempt.id = other.attempt_id
                CROSS JOIN task ON task.id = other.task_id
           WHERE other.id > own.id AND other.task_id <> own.task_id
             AND other.state IN ('intended', 'unknown', 'confirmed', 'resolved_done')
             AND attempt.username IS ?4 AND (?4 IS NOT NULL OR attempt.serial = ?5) AND task.script_name = mine.script_name)
       OR EXISTS (
           SELECT 1
           FROM effect AS other INDEXED BY effect_open
                CROSS JOIN attempt ON attempt.id = other.attempt_id CROSS JOIN task ON task.id = other.task_id
           WHERE other.state IN ('intended', 'unknown') AND other.task_id <> own.task_id
             AND attempt.username IS ?4 AND (?4 IS NOT NULL OR attempt.serial = ?5) AND task.script_name = mine.script_name)
       AS rival
FROM effect AS own JOIN task AS mine ON mine.id = own.task_id
WHERE own.task_id = ?1 AND own.step = ?2 AND own.ordinal = ?3
