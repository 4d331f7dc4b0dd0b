-- ?1: a block, ?2: how many tasks of an account in it are worth a row. One row: [[serial or '', username or '', script,
-- source, status, failure reason or '', how many], …].
-- Whose tasks they are comes from their lanes, so that an index has all that is counted; tasks without a device have no lane.
WITH found AS (
         SELECT lane_id, NULL AS username, script_name, source,
                id IN (SELECT task_id FROM attempt WHERE finished_at IS NULL) AS status, '' AS failure_reason
         FROM task INDEXED BY task_open WHERE finished_at IS NULL AND id / 4096 = ?1 AND lane_id > 0
         UNION ALL
         SELECT lane_id, NULL, script_name, source, CASE state WHEN 'completed' THEN 2 ELSE 3 END,
                coalesce(failure_reason, '')
         FROM task INDEXED BY task_finished WHERE finished_at IS NOT NULL AND id / 4096 = ?1 AND lane_id > 0
         UNION ALL
         SELECT NULL, username, script_name, source, status, ''
         FROM task INDEXED BY task_open WHERE finished_at IS NULL AND id / 4096 = ?1 AND lane_id IS NULL
         UNION ALL
         SELECT NULL, username, script_name, source, status, coalesce(failure_reason, '')
         FROM task INDEXED BY task_finished WHERE finished_at IS NOT NULL AND id / 4096 = ?1 AND lane_id IS NULL),
     kind AS (
         SELECT lane_id, username, script_name, source, status, failure_reason, count(*) AS n
         FROM found GROUP BY 1, 2, 3, 4, 5, 6),
     named AS MATERIALIZED (
         SELECT coalesce(lane.serial, '') AS serial, coalesce(lane.username, kind.username, '') AS username, script_name,
                source, status, failure_reason, n
         FROM kind LEFT JOIN lane ON lane.id = kind.lane_id)
SELECT json_group_array(json_array(serial, username, script_name, source, status, failure_reason, n)) AS sums
FROM (SELECT serial, '' AS username, script_name, source, status, failure_reason, sum(n) AS n
      FROM named WHERE serial <> '' GROUP BY 1, 3, 4, 5, 6
      UNION ALL
      SELECT '', username, script_name, source, status, failure_reason, sum(n)
      FROM named WHERE username IN (SELECT username FROM named WHERE username <> '' GROUP BY 1 HAVING sum(n) >= ?2)
      GROUP BY 2, 3, 4, 5, 6
      UNION ALL
      SELECT serial, username, script_name, source, status, failure_reason, sum(n)
      FROM named
      WHERE serial <> ''
        AND (serial, username) IN (
            SELECT serial, username FROM named WHERE username <> '' GROUP BY 1, 2 HAVING sum(n) >= ?2)
      GROUP BY 1, 2, 3, 4, 5, 6)
