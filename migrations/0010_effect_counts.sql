-- The attempt at whose end, or before it, a confirmed effect was counted towards its account's limits and its files were
-- marked as used (0: a person said that it took place). NULL: not counted.
ALTER TABLE effect ADD COLUMN counted_by INTEGER;

-- So far they were counted when their task was completed.
UPDATE effect SET counted_by = attempt_id
WHERE state IN ('confirmed', 'resolved_done') AND task_id IN (SELECT id FROM task WHERE state = 'completed');
