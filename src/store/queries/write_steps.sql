-- ?1: [[attempt, number, command, label, state, started_at, duration_ms, error, detail, screenshot, hierarchy], …]
INSERT INTO step (attempt_id, number, command, label, state, started_at, duration_ms, error, detail, screenshot,
                  hierarchy)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       nullif(value -> 8, 'null'), value ->> 9, value ->> 10
FROM json_each(?1)
WHERE EXISTS (SELECT 1 FROM attempt WHERE attempt.id = value ->> 0)
ON CONFLICT (attempt_id, number) DO UPDATE
SET command = excluded.command, label = excluded.label, state = excluded.state, started_at = excluded.started_at,
    duration_ms = excluded.duration_ms, error = excluded.error, detail = excluded.detail,
    screenshot = excluded.screenshot, hierarchy = excluded.hierarchy
