-- ?1 serial, ?2 username, ?3 batch: null means any.
SELECT id, script_name, source, failure_reason FROM task
WHERE failure_reason IS NOT NULL
  AND (?1 IS NULL OR serial = ?1) AND (?2 IS NULL OR username = ?2) AND (?3 IS NULL OR batch_id = ?3)
ORDER BY id
