-- What farmhand has repeated by itself in the last hour (`retry.per_hour`); older rows go when one is added.
CREATE TABLE repetition (
    script_name TEXT    NOT NULL,
    at          INTEGER NOT NULL
) STRICT;

CREATE INDEX repetition_by_time ON repetition (at);
