INSERT INTO schedule_run (schedule_id, planned_at, manual, fired_at, revision, batch_id, first_task, task_count, remark)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (schedule_id, planned_at, manual) DO UPDATE
SET fired_at = excluded.fired_at, revision = excluded.revision, batch_id = excluded.batch_id,
    first_task = excluded.first_task, task_count = excluded.task_count, remark = excluded.remark;
-- Old ones go with it.
DELETE FROM schedule_run WHERE schedule_id = ?1 AND planned_at < ?10
