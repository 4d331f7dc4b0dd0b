-- ?1: the blocks that have pending tasks.
SELECT serial, username FROM lane
WHERE EXISTS (SELECT 1 FROM json_each(?1) AS block CROSS JOIN task INDEXED BY task_open
              WHERE task.id / 4096 = block.value AND task.lane_id = lane.id AND task.finished_at IS NULL
                AND task.state <> 'running')
ORDER BY serial, username
