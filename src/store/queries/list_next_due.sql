-- ?1: [[serial, username], …], ?2: now.
SELECT (SELECT min(due_at) FROM task
        WHERE state IN ('scheduled', 'available', 'retryable') AND serial IS NOT NULL AND due_at IS NOT NULL
          AND serial = lane.value ->> 0 AND username IS lane.value ->> 1 AND due_at > ?2) AS next_due
FROM json_each(?1) AS lane ORDER BY lane.key
