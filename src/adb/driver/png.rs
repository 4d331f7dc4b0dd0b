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

/// Reads what `screencap -p` writes, of at most `limit` pixels.
///
/// # Errors
/// It is not a whole PNG, or it has too many pixels.
pub fn read(bytes: &[u8], limit: usize) -> Result<Screenshot, PictureError> {
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
    let rgba = rgba.into();
    Ok(Screenshot { width, height, rgba })
}

fn unreadable(error: png::DecodingError) -> PictureError {
    PictureError::Png(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 16 << 20;

    fn packed(width: u32, height: u32, color: ColorType, pixels: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder
            .add_ztxt_chunk("Comment".to_owned(), "x".repeat(1 << 20))
            .unwrap();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(pixels).unwrap();
        writer.finish().unwrap();
        bytes
    }

    /// The same picture, whose header tells another size.
    fn with_size(mut bytes: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32, byte: &u8| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
            })
        };
        !bytes.iter().fold(!0, step)
    }

    #[test]
    fn every_kind_of_colour_becomes_rgba() {
        let of = |color, pixels: &[u8]| read(&packed(1, 1, color, pixels), LIMIT).unwrap().rgba.to_vec();
        assert_eq!(of(ColorType::Rgba, &[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(of(ColorType::Rgb, &[1, 2, 3]), [1, 2, 3, 255]);
        assert_eq!(of(ColorType::Grayscale, &[7]), [7, 7, 7, 255]);
    }

    #[test]
    fn a_warning_of_the_phone_before_the_picture_does_no_harm() {
        let bytes = packed(1, 1, ColorType::Rgba, &[1, 2, 3, 4]);
        let warned = [b"[Warning] Multiple displays were found\n".as_slice(), &bytes].concat();
        assert_eq!(read(&warned, LIMIT).unwrap().rgba.to_vec(), [1, 2, 3, 4]);
    }

    #[test]
    fn f18_nothing_at_all_is_an_error() {
        assert_eq!(read(&[], LIMIT), Err(PictureError::Empty));
        assert_eq!(read(b"Killed\n", LIMIT), Err(PictureError::Empty));
    }

    #[test]
    fn f18_a_truncated_png_is_an_error_wherever_it_ends() {
        let noise: Vec<u8> = (0..20 * 20 * 4u32).map(|at| (at * at % 251) as u8).collect();
        let bytes = packed(20, 20, ColorType::Rgba, &noise);
        let whole = read(&bytes, LIMIT).unwrap();
        assert_eq!(whole.rgba, noise);
        let mut errors = 0;
        for end in 0..bytes.len() {
            // What is cut off behind the last pixel may be missed by nobody.
            match read(&bytes[..end], LIMIT) {
                Err(_) => errors += 1,
                Ok(picture) => assert_eq!(picture, whole, "cut at {end}"),
            }
        }
        assert!(errors + 40 > bytes.len(), "{errors} of {}", bytes.len());
    }

    #[test]
    fn f18_a_png_of_20000_by_20000_is_over_the_cap_before_memory_is_taken_for_it() {
        let bytes = packed(1, 1, ColorType::Rgba, &[0; 4]);
        for (width, height) in [(20_000, 20_000), (0x7fff_ffff, 0x7fff_ffff)] {
            let error = read(&with_size(bytes.clone(), width, height), LIMIT).unwrap_err();
            assert!(
                matches!(error, PictureError::TooLarge { .. } | PictureError::Png(_)),
                "{error}"
            );
        }
    }

    #[test]
    fn f18_a_zip_bomb_gives_no_more_pixels_than_its_header_says() {
        let bomb = packed(2_000, 2_000, ColorType::Rgba, &vec![0; 2_000 * 2_000 * 4]);
        assert!(bomb.len() < 1 << 18, "{} bytes", bomb.len());
        match read(&with_size(bomb, 10, 10), LIMIT) {
            Ok(picture) => assert_eq!(picture.rgba.len(), 400),
            Err(error) => assert!(matches!(error, PictureError::Png(_)), "{error}"),
        }
    }

    proptest! {
        #[test]
        fn f18_any_damage_to_a_png_gives_a_bounded_result(
            edits in prop::collection::vec((8usize..200, any::<u8>()), 1..4)
        ) {
            let mut bytes = packed(5, 5, ColorType::Rgba, &[9; 100]);
            for (at, byte) in edits {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            if let Ok(picture) = read(&bytes, 1_000) {
                prop_assert!(picture.rgba.len() <= 4_000);
            }
        }
    }
}
