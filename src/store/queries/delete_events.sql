-- ?1: keep those written after this time, ?2: keep at most so many, ?3: delete at most so many. ?4: those written
-- after this time are kept in any case until every webhook has been told of them.
DELETE FROM event
WHERE seq IN (
    SELECT seq FROM (SELECT seq, at FROM event ORDER BY seq LIMIT ?3)
    WHERE (at <= ?1 OR seq <= (SELECT max(seq) FROM event) - ?2)
      AND (at <= ?4 OR seq <= coalesce((SELECT min(position) FROM webhook WHERE enabled), 9223372036854775807)))
