-- ?1: numbers of schedules. ?2: milliseconds since 1970.
SELECT run.schedule_id, run.planned_at FROM json_each(?1) AS asked
CROSS JOIN schedule_run AS run
    ON run.schedule_id = asked.value AND run.planned_at >= ?2 AND run.manual = 0 AND run.batch_id IS NOT NULL
