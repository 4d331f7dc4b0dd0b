-- The first ?: now. The second: {"topic kind": {subject: data, …}, …} in order; a topic and kind, and a subject, may be there
-- more than once.
INSERT INTO event (at, topic, kind, subject, data)
SELECT ?, run.topic, run.kind, one.key,
       CASE one.type WHEN 'object' THEN one.value WHEN 'text' THEN json_quote(one.value) WHEN 'true' THEN 'true'
                     WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' ELSE one.value END
FROM (SELECT substr(key, 1, instr(key, ' ') - 1) AS topic, substr(key, instr(key, ' ') + 1) AS kind, value
      FROM json_each(?) LIMIT -1) AS run CROSS JOIN json_each(run.value) AS one
