-- Only of the revision ?2; its next run is ?10 if ?9 says so.
UPDATE schedule
SET revision = revision + 1, name = ?3, enabled = ?4, request = ?5, recurrence = ?6, misfire = ?7, misfire_cap = ?8,
    next_at = CASE WHEN ?9 THEN ?10 ELSE next_at END,
    planned_since = CASE WHEN ?9 THEN ?11 ELSE planned_since END, updated_at = ?11
WHERE id = ?1 AND revision = ?2
RETURNING *
