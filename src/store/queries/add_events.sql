-- The first ?: now. The second: {"topic kind": {subject: data, …}, …} in order; a topic and kind, and a subject, may be there
-- more than once.
INSERT INTO event (at, topic, kind, subject, data)
SELECT ?, run.topic, run.kind, one.key, one.value
FROM (SELECT substr(key, 1, instr(key, ' ') - 1) AS topic, substr(key, instr(key, ' ') + 1) AS kind, value
      FROM json_each(?) LIMIT -1) AS run CROSS JOIN json_each(run.value) AS one
