//! Pictures of screens: scaling, encoding, decoding, comparing, and finding small ones in them. The only place that knows
//! image formats.

mod compare;
mod correlation;
mod picture;
mod search;
#[cfg(test)]
pub(in crate::flow) mod tests;

use std::borrow::Cow;

use farmhand_actors::domain::Screenshot;
use fast_image_resize::FilterType;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

pub use self::{
    compare::share_of_equal_pixels,
    picture::{cut, decode},
    search::{MARGIN, Place, Search, Template, places},
};

/// Why a picture could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VisionError {
    /// The pixels are not `width * height * 4` bytes, or there are none.
    #[error("a picture of {width}x{height} cannot have {bytes} bytes")]
    Shape {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Length of the pixels.
        bytes: usize,
    },
    /// An encoder refused.
    #[error("the picture could not be encoded: {0}")]
    Encode(String),
    /// A file is no picture.
    #[error("the picture cannot be read: {0}; give a PNG or JPEG file")]
    Decode(String),
    /// A file's picture has more pixels than are read.
    #[error("the picture has {width}x{height} pixels, which is more than any phone's screen; cut out a part")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// A file's picture has pixels that can be seen through.
    #[error("the picture has transparent pixels, a screen has none; cut it out of a screenshot")]
    Transparent,
    /// A template has too few pixels.
    #[error("the picture has {width}x{height} pixels, which is too small to be found; cut out at least 8x8")]
    TooSmall {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// A template is nearly one colour.
    #[error(
        "the picture is nearly of one colour (its brightness deviates by {deviation:.1}); cut out a part with more in it"
    )]
    Flat {
        /// Standard deviation of its brightness, 0 to 127.5.
        deviation: f64,
    },
    /// A template does not fit on the screen.
    #[error("the picture of {width}x{height} pixels is larger than the screen; say on which it was `recorded`")]
    LargerThanScreen {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

/// A JPEG of a screen, `width` pixels wide if given (never wider than the screen), `quality` from 1 to 100.
///
/// # Errors
/// The picture is malformed or too large for the format.
pub fn encode_jpeg(picture: &Screenshot, width: Option<u32>, quality: u8) -> Result<Vec<u8>, VisionError> {
    let scaled = scaled(picture, width)?;
    let side = |length: u32| u16::try_from(length).map_err(|_| VisionError::Encode("over 65535 pixels".to_owned()));
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, quality.clamp(1, 100))
        .encode(
            &scaled.rgba,
            side(scaled.width)?,
            side(scaled.height)?,
            jpeg_encoder::ColorType::Rgba,
        )
        .map_err(|error| VisionError::Encode(error.to_string()))?;
    Ok(bytes)
}

/// A PNG of a screen, `width` pixels wide if given (never wider than the screen).
///
/// # Errors
/// The picture is malformed.
pub fn encode_png(picture: &Screenshot, width: Option<u32>) -> Result<Vec<u8>, VisionError> {
    let scaled = scaled(picture, width)?;
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&scaled.rgba, scaled.width, scaled.height, ExtendedColorType::Rgba8)
        .map_err(|error| VisionError::Encode(error.to_string()))?;
    Ok(bytes)
}

/// The picture at another width, its shape kept.
fn scaled(picture: &Screenshot, width: Option<u32>) -> Result<Cow<'_, Screenshot>, VisionError> {
    let width = width.unwrap_or(picture.width).clamp(1, picture.width.max(1));
    let height = u64::from(picture.height) * u64::from(width) / u64::from(picture.width.max(1));
    let height = u32::try_from(height).unwrap_or(u32::MAX).max(1);
    picture::resized(picture, width, height, FilterType::Box)
}
