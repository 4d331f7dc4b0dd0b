-- ?1: numbers of schedules.
SELECT run.* FROM json_each(?1) AS asked
CROSS JOIN schedule_run AS run
    ON run.schedule_id = asked.value
    AND (run.planned_at, run.manual) = (SELECT planned_at, manual FROM schedule_run AS latest
                                        WHERE latest.schedule_id = asked.value
                                        ORDER BY latest.fired_at DESC, latest.planned_at DESC LIMIT 1)
ORDER BY run.schedule_id
