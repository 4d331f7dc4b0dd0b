-- A person's word that a device gets no tasks until it is released: why, and since when.
ALTER TABLE device ADD COLUMN held_reason TEXT;
ALTER TABLE device ADD COLUMN held_since INTEGER CHECK ((held_since IS NULL) = (held_reason IS NULL));
