-- The newest start of each batch that keeps a gap, by device: read when a controller begins. Tasks without a gap are not in
-- it.
CREATE INDEX task_gap ON task (batch_id, serial, started_at) WHERE gap_ms IS NOT NULL;
