-- ?1: [[serial, username, [script that is passed over, …], [batch whose tasks with a gap are, …]], …], ?2: now, ?3: how many
-- of each lane, ?4: whether anything is passed over at all, so that usually no list is looked into for each task, ?5: the
-- blocks that have pending tasks, in order. One row for each lane, its tasks as one text: a farm asks for thousands of tasks at once, and each row costs more on
-- its way out of SQLite than to be found.
-- Tasks whose place is their number come from the blocks, the oldest first: the inner LIMIT counts in the order of the
-- blocks and of their index. The others come from `task_lane`. Both parts are cut off before they are brought into one order.
-- While it is not known whether a task of a lane took place, no other task of it may act: a check compares what the app
-- shows with what it showed before. Such a task has a rank far below all others, whether it is due or not.
SELECT (SELECT json_group_array(json_array(id, batch_id, script_name, due_at, gap_ms, priority, purpose, attempts,
                                           auto_retries))
        FROM (SELECT * FROM (
                  SELECT task.id, batch_id, script_name, due_at, gap_ms, priority, purpose, attempts, auto_retries, rank
                  FROM json_each(?5) AS block CROSS JOIN task INDEXED BY task_open
                  WHERE task.id / 4096 = block.value AND lane_id = lane.id AND finished_at IS NULL AND state <> 'running'
                    AND due_at IS NULL AND rank = created_at
                    AND (NOT ?4 OR script_name NOT IN (SELECT value FROM json_each(asked.value, '$[2]'))
                                   AND (gap_ms IS NULL OR attempts > 0
                                        OR batch_id NOT IN (SELECT value FROM json_each(asked.value, '$[3]'))))
                    AND NOT EXISTS (SELECT 1 FROM task AS open
                                    WHERE open.lane_id = lane.id AND open.rank < -500000000000000
                                      AND open.finished_at IS NULL AND open.state <> 'running'
                                      AND (open.due_at IS NOT NULL OR open.rank <> open.created_at))
                  LIMIT ?3)
              UNION ALL
              SELECT * FROM (
                  SELECT id, batch_id, script_name, due_at, gap_ms, priority, purpose, attempts, auto_retries, rank
                  FROM task INDEXED BY task_lane
                  WHERE finished_at IS NULL AND state <> 'running' AND (due_at IS NOT NULL OR rank <> created_at)
                    AND lane_id = lane.id AND (due_at IS NULL OR due_at <= ?2)
                    AND rank < CASE WHEN EXISTS (SELECT 1 FROM task AS open
                                                 WHERE open.lane_id = lane.id AND open.rank < -500000000000000
                                                   AND open.finished_at IS NULL AND open.state <> 'running'
                                                   AND (open.due_at IS NOT NULL OR open.rank <> open.created_at))
                                    THEN -500000000000000 ELSE 9223372036854775807 END
                    AND (NOT ?4 OR rank < -500000000000000
                         OR script_name NOT IN (SELECT value FROM json_each(asked.value, '$[2]'))
                            AND (gap_ms IS NULL OR attempts > 0 OR batch_id NOT IN (SELECT value FROM json_each(asked.value, '$[3]'))))
                  ORDER BY rank, id LIMIT ?3)
              ORDER BY rank, id LIMIT ?3)) AS due,
       (SELECT min(due_at) FROM task
        WHERE finished_at IS NULL AND state <> 'running' AND due_at IS NOT NULL AND lane_id = lane.id
          AND due_at > ?2) AS next_due,
       -- The first of those that are to be verified, due or not, and how many checks could not tell.
       (SELECT json_array(open.id, (SELECT coalesce(max(unknown_checks), 0) FROM effect
                                    WHERE effect.task_id = open.id AND effect.state IN ('intended', 'unknown')))
        FROM (SELECT id, rank FROM task AS open INDEXED BY task_lane
              WHERE open.lane_id = lane.id AND open.rank < -500000000000000 AND open.finished_at IS NULL
                AND open.state <> 'running' AND (open.due_at IS NOT NULL OR open.rank <> open.created_at)
              ORDER BY rank, id LIMIT 1) AS open) AS unverified
FROM json_each(?1) AS asked
     LEFT JOIN lane ON lane.serial = asked.value ->> 0
         AND coalesce(lane.username, '') = coalesce(asked.value ->> 1, '')
ORDER BY asked.key
