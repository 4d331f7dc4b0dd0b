//! Pictures as `screencap -p` packs them. Nothing is allocated for pixels before their number is known to be below the
//! cap, and texts and profiles, which may unpack to anything, are not read.

use std::io::Cursor;

use farmhand_actors::domain::Screenshot;
use png::{ColorType, DecodeOptions, Decoder, Limits, Transformations};

use super::picture::{PictureError, pixels_of};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// How far a warning of the phone may push the picture, bytes (phones without shell v2 mix their outputs).
const WARNING_BYTES_MAX: usize = 1_024;

/// What the decoder may allocate besides the pixels.
const WORK_BYTES: usize = 1 << 20;

/// Reads a PNG of at most `limit` pixels.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Screenshot, PictureError> {
    let head = bytes.get(..WARNING_BYTES_MAX).unwrap_or(bytes);
    let start = head.windows(SIGNATURE.len()).position(|window| window == SIGNATURE);
    let bytes = start.and_then(|start| bytes.get(start..)).ok_or(PictureError::Empty)?;
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits { bytes: WORK_BYTES });
    decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
    let mut reader = decoder.read_info().map_err(unreadable)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let pixels = pixels_of(width, height).filter(|pixels| *pixels <= limit);
    let pixels = pixels.ok_or(PictureError::TooLarge { width, height, limit })?;
    let size = reader.output_buffer_size();
    let size = size
        .filter(|size| *size <= pixels.saturating_mul(4))
        .ok_or(PictureError::TooLarge { width, height, limit })?;
    let mut rgba = vec![0; size];
    let frame = reader.next_frame(&mut rgba).map_err(unreadable)?;
    let rgba = match frame.color_type {
        ColorType::Rgba => rgba,
        ColorType::GrayscaleAlpha => {
            let spread = |[light, alpha]: &[u8; 2]| [*light, *light, *light, *alpha];
            rgba.as_chunks::<2>().0.iter().flat_map(spread).collect()
        }
        other => return Err(PictureError::Png(format!("its colours are {other:?}"))),
    };
    Ok(Screenshot { width, height, rgba })
}

fn unreadable(error: png::DecodingError) -> PictureError {
    PictureError::Png(error.to_string())
}
