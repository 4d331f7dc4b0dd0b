-- The app of tasks without an account on this device; NULL: the usual one.
ALTER TABLE device ADD COLUMN app TEXT;
