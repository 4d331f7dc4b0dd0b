-- ?2: {subject: data, …} in order, of one topic ?3 and kind ?4; a subject may be there more than once. ?5: now. (?1 is
-- that of `add_counts.sql`, which goes to SQLite in the same call.)
INSERT INTO event (at, topic, kind, subject, data)
SELECT ?5, ?3, ?4, key, value FROM json_each(?2)
