-- ?1: a task; ?2, ?3: its phone and its app; ?4: since when. Whether an act of another task there may have taken place, of which
-- nobody knows: the app may tell of it at any time. An app that is not known is any. Few effects are open at a time.
SELECT EXISTS (
           SELECT 1
           FROM effect INDEXED BY effect_open CROSS JOIN attempt ON attempt.id = effect.attempt_id
           WHERE (effect.state = 'intended' OR effect.state = 'unknown')
             AND effect.task_id <> ?1 AND effect.intended_at > ?4
             AND attempt.serial = ?2 AND (?3 = '' OR coalesce(effect.content ->> 'package', '') IN (?3, '')))
       -- One whose task is gone: of the accounts of the phone.
       OR EXISTS (
           SELECT 1
           FROM account CROSS JOIN account_use INDEXED BY account_use_by_name ON account_use.username = account.username
           WHERE account.serial = ?2 AND account_use.at > ?4 AND account_use.doubtful = 1)
       AS is_open
