-- Jumps from one lane to the next in the index instead of reading every pending task.
WITH RECURSIVE
    device (serial) AS (
        SELECT min(serial) FROM task
        WHERE state IN ('scheduled', 'available', 'retryable') AND serial IS NOT NULL
        UNION ALL
        SELECT (SELECT min(task.serial) FROM task
                WHERE task.state IN ('scheduled', 'available', 'retryable') AND task.serial IS NOT NULL
                  AND task.serial > device.serial)
        FROM device WHERE device.serial IS NOT NULL),
    account (serial, username) AS (
        SELECT serial, (SELECT min(task.username) FROM task
                        WHERE task.state IN ('scheduled', 'available', 'retryable') AND task.serial IS NOT NULL
                          AND task.serial = device.serial)
        FROM device WHERE serial IS NOT NULL
        UNION ALL
        SELECT serial, (SELECT min(task.username) FROM task
                        WHERE task.state IN ('scheduled', 'available', 'retryable') AND task.serial IS NOT NULL
                          AND task.serial = account.serial AND task.username > account.username)
        FROM account WHERE username IS NOT NULL)
SELECT serial, username FROM account WHERE username IS NOT NULL
UNION ALL
SELECT serial, NULL FROM device
WHERE serial IS NOT NULL
  AND EXISTS (SELECT 1 FROM task
              WHERE task.state IN ('scheduled', 'available', 'retryable') AND task.serial IS NOT NULL
                AND task.serial = device.serial AND task.username IS NULL)
ORDER BY 1, 2
