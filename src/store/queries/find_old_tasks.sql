-- ?1: after this task, ?2: those that ended by this time, ?3: look at so many. Tasks are created in the order of their
-- numbers, so the walk ends at the first that was created later.
SELECT id, finished_at IS NOT NULL AND finished_at <= ?2 AS old FROM (
    SELECT id, finished_at, created_at FROM task WHERE id > ?1 ORDER BY id LIMIT ?3)
WHERE created_at <= ?2
ORDER BY id
