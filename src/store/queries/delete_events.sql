-- ?1: keep those written after this time, ?2: keep at most so many, ?3: delete at most so many.
DELETE FROM event
WHERE seq IN (
    SELECT seq FROM (SELECT seq, at FROM event ORDER BY seq LIMIT ?3)
    WHERE at <= ?1 OR seq <= (SELECT max(seq) FROM event) - ?2)
