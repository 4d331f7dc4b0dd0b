-- ?: an array of rows, each an array in the order of the columns; the lane's number comes from its name.
INSERT INTO task (id, batch_id, script_name, serial, username, enable_multi_account, source, start_time, scheduled_at,
                  due_at, gap_ms, priority, rank, state, created_at, config, schedule_id, lane_id)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value -> '$[15][0]',
       value ->> '$[15][1]',
       (SELECT lane.id FROM lane
        WHERE lane.serial = value ->> 3 AND coalesce(lane.username, '') = coalesce(value ->> 4, ''))
FROM (SELECT value FROM json_each(?) LIMIT -1) WHERE value IS NOT NULL
