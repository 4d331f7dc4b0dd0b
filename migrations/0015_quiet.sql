-- The tasks of a device or an account in blocks of task numbers (block = id / 4096) that nobody has changed for a while:
-- most blocks of a farm that has run for long. Their lists are counted by these sums instead of index entries, of which one
-- device may have hundreds of thousands. Whoever changes a task takes the sums of its block away in the same transaction.

-- Blocks that had no change since they were marked; a mark is never used again. `counted`: their sums are there.
CREATE TABLE quiet_block (
    mark    INTEGER PRIMARY KEY AUTOINCREMENT,
    block   INTEGER NOT NULL UNIQUE CHECK (block >= 0),
    counted INTEGER NOT NULL DEFAULT 0 CHECK (counted = 0 OR counted = 1)
) STRICT;

-- Without a username: all of the device; without a serial: all of the account; with both: of the account on the device.
-- Of an account, only where there are enough of them in the block to be worth a row.
CREATE TABLE quiet_count (
    mark           INTEGER NOT NULL REFERENCES quiet_block (mark) ON DELETE CASCADE,
    serial         TEXT    NOT NULL,
    username       TEXT    NOT NULL,
    script_name    TEXT    NOT NULL,
    source         TEXT    NOT NULL,
    status         INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    -- '' for tasks that have not failed.
    failure_reason TEXT    NOT NULL,
    n              INTEGER NOT NULL CHECK (n > 0),
    PRIMARY KEY (mark, serial, username, script_name, source, status, failure_reason),
    CHECK (serial <> '' OR username <> '')
) STRICT, WITHOUT ROWID;
