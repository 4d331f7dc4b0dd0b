-- ?1 serial, ?2 username, ?3 batch, ?4 script, ?5 reason, ?6 created from, ?7 created before: null means any.
SELECT id, script_name, source, failure_reason FROM task
WHERE state = 'failed'
  AND (?1 IS NULL OR serial = ?1) AND (?2 IS NULL OR username = ?2) AND (?3 IS NULL OR batch_id = ?3)
  AND (?4 IS NULL OR script_name = ?4) AND (?5 IS NULL OR failure_reason = ?5)
  AND (?6 IS NULL OR created_at >= ?6) AND (?7 IS NULL OR created_at < ?7)
ORDER BY id
