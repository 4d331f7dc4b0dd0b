-- ?: [[task, serial, username], …], a task that is not stored yet as null. One row: [[task, attempts, purpose, script,
-- source, config, live attempt of the device, live attempt of the account], …], one for each that was asked for; a task that
-- is not pending as null.
SELECT json_group_array(json_array(
    task.id, task.attempts, task.purpose, task.script_name, task.source, task.config,
    (SELECT attempt.id FROM attempt WHERE attempt.serial = claim.value ->> 1 AND attempt.finished_at IS NULL),
    (SELECT attempt.id FROM attempt
     WHERE attempt.username = claim.value ->> 2 AND attempt.username IS NOT NULL AND attempt.finished_at IS NULL)))
    AS claimable
FROM json_each(?) AS claim
     LEFT JOIN task ON task.id = claim.value ->> 0 AND task.finished_at IS NULL AND task.state <> 'running'
