//! Raw pictures as `screencap` writes them: width, height, pixel format, colour space (each 32 bits, little endian),
//! then the pixels, row by row, no padding. Before Android 9 there is no colour space.
//! (AOSP: frameworks/base/cmds/screencap/screencap.cpp)

use bytes::Bytes;
use farmhand_actors::domain::Screenshot;

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Too short for a header.
    #[error("the picture is empty")]
    Empty,
    /// The header is not one of a raw picture.
    #[error("the picture's header says {width} x {height} pixels of format {format}, which cannot be")]
    Header {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Android's number of the pixel format.
        format: u32,
    },
    /// Over the cap.
    #[error("the picture has {width} x {height} pixels, over {limit} in all")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// The cap on their product.
        limit: usize,
    },
    /// Fewer or more pixels than the header says.
    #[error("the picture has {got} bytes where its header means {wanted}")]
    Length {
        /// Bytes there are.
        got: usize,
        /// Bytes there should be.
        wanted: usize,
    },
    /// The packed picture cannot be unpacked.
    #[error("the PNG cannot be read: {0}")]
    Png(String),
}

const HEADER_BYTES: usize = 16;
const OLD_HEADER_BYTES: usize = 12;

/// Pixel formats of Android (system/graphics.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Rgba,
    Rgbx,
    Rgb,
    Rgb565,
    Bgra,
}

impl Format {
    fn of_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Rgba),
            2 => Some(Self::Rgbx),
            3 => Some(Self::Rgb),
            4 => Some(Self::Rgb565),
            5 => Some(Self::Bgra),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Rgba | Self::Rgbx | Self::Bgra => 4,
            Self::Rgb => 3,
            Self::Rgb565 => 2,
        }
    }
}

/// Reads what `screencap` writes, of at most `limit` pixels.
///
/// # Errors
/// The header or the length is not that of a picture, or it has too many pixels.
pub fn read(raw: Vec<u8>, limit: usize) -> Result<Screenshot, PictureError> {
    let number = |place: usize| {
        let bytes = raw.get(place * 4..place * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let (Some(width), Some(height), Some(format_number)) = (number(0), number(1), number(2)) else {
        return Err(PictureError::Empty);
    };
    let pixels = pixels_of(width, height);
    let (Some(pixels @ 1..), Some(format)) = (pixels, Format::of_number(format_number)) else {
        return Err(PictureError::Header {
            width,
            height,
            format: format_number,
        });
    };
    if pixels > limit {
        return Err(PictureError::TooLarge { width, height, limit });
    }
    let wanted = pixels * format.bytes();
    let header = match raw.len().checked_sub(wanted) {
        Some(HEADER_BYTES) => HEADER_BYTES,
        Some(OLD_HEADER_BYTES) => OLD_HEADER_BYTES,
        _ => {
            return Err(PictureError::Length {
                got: raw.len(),
                wanted: wanted + HEADER_BYTES,
            });
        }
    };
    Ok(Screenshot {
        width,
        height,
        rgba: to_rgba(raw, header, format, pixels),
    })
}

pub(super) fn pixels_of(width: u32, height: u32) -> Option<usize> {
    usize::try_from(width).ok()?.checked_mul(usize::try_from(height).ok()?)
}

/// What stands behind the header; most pictures are answered in the memory that they came in.
fn to_rgba(mut raw: Vec<u8>, header: usize, format: Format, pixels: usize) -> Bytes {
    let body = raw.get_mut(header..).unwrap_or_default();
    match format {
        Format::Rgba => Bytes::from(raw).slice(header..),
        Format::Rgbx => {
            body.as_chunks_mut::<4>()
                .0
                .iter_mut()
                .for_each(|[_, _, _, alpha]| *alpha = u8::MAX);
            Bytes::from(raw).slice(header..)
        }
        Format::Bgra => {
            body.as_chunks_mut::<4>()
                .0
                .iter_mut()
                .for_each(|[blue, _, red, _]| std::mem::swap(blue, red));
            Bytes::from(raw).slice(header..)
        }
        Format::Rgb => {
            let mut rgba = Vec::with_capacity(pixels * 4);
            body.as_chunks::<3>()
                .0
                .iter()
                .for_each(|[red, green, blue]| rgba.extend([*red, *green, *blue, u8::MAX]));
            rgba.into()
        }
        Format::Rgb565 => {
            let mut rgba = Vec::with_capacity(pixels * 4);
            body.as_chunks::<2>()
                .0
                .iter()
                .for_each(|pair| rgba.extend(from_565(u16::from_le_bytes(*pair))));
            rgba.into()
        }
    }
}

/// Five, six and five bits, each widened so that all ones become 255.
fn from_565(pixel: u16) -> [u8; 4] {
    let [low, high] = pixel.to_le_bytes();
    let red = high >> 3;
    let green = (high << 3 | low >> 5) & 0x3f;
    let blue = low & 0x1f;
    [
        red << 3 | red >> 2,
        green << 2 | green >> 4,
        blue << 3 | blue >> 2,
        u8::MAX,
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(width: u32, height: u32, format: u32, pixels: &[u8]) -> Vec<u8> {
        [width, height, format, 1]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .chain(pixels.iter().copied())
            .collect()
    }

    fn pixel_of(format: u32, pixel: &[u8]) -> Vec<u8> {
        read(raw(1, 1, format, pixel), 100).unwrap().rgba.to_vec()
    }

    #[test]
    fn every_format_becomes_rgba() {
        assert_eq!(pixel_of(1, &[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(pixel_of(2, &[1, 2, 3, 0]), [1, 2, 3, 255]);
        assert_eq!(pixel_of(3, &[1, 2, 3]), [1, 2, 3, 255]);
        assert_eq!(pixel_of(4, &0xf800u16.to_le_bytes()), [255, 0, 0, 255]);
        assert_eq!(pixel_of(4, &0x07e0u16.to_le_bytes()), [0, 255, 0, 255]);
        assert_eq!(pixel_of(4, &0x001fu16.to_le_bytes()), [0, 0, 255, 255]);
        assert_eq!(pixel_of(5, &[1, 2, 3, 4]), [3, 2, 1, 4]);
    }

    #[test]
    fn the_old_header_without_a_colour_space_is_read() {
        let mut old = raw(2, 1, 1, &[1, 2, 3, 4, 5, 6, 7, 8]);
        old.drain(12..16);

        let picture = read(old, 100).unwrap();

        assert_eq!((picture.width, picture.height, picture.rgba.len()), (2, 1, 8));
    }

    #[test]
    fn f18_nothing_at_all_is_an_error() {
        assert_eq!(read(vec![], 100), Err(PictureError::Empty));
        assert_eq!(read(vec![0; 11], 100), Err(PictureError::Empty));
    }

    #[test]
    fn f18_a_header_that_cannot_be_is_an_error() {
        assert!(matches!(read(raw(0, 5, 1, &[]), 100), Err(PictureError::Header { .. })));
        assert!(matches!(read(raw(5, 5, 9, &[]), 100), Err(PictureError::Header { .. })));
        assert!(matches!(
            read(b"\x89PNG\r\n\x1a\n0000IHDR".to_vec(), 100),
            Err(PictureError::Header { .. })
        ));
    }

    #[test]
    fn f18_a_screen_of_20000_by_20000_is_over_the_cap_before_memory_is_taken_for_it() {
        assert!(matches!(
            read(raw(20_000, 20_000, 1, &[]), 16 << 20),
            Err(PictureError::TooLarge { .. })
        ));
        assert!(matches!(
            read(raw(u32::MAX, u32::MAX, 1, &[]), 16 << 20),
            Err(PictureError::TooLarge { .. })
        ));
    }

    #[test]
    fn f18_a_raw_picture_with_a_wrong_stride_is_an_error() {
        // Two rows of two pixels, padded to three; and one byte too few or too many.
        for pixels in [2 * 3 * 4, 15, 17] {
            assert!(matches!(
                read(raw(2, 2, 1, &vec![0; pixels]), 100),
                Err(PictureError::Length { .. })
            ));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_result(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(picture) = read(bytes, 1_000) {
                prop_assert_eq!(picture.rgba.len(), pixels_of(picture.width, picture.height).unwrap() * 4);
            }
        }
    }
}
