-- Events, written in the transaction of the change that they tell of.
CREATE TABLE event (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    topic   TEXT    NOT NULL CHECK (topic IN ('task', 'device', 'account', 'supervisor')),
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    data    TEXT    NOT NULL
) STRICT;
