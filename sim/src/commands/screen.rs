//! `screencap`, `screenrecord` and `wm`: the screen's pixels and its size.

use super::{
    Programs,
    reply::{Answer, Arguments, failed, printed, silent, unknown_command},
};
use crate::device::Frame;

/// What `dumpsys SurfaceFlinger --display-id` calls the one display.
pub(super) const DISPLAY_ID: &str = "4619827259835644672";

/// `PIXEL_FORMAT_RGBA_8888`
const RGBA_8888: u32 = 1;
/// `HAL_DATASPACE` sRGB as `screencap` numbers it.
const SRGB: u32 = 1;

/// `screencap [-p] [-d ID] [FILE]`: a PNG, or raw pixels behind 16 bytes of header.
pub(super) async fn screencap(phone: &Programs, arguments: &[String]) -> Answer {
    let mut as_png = false;
    let mut path = None;
    let mut words = Arguments::new("screencap", arguments);
    while let Some(word) = words.next() {
        match word {
            "-p" => as_png = true,
            "-d" => {
                let id = words.next().unwrap_or_default();
                if id != DISPLAY_ID && id != "0" {
                    return Ok(failed(1, format!("Display Id '{id}' is not valid.\n")));
                }
            }
            "-a" => {}
            option if option.starts_with('-') => {
                let text = "usage: screencap [-ahp] [-d display-id] [FILENAME]\n   -h: this message\n   \
                            -p: save the file as a png.\n   -d: specify the display ID to capture\n";
                return Ok(failed(u8::from(option != "-h"), text));
            }
            file => path = Some(file),
        }
    }
    as_png |= path.is_some_and(|path| path.ends_with(".png"));
    let as_jpeg = path.is_some_and(|path| path.ends_with(".jpg") || path.ends_with(".jpeg"));
    let handset = phone.handset.clone();
    // Drawing and packing a screen takes milliseconds of CPU, which the other phones should not wait for.
    let picture = tokio::task::spawn_blocking(move || {
        let frame = handset.frame();
        if as_jpeg {
            jpeg(&frame, 90)
        } else if as_png {
            png(&frame)
        } else {
            Some(raw(&frame))
        }
    });
    let Ok(Some(picture)) = picture.await else {
        return Ok(failed(1, "Failed to take screenshot.\n"));
    };
    match path {
        None => Ok(printed(picture)),
        Some(path) => Ok(match phone.files.write(path, picture) {
            Ok(()) => silent(),
            Err(error) => failed(1, format!("Error opening file: {path} ({})\n", error.errno)),
        }),
    }
}

fn raw(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + frame.rgba.len());
    for word in [frame.width, frame.height, RGBA_8888, SRGB] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(&frame.rgba);
    bytes
}

/// The frame as a PNG, packed for speed rather than for size; `None` when its size and its pixels do not agree.
pub(crate) fn png(frame: &Frame) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, frame.width, frame.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&frame.rgba).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}

/// The frame as a JPEG of this quality, 1 to 100; `None` when it is larger than a JPEG can be.
pub(crate) fn jpeg(frame: &Frame, quality: u8) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (width, height) = (u16::try_from(frame.width).ok()?, u16::try_from(frame.height).ok()?);
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder
        .encode(&frame.rgba, width, height, jpeg_encoder::ColorType::Rgba)
        .ok()?;
    Some(bytes)
}

/// No phone here has a video encoder: the words of one that could not get its codec.
pub(super) fn screenrecord() -> crate::device::Completion {
    failed(254, "ERROR: unable to create video/avc codec instance\n")
}

/// `wm size|density [VALUE|reset]`.
pub(super) fn wm(phone: &Programs, arguments: &[String]) -> Answer {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(failed(
            255,
            "Window manager (window) commands:\n  help\n      Print this help text.\n",
        ));
    };
    let mut words = Arguments::new(name, rest);
    while let Some("-d") = words.peek() {
        words.next();
        words.required()?;
    }
    let value = words.next();
    match name.as_str() {
        "size" => size(phone, value),
        "density" => density(phone, value),
        "dismiss-keyguard" => {
            // The menu key opens a keyguard without a secret.
            phone.handset.key(82);
            Ok(silent())
        }
        "user-rotation" | "fixed-to-user-rotation" | "overscan" | "set-ignore-orientation-request" => Ok(silent()),
        _ => Ok(unknown_command(name)),
    }
}

fn size(phone: &Programs, value: Option<&str>) -> Answer {
    match value {
        None => {
            let (width, height) = phone.handset.screen_size();
            let mut text = format!("Physical size: {width}x{height}\n");
            if let Some((width, height)) = phone.memory().size {
                text.push_str(&format!("Override size: {width}x{height}\n"));
            }
            Ok(printed(text))
        }
        Some("reset") => {
            phone.memory().size = None;
            Ok(silent())
        }
        Some(value) => {
            let parsed = value.split_once('x').and_then(|(width, height)| {
                Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?)).filter(|(w, h)| *w > 0 && *h > 0)
            });
            let Some(size) = parsed else {
                return Ok(failed(255, format!("Error: bad size {value}\n")));
            };
            phone.memory().size = Some(size);
            Ok(silent())
        }
    }
}

fn density(phone: &Programs, value: Option<&str>) -> Answer {
    match value {
        None => {
            let mut text = format!("Physical density: {}\n", phone.handset.density());
            if let Some(density) = phone.memory().density {
                text.push_str(&format!("Override density: {density}\n"));
            }
            Ok(printed(text))
        }
        Some("reset") => {
            phone.memory().density = None;
            Ok(silent())
        }
        Some(value) => match value.parse::<u32>() {
            Ok(density) if density >= 72 => {
                phone.memory().density = Some(density);
                Ok(silent())
            }
            Ok(_) => Ok(failed(255, "Error: density must be >= 72\n")),
            Err(_) => Ok(failed(255, format!("Error: bad number {value}\n"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn a_raw_screen_has_a_header_of_16_bytes() {
        let completion = Bench::new().run("screencap").await;

        let header = [4_u32, 6, 1, 1].map(u32::to_le_bytes).concat();
        assert_eq!(&completion.stdout[..16], header);
        assert_eq!(completion.stdout.len(), 16 + 4 * 6 * 4);
    }

    #[tokio::test]
    async fn a_png_goes_to_stdout_or_into_a_file() {
        let bench = Bench::new();

        let direct = bench.run("screencap -p -d 4619827259835644672").await.stdout;
        bench.run("screencap /sdcard/s.png").await;
        let file = bench.files.read("/sdcard/s.png").expect("a file");

        let mut reader = png::Decoder::new(std::io::Cursor::new(direct.clone()))
            .read_info()
            .expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("pixels");
        assert_eq!((info.width, info.height), (4, 6));
        assert_eq!(pixels, bench.handset.pixels());
        assert_eq!(direct, file.as_ref());
    }

    #[tokio::test]
    async fn the_size_and_the_density_can_be_overridden_and_reset() {
        let bench = Bench::new();

        assert_eq!(stdout(&bench.run("wm size").await), "Physical size: 1080x2400\n");
        assert_eq!(bench.run("wm size 720x1600").await, Default::default());
        assert_eq!(
            stdout(&bench.run("wm size").await),
            "Physical size: 1080x2400\nOverride size: 720x1600\n"
        );
        bench.run("wm size reset").await;
        assert_eq!(stdout(&bench.run("wm size").await), "Physical size: 1080x2400\n");
        let bad = bench.run("wm size big").await;
        assert_eq!((stderr(&bad).as_str(), bad.code), ("Error: bad size big\n", 255));
        bench.run("wm density 320").await;
        assert_eq!(
            stdout(&bench.run("wm density").await),
            "Physical density: 420\nOverride density: 320\n"
        );
    }
}
