//! Flows: parsing, expressions, running. Scripts are flows with a schema.

pub mod expr;
pub mod model;
pub mod params;
pub mod parse;
pub mod policy;
pub mod problem;
pub mod select;
