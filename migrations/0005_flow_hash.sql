-- SHA-256 over the files of the flow that the attempt ran, hex; written when it begins. Older attempts have none.
ALTER TABLE attempt ADD COLUMN flow_hash TEXT;
