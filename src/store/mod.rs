//! What is remembered: the only room that names sqlx.
