//! The screens that were drawn last. They are big (10 MB each), so the whole world keeps only a few.

use std::sync::Mutex;

use crate::{device::Frame, world::lock};

/// How many screens are kept.
const KEPT: usize = 3;

/// The screens that were drawn last, by what they show.
#[derive(Debug, Default)]
pub(crate) struct FrameCache {
    frames: Mutex<Vec<(u64, Frame)>>,
}

impl FrameCache {
    /// The screen of that content; draws it when it is not there.
    pub fn get_or_draw(&self, content: u64, draw: impl FnOnce() -> Frame) -> Frame {
        if let Some((_, frame)) = lock(&self.frames).iter().find(|(known, _)| *known == content) {
            return frame.clone();
        }
        let frame = draw();
        let mut frames = lock(&self.frames);
        if frames.len() >= KEPT {
            frames.remove(0);
        }
        frames.push((content, frame.clone()));
        frame
    }
}
