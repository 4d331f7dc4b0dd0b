//! From a screen's nodes to pixels.

mod cache;
mod glyphs;
mod icons;
mod paint;

pub(crate) use cache::FrameCache;
pub(crate) use paint::{dark, screen};
