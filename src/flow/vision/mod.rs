//! Pictures of screens: scaling and encoding. The only place that knows image formats.

use std::borrow::Cow;

use farmhand_actors::domain::Screenshot;
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// Why a picture could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    let shape = || VisionError::Shape {
        width: picture.width,
        height: picture.height,
        bytes: picture.rgba.len(),
    };
    let wanted = u64::from(picture.width) * u64::from(picture.height) * 4;
    if wanted == 0 || u64::try_from(picture.rgba.len()) != Ok(wanted) {
        return Err(shape());
    }
    let width = width.unwrap_or(picture.width).clamp(1, picture.width);
    if width == picture.width {
        return Ok(Cow::Borrowed(picture));
    }
    let height = u64::from(picture.height) * u64::from(width) / u64::from(picture.width);
    let height = u32::try_from(height).unwrap_or(u32::MAX).max(1);
    let source = ImageRef::new(picture.width, picture.height, &picture.rgba, PixelType::U8x4).map_err(|_| shape())?;
    let mut target = Image::new(width, height, PixelType::U8x4);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Box))
        .use_alpha(false);
    Resizer::new()
        .resize(&source, &mut target, &options)
        .map_err(|error| VisionError::Encode(error.to_string()))?;
    Ok(Cow::Owned(Screenshot {
        width,
        height,
        rgba: target.into_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Screenshot {
        let rgba = (0..width * height)
            .flat_map(|at| [(at % 251) as u8, 7, 9, 255])
            .collect();
        Screenshot { width, height, rgba }
    }

    #[test]
    fn pictures_keep_their_shape_when_they_are_scaled() {
        for (wanted, width, height) in [(None, 40, 80), (Some(20), 20, 40), (Some(400), 40, 80), (Some(0), 1, 2)] {
            let png = encode_png(&picture(40, 80), wanted).unwrap();
            let read = image::load_from_memory(&png).unwrap();
            assert_eq!((read.width(), read.height()), (width, height), "{wanted:?}");
            let jpeg = encode_jpeg(&picture(40, 80), wanted, 80).unwrap();
            let read = image::load_from_memory(&jpeg).unwrap();
            assert_eq!((read.width(), read.height()), (width, height), "{wanted:?}");
        }
    }

    #[test]
    fn a_png_gives_back_every_pixel() {
        let original = picture(13, 5);
        let read = image::load_from_memory(&encode_png(&original, None).unwrap()).unwrap();
        assert_eq!(read.to_rgba8().into_raw(), original.rgba);
    }

    #[test]
    fn a_malformed_picture_is_refused() {
        let mut broken = picture(4, 4);
        broken.rgba.pop();
        assert!(matches!(encode_png(&broken, None), Err(VisionError::Shape { .. })));
        let empty = Screenshot {
            width: 0,
            height: 0,
            rgba: Vec::new(),
        };
        assert!(matches!(
            encode_jpeg(&empty, Some(5), 50),
            Err(VisionError::Shape { .. })
        ));
    }
}
