-- Nothing looks for it: each webhook's next message comes from `delivery_due`.
DROP INDEX delivery_next;
-- An account's actor that begins anew loads what the account has done, without a look at what others have.
CREATE INDEX account_use_by_name ON account_use (username, at, script_name);
