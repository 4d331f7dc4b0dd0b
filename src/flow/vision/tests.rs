use bytes::Bytes;
use farmhand_actors::domain::Bounds;

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
    broken.rgba.truncate(63);
    assert!(matches!(encode_png(&broken, None), Err(VisionError::Shape { .. })));
    let empty = Screenshot {
        width: 0,
        height: 0,
        rgba: Bytes::new(),
    };
    assert!(matches!(
        encode_jpeg(&empty, Some(5), 50),
        Err(VisionError::Shape { .. })
    ));
}

/// Numbers that look like chance, the same in every run.
struct Dice(u32);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % sides
    }
}

/// A number spread over all bits, so that neighbours have nothing in common (the finisher of MurmurHash3).
fn mixed(number: u32) -> u32 {
    let number = (number ^ (number >> 16)).wrapping_mul(0x85eb_ca6b);
    let number = (number ^ (number >> 13)).wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}

const CELL: u32 = 60;
const ICON: u32 = 40;

/// A screen of a grid of icons, each unlike the others, on bands of different brightness. A smaller `unit` shows the same
/// screen with fewer pixels.
pub fn screen(columns: u32, rows: u32, unit: f64) -> Screenshot {
    let side = |cells: u32| (f64::from(cells * CELL) * unit).round() as u32;
    let (width, height) = (side(columns), side(rows));
    let mut rgba = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (full_x, full_y) = ((f64::from(x) / unit) as u32, (f64::from(y) / unit) as u32);
            rgba.extend(pixel(full_x, full_y));
        }
    }
    let rgba = Bytes::from(rgba);
    Screenshot { width, height, rgba }
}

fn pixel(x: u32, y: u32) -> [u8; 4] {
    let (column, row) = (x / CELL, y / CELL);
    let ground = 225 - (row % 3 * 12) as u8;
    let (inner_x, inner_y) = (x % CELL, y % CELL);
    let margin = (CELL - ICON) / 2;
    let inside = |at: u32| (margin..margin + ICON).contains(&at);
    if !inside(inner_x) || !inside(inner_y) {
        return [ground, ground, ground, 255];
    }
    // Blocks of 5 pixels, on or off by a number that the cell owns.
    let block = (inner_y - margin) / 5 * 8 + (inner_x - margin) / 5;
    if mixed((column * 100 + row) * 100 + block) & 1 == 0 {
        return [ground, ground, ground, 255];
    }
    let tone = |part: u32| (30 + (column * 37 + row * 61 + part * 83) % 120) as u8;
    [tone(0), tone(1), tone(2), 255]
}

/// The icon of a cell, with a little of what is around it.
fn icon(screen: &Screenshot, column: i32, row: i32) -> (Template, Bounds) {
    let cell = CELL as i32;
    let bounds = Bounds {
        left: column * cell + 6,
        top: row * cell + 6,
        right: column * cell + 54,
        bottom: row * cell + 54,
    };
    (Template::new(cut(screen, bounds)).unwrap(), bounds)
}

fn each_byte(picture: &Screenshot, mut change: impl FnMut(u8) -> i32) -> Screenshot {
    let bytes = picture.rgba.chunks_exact(4).flat_map(|pixel| {
        let colours = [0, 1, 2].map(|at| change(pixel[at]).clamp(0, 255) as u8);
        [colours[0], colours[1], colours[2], 255]
    });
    Screenshot {
        rgba: bytes.collect(),
        ..*picture
    }
}

fn jpeg(picture: &Screenshot, quality: u8) -> Screenshot {
    decode(&encode_jpeg(picture, None, quality).unwrap()).unwrap()
}

/// How many of the templates are found where they are, alone, when the screen looks like `screen`; places grow by `unit`.
fn hits(templates: &[(Template, Bounds)], screen: &Screenshot, search: &Search, unit: f64) -> usize {
    let is_hit = |(template, bounds): &&(Template, Bounds)| {
        let found = places(screen, template, search).unwrap();
        let Some(best) = found.first().filter(|best| best.score >= search.threshold) else {
            return false;
        };
        let alone = found.get(1).is_none_or(|second| best.score - second.score >= MARGIN);
        let (x, y) = best.bounds.centre();
        let (wanted_x, wanted_y) = bounds.centre();
        let near = |at: i32, wanted: i32| (f64::from(at) - f64::from(wanted) * unit).abs() <= 4.0;
        alone && near(x, wanted_x) && near(y, wanted_y)
    };
    templates.iter().filter(is_hit).count()
}

#[test]
fn icons_are_found_again_on_a_screen_that_looks_a_little_different() {
    let original = screen(5, 7, 1.0);
    let templates: Vec<_> = [(0, 0), (4, 6), (2, 3), (1, 5)]
        .map(|(column, row)| icon(&original, column, row))
        .into();
    let mut dice = Dice(3);
    let noisy = each_byte(&original, |byte| i32::from(byte) + dice.roll(41) as i32 - 20);
    let brighter = each_byte(&original, |byte| i32::from(byte) * 5 / 4);
    let darker = each_byte(&original, |byte| i32::from(byte) * 2 / 3);
    let several = Search {
        scale: (0.8, 1.25),
        ..Search::default()
    };
    let recorded = Search {
        recorded: Some((300, 420)),
        ..Search::default()
    };
    for (what, shown, search, unit) in [
        ("the same", original.clone(), Search::default(), 1.0),
        ("JPEG", jpeg(&original, 60), Search::default(), 1.0),
        ("brighter", brighter, Search::default(), 1.0),
        ("darker", darker, Search::default(), 1.0),
        ("noise", noisy, Search::default(), 1.0),
        ("a tenth smaller", screen(5, 7, 0.9), several.clone(), 0.9),
        ("a fifth larger", screen(5, 7, 1.2), several, 1.2),
        ("a phone of half the size", screen(5, 7, 0.5), recorded.clone(), 0.5),
        ("a phone of one and a half", screen(5, 7, 1.5), recorded, 1.5),
    ] {
        assert_eq!(hits(&templates, &shown, &search, unit), templates.len(), "{what}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let shown = screen(6, 9, 1.0);
    let elsewhere = screen(12, 18, 1.0);
    for (column, row) in [(7, 10), (9, 12), (11, 17), (6, 9), (8, 16)] {
        let (template, _) = icon(&elsewhere, column, row);
        let found = places(&shown, &template, &Search::default()).unwrap();
        assert!(found.iter().all(|place| place.score < 0.8), "{column},{row}: {found:?}");
    }
    let inverted = each_byte(&shown, |byte| 255 - i32::from(byte));
    let (template, _) = icon(&shown, 2, 2);
    let found = places(&inverted, &template, &Search::default()).unwrap();
    assert!(found.iter().all(|place| place.score < 0.8), "{found:?}");
}

/// Copies a cell over another one.
pub fn with_copy(picture: &Screenshot, (column, row): (u32, u32), (to_column, to_row): (u32, u32)) -> Screenshot {
    let mut rgba = picture.rgba.to_vec();
    let at =
        |column: u32, row: u32, x: u32, y: u32| (((row * CELL + y) * picture.width + column * CELL + x) * 4) as usize;
    for y in 0..CELL {
        for x in 0..CELL {
            let (from, to) = (at(column, row, x, y), at(to_column, to_row, x, y));
            rgba[to..to + 4].copy_from_slice(&picture.rgba[from..from + 4]);
        }
    }
    Screenshot {
        rgba: rgba.into(),
        ..*picture
    }
}

#[test]
fn two_equal_places_are_both_told_and_near_tells_them_apart() {
    let shown = with_copy(&screen(6, 9, 1.0), (1, 1), (4, 7));
    let (template, bounds) = icon(&shown, 1, 1);

    let found = places(&shown, &template, &Search::default()).unwrap();
    assert!(found[0].score - found[1].score < MARGIN, "{found:?}");
    assert!(found[1].score > 0.95 && found.get(2).is_none_or(|third| third.score < 0.8));

    let search = Search {
        near: Some((25.0, 17.0)),
        ..Search::default()
    };
    let found = places(&shown, &template, &search).unwrap();
    assert_eq!(found[0].bounds, bounds);
    assert!(
        found.get(1).is_none_or(|second| found[0].score - second.score > MARGIN),
        "{found:?}"
    );
}

#[test]
fn colours_count_when_they_are_asked_for() {
    let shown = screen(6, 9, 1.0);
    let (template, _) = icon(&shown, 2, 3);
    // Red and blue exchanged, brightness nearly kept.
    let mut rgba = shown.rgba.to_vec();
    for pixel in rgba.chunks_exact_mut(4) {
        pixel.swap(0, 2);
    }
    let other = Screenshot {
        rgba: rgba.into(),
        ..shown
    };
    let search = |rgb| Search {
        rgb,
        ..Search::default()
    };
    let best = |picture: &Screenshot, rgb| places(picture, &template, &search(rgb)).unwrap()[0].score;
    assert!(best(&shown, true) > 0.98);
    let (grey, colour) = (best(&other, false), best(&other, true));
    assert!(colour < grey - MARGIN, "{colour} {grey}");
}

#[test]
fn large_screens_are_shrunk_and_places_are_told_in_their_own_pixels() {
    let shown = screen(18, 40, 1.0);
    assert_eq!((shown.width, shown.height), (1080, 2400));
    let templates = [icon(&shown, 3, 4), icon(&shown, 17, 39)];
    assert_eq!(hits(&templates, &shown, &Search::default(), 1.0), 2);
}

#[test]
fn templates_without_anything_in_them_are_refused() {
    let flat = |value: u8| Screenshot {
        width: 40,
        height: 40,
        rgba: [value, value, value, 255].repeat(1_600).into(),
    };
    assert!(matches!(Template::new(flat(200)), Err(VisionError::Flat { .. })));
    let png = encode_png(&flat(0), None).unwrap();
    assert!(matches!(Template::decode(&png), Err(VisionError::Flat { .. })));
    let tiny = Screenshot {
        width: 7,
        height: 30,
        rgba: vec![255; 840].into(),
    };
    assert!(matches!(Template::new(tiny), Err(VisionError::TooSmall { .. })));
}

#[test]
fn a_template_that_is_larger_than_the_screen_is_told() {
    let large = screen(6, 9, 1.0);
    let (template, _) = icon(&large, 1, 1);
    let small = cut(
        &large,
        Bounds {
            right: 30,
            bottom: 300,
            ..Bounds::default()
        },
    );
    assert!(matches!(
        places(&small, &template, &Search::default()),
        Err(VisionError::LargerThanScreen { width: 48, height: 48 })
    ));
}

#[test]
fn files_that_are_no_pictures_or_too_large_ones_are_refused_before_memory_is_taken() {
    for bytes in [&b""[..], b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"] {
        assert!(matches!(decode(bytes), Err(VisionError::Decode(_))), "{bytes:?}");
    }
    // The header of a PNG of 60,000 x 60,000 pixels, and nothing else.
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bomb.extend(60_000_u32.to_be_bytes());
    bomb.extend(60_000_u32.to_be_bytes());
    bomb.extend([8, 6, 0, 0, 0]);
    bomb.extend(crc32(&bomb[12..]).to_be_bytes());
    bomb.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    assert_eq!(
        decode(&bomb),
        Err(VisionError::TooLarge {
            width: 60_000,
            height: 60_000
        })
    );
    let mut seen_through = picture(20, 20);
    let mut rgba = seen_through.rgba.to_vec();
    rgba[3] = 9;
    seen_through.rgba = rgba.into();
    let png = encode_png(&seen_through, None).unwrap();
    assert_eq!(decode(&png), Err(VisionError::Transparent));
}

/// The checksum of a PNG's chunk (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| {
        if sum & 1 == 1 {
            0xedb8_8320 ^ (sum >> 1)
        } else {
            sum >> 1
        }
    };
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    })
}

#[test]
fn pictures_are_the_same_by_the_share_of_their_pixels_that_are_nearly_equal() {
    let white = |share: usize| {
        let mut rgba = vec![255; 400];
        rgba[..share * 4].fill(0);
        Screenshot {
            width: 10,
            height: 10,
            rgba: rgba.into(),
        }
    };
    assert_eq!(share_of_equal_pixels(&white(0), &white(0)), Some(1.0));
    assert_eq!(share_of_equal_pixels(&white(0), &white(25)), Some(0.75));
    assert_eq!(share_of_equal_pixels(&white(0), &white(100)), Some(0.0));
    let shaded = |by: u8| each_byte(&white(0), |byte| i32::from(byte) - i32::from(by));
    assert_eq!(share_of_equal_pixels(&white(0), &shaded(25)), Some(1.0));
    assert_eq!(share_of_equal_pixels(&white(0), &shaded(26)), Some(0.0));
    let other = Screenshot {
        width: 20,
        height: 5,
        ..white(0)
    };
    assert_eq!(share_of_equal_pixels(&white(0), &other), None);
}

#[test]
#[ignore = "a figure, not a verdict; run it alone with --ignored --nocapture"]
fn the_time_that_a_search_takes() {
    let shown = screen(18, 40, 1.0);
    let (template, _) = icon(&shown, 3, 4);
    for (what, scale) in [("one size", (1.0, 1.0)), ("0.8 to 1.25", (0.8, 1.25))] {
        let search = Search {
            scale,
            ..Search::default()
        };
        let begun = std::time::Instant::now();
        let rounds = 5;
        for _ in 0..rounds {
            assert!(!places(&shown, &template, &search).unwrap().is_empty());
        }
        println!(
            "{}x{}, {what}: {:?}",
            shown.width,
            shown.height,
            begun.elapsed() / rounds
        );
    }
}
