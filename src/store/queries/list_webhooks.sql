-- ?1: a webhook's number, null for all.
SELECT webhook.*,
       (SELECT count(*) FROM delivery WHERE webhook_id = webhook.id AND state = 'waiting') AS waiting,
       (SELECT count(*) FROM delivery WHERE webhook_id = webhook.id AND state = 'dead') AS dead
FROM webhook
WHERE ?1 IS NULL OR id = ?1
ORDER BY id
