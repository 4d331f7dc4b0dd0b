//! Flows: parsing, expressions, running. Scripts are flows with a schema.
