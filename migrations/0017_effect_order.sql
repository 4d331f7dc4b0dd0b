-- Which acts came after one, and which shortly before it: by their attempts, for an effect that is intended once more keeps
-- its row.
CREATE INDEX effect_by_attempt ON effect (attempt_id);
