SELECT serial, username FROM lane
WHERE EXISTS (SELECT 1 FROM task
              WHERE task.lane_id = lane.id AND task.state IN ('scheduled', 'available', 'retryable'))
ORDER BY serial, username
