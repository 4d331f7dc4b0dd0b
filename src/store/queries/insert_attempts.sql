-- ?: an array of rows, each an array in the order of the columns.
INSERT INTO attempt (id, task_id, number, purpose, serial, username, epoch, token, started_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8
FROM (SELECT value FROM json_each(?) LIMIT -1) WHERE value IS NOT NULL
