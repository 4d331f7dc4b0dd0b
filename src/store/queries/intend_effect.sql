-- Changes no row when the effect is in any state but the two that allow the act again.
INSERT INTO effect (task_id, step, ordinal, state, content, baseline, attempt_id, intended_at, steady_at)
VALUES (?1, ?2, ?3, 'intended', ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (task_id, step, ordinal) DO UPDATE
SET state = 'intended', content = excluded.content, baseline = excluded.baseline, evidence = NULL,
    unknown_checks = 0, attempt_id = excluded.attempt_id, intended_at = excluded.intended_at,
    steady_at = excluded.steady_at, settled_at = NULL
WHERE effect.state IN ('refuted', 'resolved_not_done')
