-- ?2: an array of events, each an array in the order of the columns; ?3: now. (?1 is that of `add_counts.sql`, which
-- goes to SQLite in the same call.)
INSERT INTO event (at, topic, kind, subject, data)
SELECT ?3, value ->> 0, value ->> 1, value ->> 2, value -> 3
FROM (SELECT value FROM json_each(?2) LIMIT -1) WHERE value IS NOT NULL
