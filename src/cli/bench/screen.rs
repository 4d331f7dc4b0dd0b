//! `farmhand bench screen`: CPU time from a phone's picture to a thumbnail.

use serde::Serialize;

use super::{print_line, rounded, usage::process_cpu};
use crate::{
    adb::{AdbLimits, read_png, read_raw},
    cli::{CliError, serve::failed},
    flow::vision,
};

/// A usual phone, and a thumbnail of a quarter of its width.
const SIZE: (u32, u32) = (1080, 2400);
const THUMBNAIL_WIDTH: u32 = 270;
const QUALITY: u8 = 80;

/// The line that is printed. Times are of CPU, milliseconds for one picture.
#[derive(Serialize)]
struct Screens {
    mode: &'static str,
    n: u32,
    /// From raw pixels to a JPEG thumbnail.
    raw_ms: f64,
    /// From a PNG to a JPEG thumbnail.
    png_ms: f64,
    /// Length of the PNG, bytes.
    png_bytes: usize,
    /// Length of the thumbnail, bytes.
    jpeg_bytes: usize,
}

/// Runs the bench and prints its line.
pub fn run(n: u32) -> Result<(), CliError> {
    let raw = raw_screen();
    let limit = AdbLimits::default().screenshot_pixels;
    let screen = read_raw(raw.clone(), limit).map_err(failed)?;
    let png = vision::encode_png(&screen, None).map_err(failed)?;
    drop(screen);
    let thumbnail = |picture| vision::encode_jpeg(&picture, Some(THUMBNAIL_WIDTH), QUALITY).map_err(failed);
    eprintln!("{n} thumbnails of each kind");
    // The bytes come from the socket in a buffer of their own: copying them is not what is measured.
    let copies: Vec<Vec<u8>> = (0..n.min(COPIES)).map(|_| raw.clone()).collect();
    let mut jpeg_bytes = 0;
    let (mut raw_cpu, mut left) = (0.0, n);
    while left > 0 {
        let round: Vec<Vec<u8>> = copies
            .iter()
            .take(usize::try_from(left).unwrap_or(0))
            .cloned()
            .collect();
        left = left.saturating_sub(u32::try_from(round.len()).unwrap_or(left));
        let before = process_cpu()?;
        for bytes in round {
            jpeg_bytes = thumbnail(read_raw(bytes, limit).map_err(failed)?)?.len();
        }
        raw_cpu += process_cpu()? - before;
    }
    let before = process_cpu()?;
    for _ in 0..n {
        thumbnail(read_png(&png, limit).map_err(failed)?)?;
    }
    let png_cpu = process_cpu()? - before;
    print_line(&Screens {
        mode: "screen",
        n,
        raw_ms: rounded(raw_cpu * 1e3 / f64::from(n.max(1)), 2),
        png_ms: rounded(png_cpu * 1e3 / f64::from(n.max(1)), 2),
        png_bytes: png.len(),
        jpeg_bytes,
    })
}

/// Raw pictures in memory at one time.
const COPIES: u32 = 20;

/// What `screencap` would write of an app: plain areas, lines like text, and a photo in the middle.
fn raw_screen() -> Vec<u8> {
    let (width, height) = SIZE;
    let header = [width, height, 1, 1].into_iter().flat_map(u32::to_le_bytes);
    let mut noise = 1_u32;
    let pixels = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            pixel(x, y, noise)
        });
    header.chain(pixels).collect()
}

fn pixel(x: u32, y: u32, noise: u32) -> [u8; 4] {
    let byte = |value: u32| u8::try_from(value & 0xff).unwrap_or(0);
    if (600..1400).contains(&y) {
        // A photo: soft shades with the grain of a camera.
        let grain = noise & 7;
        return [
            byte(x / 6 + grain),
            byte(y / 7 + grain),
            byte((x + y) / 16 + grain),
            255,
        ];
    }
    let text = y % 60 < 30 && (x / 7 + y / 5 * 3) % 5 < 2 && (60..900).contains(&x);
    if text { [30, 30, 34, 255] } else { [250, 250, 252, 255] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_of_the_bench_is_a_whole_picture() {
        let screen = read_raw(raw_screen(), AdbLimits::default().screenshot_pixels).unwrap();
        assert_eq!((screen.width, screen.height), SIZE);
        let jpeg = vision::encode_jpeg(&screen, Some(THUMBNAIL_WIDTH), QUALITY).unwrap();
        assert!(jpeg.len() > 1_000);
    }
}
