-- ?1: a task; ?2, ?3: its phone and its app; ?4: since when. Of the other tasks' acts there that may have taken place, of which
-- nobody knows, the newest: the app may tell of it at any time. One that was confirmed, which was not believed because of an
-- older one, is as old as that: one of the two has come through. An app that is not known is any. Few effects are open at a time.
WITH open AS (
    SELECT coalesce(effect.evidence ->> 'unbelieved_since', effect.intended_at) AS since
    FROM effect INDEXED BY effect_open CROSS JOIN attempt ON attempt.id = effect.attempt_id
    WHERE (effect.state = 'intended' OR effect.state = 'unknown') AND effect.task_id <> ?1 AND effect.intended_at > ?4
      AND attempt.serial = ?2 AND (?3 = '' OR coalesce(effect.content ->> 'package', '') IN (?3, ''))
    UNION ALL
    -- Those whose tasks are gone: in which app they were is not kept.
    SELECT past.intended_at
    FROM past_effect AS past INDEXED BY past_effect_by_age
    WHERE past.gone_at > ?4 AND past.intended_at > ?4 AND past.state IN ('intended', 'unknown') AND past.serial = ?2
)
SELECT max(since) AS newest FROM open WHERE since > ?4
