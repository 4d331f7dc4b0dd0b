UPDATE effect
SET state = ?4, settled_at = ?6,
    -- That its confirmation was seen and not believed stays known, whatever later looks find.
    evidence = CASE WHEN ?4 = 'unknown' AND json_type(?5) = 'object' AND evidence ->> 'unbelieved_since' IS NOT NULL
                    THEN json_set(?5, '$.unbelieved_since', evidence ->> 'unbelieved_since') ELSE ?5 END,
    unknown_checks = unknown_checks + (?4 = 'unknown')
WHERE task_id = ?1 AND step = ?2 AND ordinal = ?3 AND state IN ('intended', 'unknown')
