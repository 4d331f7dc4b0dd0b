-- Nothing looks for it: each webhook's next message comes from `delivery_due`.
DROP INDEX delivery_next;
