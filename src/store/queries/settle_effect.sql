UPDATE effect
SET state = ?4, evidence = ?5, settled_at = ?6,
    unknown_checks = unknown_checks + (?4 = 'unknown')
WHERE task_id = ?1 AND step = ?2 AND ordinal = ?3 AND state IN ('intended', 'unknown')
