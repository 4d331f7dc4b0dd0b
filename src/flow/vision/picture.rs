//! Pictures from files: decoded under caps, scaled, grey.

use std::{borrow::Cow, cell::RefCell, io::Cursor};

use farmhand_actors::domain::{Bounds, Screenshot};
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{ImageReader, Limits};

use super::VisionError;

/// Longest side of a picture that is read, pixels: twice the longest of any phone known to us.
const MAX_SIDE: u32 = 8_192;
/// Most pixels of a picture that is read: four times those of the largest phone screen.
const MAX_PIXELS: u64 = 16 * 1024 * 1024;
/// Bytes that a decoder may take for one pixel, its own buffers included.
const BYTES_PER_PIXEL: u64 = 16;

thread_local! {
    /// Keeps its memory from one picture to the next: the system takes longer to give new pages than to fill them. Threads
    /// that encode pictures end when they are idle.
    static SCALER: RefCell<Scaler> = RefCell::default();
}

/// Scales pictures.
#[derive(Default)]
struct Scaler {
    resizer: Resizer,
    /// Pixels of the last picture between its two steps.
    between: Vec<u8>,
}

impl Scaler {
    /// Smaller ones in two steps, the height first: rows are added faster than columns, and then few rows are left.
    fn scale(
        &mut self,
        source: &ImageRef<'_>,
        target: &mut Image<'_>,
        options: &ResizeOptions,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let (width, height) = (source.width(), target.height());
        if width <= target.width() || source.height() <= height {
            return Ok(self.resizer.resize(source, target, options)?);
        }
        let bytes = usize::try_from(u64::from(width) * u64::from(height) * 4)?;
        let mut pixels = std::mem::take(&mut self.between);
        pixels.resize(bytes, 0);
        let mut between = Image::from_vec_u8(width, height, pixels, PixelType::U8x4)?;
        self.resizer.resize(source, &mut between, options)?;
        self.resizer.resize(&between, target, options)?;
        self.between = between.into_vec();
        Ok(())
    }
}

/// Reads a PNG or JPEG. Its size is looked at before memory is taken for its pixels.
///
/// # Errors
/// It is no such file, broken, too large, or has transparent pixels.
pub fn decode(bytes: &[u8]) -> Result<Screenshot, VisionError> {
    let unreadable = |error: &dyn std::fmt::Display| VisionError::Decode(error.to_string());
    let reader = || {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        let reader = reader.map_err(|error| unreadable(&error))?;
        match reader.format() {
            Some(_) => Ok(reader),
            None => Err(VisionError::Decode("it is neither a PNG nor a JPEG".to_owned())),
        }
    };
    let (width, height) = reader()?.into_dimensions().map_err(|error| unreadable(&error))?;
    let pixels = u64::from(width) * u64::from(height);
    if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        return Err(VisionError::TooLarge { width, height });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(pixels.saturating_mul(BYTES_PER_PIXEL).max(1024 * 1024));
    let mut reader = reader()?;
    reader.limits(limits);
    let rgba = reader.decode().map_err(|error| unreadable(&error))?.into_rgba8();
    if rgba.pixels().any(|pixel| pixel.0.last() != Some(&u8::MAX)) {
        return Err(VisionError::Transparent);
    }
    Ok(Screenshot {
        width,
        height,
        rgba: rgba.into_raw().into(),
    })
}

/// The part of a picture that lies in `area`.
#[must_use]
pub fn cut(picture: &Screenshot, area: Bounds) -> Screenshot {
    let clamp = |value: i32, limit: u32| u32::try_from(value).unwrap_or(0).min(limit);
    let (left, right) = (clamp(area.left, picture.width), clamp(area.right, picture.width));
    let (top, bottom) = (clamp(area.top, picture.height), clamp(area.bottom, picture.height));
    let mut rgba = Vec::new();
    let index = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    for row in top..bottom {
        let start = u64::from(row) * u64::from(picture.width) * 4;
        let from = index(start + u64::from(left) * 4);
        let to = index(start + u64::from(right) * 4);
        rgba.extend_from_slice(picture.rgba.get(from..to).unwrap_or_default());
    }
    Screenshot {
        width: right.saturating_sub(left),
        height: bottom.saturating_sub(top),
        rgba: rgba.into(),
    }
}

/// The picture at another size.
///
/// # Errors
/// The picture is malformed.
pub(super) fn resized(
    picture: &Screenshot,
    width: u32,
    height: u32,
    filter: FilterType,
) -> Result<Cow<'_, Screenshot>, VisionError> {
    let shape = || VisionError::Shape {
        width: picture.width,
        height: picture.height,
        bytes: picture.rgba.len(),
    };
    let wanted = u64::from(picture.width) * u64::from(picture.height) * 4;
    if wanted == 0 || u64::try_from(picture.rgba.len()) != Ok(wanted) {
        return Err(shape());
    }
    if (width, height) == (picture.width, picture.height) {
        return Ok(Cow::Borrowed(picture));
    }
    let source = ImageRef::new(picture.width, picture.height, &picture.rgba, PixelType::U8x4).map_err(|_| shape())?;
    let mut target = Image::new(width, height, PixelType::U8x4);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .use_alpha(false);
    SCALER
        .with_borrow_mut(|scaler| scaler.scale(&source, &mut target, &options))
        .map_err(|error| VisionError::Encode(error.to_string()))?;
    Ok(Cow::Owned(Screenshot {
        width,
        height,
        rgba: target.into_vec().into(),
    }))
}

/// One number for each pixel, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Plane {
    /// The brightness of a picture, 0 to 255 (ITU-R BT.601).
    pub(super) fn grey(picture: &Screenshot) -> Self {
        let side = |length: u32| usize::try_from(length).unwrap_or(0);
        let brightness = |pixel: &[u8]| match pixel {
            [red, green, blue, ..] => 0.299 * f32::from(*red) + 0.587 * f32::from(*green) + 0.114 * f32::from(*blue),
            _ => 0.0,
        };
        Self {
            width: side(picture.width),
            height: side(picture.height),
            values: picture.rgba.chunks_exact(4).map(brightness).collect(),
        }
    }

    /// The mean of all values.
    pub(super) fn mean(&self) -> f64 {
        let sum: f64 = self.values.iter().map(|value| f64::from(*value)).sum();
        sum / count(self.values.len())
    }

    /// The standard deviation of all values.
    pub(super) fn deviation(&self) -> f64 {
        let mean = self.mean();
        let sum: f64 = self.values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
        (sum / count(self.values.len())).sqrt()
    }
}

/// A number of pixels as a divisor.
pub(super) fn count(length: usize) -> f64 {
    u32::try_from(length).map_or(f64::MAX, f64::from).max(1.0)
}
