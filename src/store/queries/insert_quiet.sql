-- ?1: rows of count_quiet.sql, ?2: the mark of their block. Nothing is written when a change has taken the mark away. Rows of a
-- count that was cut off may be there already; as the mark is still there, they say the same.
INSERT INTO quiet_count (mark, serial, username, script_name, source, status, failure_reason, n)
SELECT ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM quiet_block WHERE mark = ?2)
ON CONFLICT DO NOTHING
