-- Nothing is inserted when there are ?10 of them already.
INSERT INTO schedule (revision, name, enabled, request, recurrence, misfire, misfire_cap, seed, next_at, created_at,
                      updated_at, planned_since)
SELECT 1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9
WHERE (SELECT count(*) FROM schedule) < ?10
RETURNING *
