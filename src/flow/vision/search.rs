//! Where on a screen a small picture is.

use farmhand_actors::domain::{Bounds, Screenshot};
use fast_image_resize::FilterType;

use super::{
    VisionError,
    correlation::Correlator,
    picture::{self, Plane, count},
};

/// The long side that screens are shrunk to before they are searched, pixels: half of what phones have.
const WORKING_SIDE: f64 = 1_200.0;
/// A template is not shrunk below this side, pixels: too little would be left of it.
const MIN_WORKING_SIDE: f64 = 12.0;
/// Shortest side of a template, pixels.
const MIN_SIDE: u32 = 8;
/// A template whose brightness deviates by less than this (of 255) is nearly one colour, and fits on everything that is.
const MIN_DEVIATION: f64 = 8.0;
/// Of several sizes, each is so much larger than the one before.
const SIZE_STEP: f64 = 1.06;
/// How far from `near` the middle of a place may be, as a share of the screen's width and height.
const NEAR_SHARE: f64 = 0.2;
/// Scores so far below the threshold are not worth comparing with it.
const WORTHWHILE: f64 = 0.2;
/// Most places that are looked at; a template with more is a pattern, not a place.
const MAX_PLACES: usize = 64;
/// Most candidates of one size that are kept before neighbours are dropped.
const MAX_CANDIDATES: usize = 4_096;
/// How much better than the second best place the best one must be.
pub const MARGIN: f64 = 0.05;

/// A small picture that is looked for.
#[derive(Clone, PartialEq)]
pub struct Template {
    picture: Screenshot,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({}x{})", self.picture.width, self.picture.height)
    }
}

/// How a template is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Least score of a place, 0 to 1.
    pub threshold: f64,
    /// Where it should be: percent of the screen's width and height.
    pub near: Option<(f64, f64)>,
    /// Width and height of the screen that it was cut from, pixels.
    pub recorded: Option<(u32, u32)>,
    /// Smallest and largest size, as a part of the expected one.
    pub scale: (f64, f64),
    /// Whether colours have to fit as well as brightness.
    pub rgb: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            threshold: 0.8,
            near: None,
            recorded: None,
            scale: (1.0, 1.0),
            rgb: false,
        }
    }
}

/// A place of a screen that looks like the template.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Where, pixels of the screen.
    pub bounds: Bounds,
    /// How well it fits, up to 1.
    pub score: f64,
}

impl Template {
    /// Reads a PNG or JPEG.
    ///
    /// # Errors
    /// It cannot be read, is too small, or has too little in it to be told from other places.
    pub fn decode(bytes: &[u8]) -> Result<Self, VisionError> {
        Self::new(picture::decode(bytes)?)
    }

    /// A part of a screen.
    ///
    /// # Errors
    /// It is too small, or has too little in it to be told from other places.
    pub fn new(picture: Screenshot) -> Result<Self, VisionError> {
        let (width, height) = (picture.width, picture.height);
        if width.min(height) < MIN_SIDE {
            return Err(VisionError::TooSmall { width, height });
        }
        let deviation = Plane::grey(&picture).deviation();
        if deviation < MIN_DEVIATION {
            return Err(VisionError::Flat { deviation });
        }
        Ok(Self { picture })
    }

    /// Width and height, pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.picture.width, self.picture.height)
    }
}

/// All places of a screen that look like a template or nearly so, best first; none overlaps a better one.
///
/// # Errors
/// The screen is malformed, or smaller than the template.
pub fn places(screen: &Screenshot, template: &Template, search: &Search) -> Result<Vec<Place>, VisionError> {
    let (across, down) = (f64::from(screen.width), f64::from(screen.height));
    // Phones differ in size, and turn; what is drawn keeps its part of the short side.
    let expected = search.recorded.map_or(1.0, |(width, height)| {
        across.min(down) / f64::from(width.min(height).max(1))
    });
    let (width, height) = (f64::from(template.picture.width), f64::from(template.picture.height));
    let smallest = width.min(height) * expected * search.scale.0;
    let shrunk = (WORKING_SIDE / across.max(down))
        .max(MIN_WORKING_SIDE / smallest)
        .min(1.0);
    let small = picture::resized(
        screen,
        pixels(across * shrunk),
        pixels(down * shrunk),
        FilterType::Bilinear,
    )?;
    let correlator = Correlator::new(Plane::grey(&small));
    let mut found = Vec::new();
    let mut fits = false;
    for size in sizes(search.scale) {
        let (width, height) = (
            pixels(width * expected * size * shrunk),
            pixels(height * expected * size * shrunk),
        );
        if width > small.width || height > small.height {
            continue;
        }
        fits = true;
        let scaled = picture::resized(&template.picture, width, height, FilterType::Bilinear)?;
        let scores = correlator.scores(Plane::grey(&scaled));
        for (left, top, score) in peaks(&scores, search.threshold - WORTHWHILE) {
            let here = (left, top, width, height);
            let score = if search.rgb {
                score.min(colour_score(&small, &scaled, here))
            } else {
                score
            };
            let bounds = unshrunk(here, shrunk);
            if is_near(bounds, search.near, (across, down)) {
                found.push(Place { bounds, score });
            }
        }
    }
    if !fits {
        let (width, height) = template.size();
        return Err(VisionError::LargerThanScreen { width, height });
    }
    Ok(distinct(found))
}

/// Sizes from the smallest to the largest, the expected one among them.
fn sizes((smallest, largest): (f64, f64)) -> Vec<f64> {
    let up = std::iter::successors(Some(1.0), |size| Some(size * SIZE_STEP));
    let down = std::iter::successors(Some(1.0 / SIZE_STEP), |size| Some(size / SIZE_STEP));
    let mut sizes: Vec<f64> = down.take_while(|size| *size > smallest).collect();
    sizes.extend(up.take_while(|size| *size < largest));
    sizes.extend([smallest, largest]);
    sizes.retain(|size| (smallest..=largest).contains(size));
    sizes.sort_by(f64::total_cmp);
    sizes.dedup_by(|a, b| (*a - *b).abs() < 1e-6);
    sizes
}

/// Left, top and score of every place that scores `least` and no neighbour more; the best if there are too many.
fn peaks(scores: &Plane, least: f64) -> Vec<(u32, u32, f64)> {
    let rows: Vec<&[f32]> = scores.values.chunks_exact(scores.width.max(1)).collect();
    let mut found = Vec::new();
    for (row, y) in rows.iter().zip(0_usize..) {
        let first = y.saturating_sub(1);
        for (score, x) in row.iter().zip(0_usize..) {
            if f64::from(*score) < least {
                continue;
            }
            let around = rows.iter().skip(first).take(y + 2 - first);
            let columns = x.saturating_sub(1)..x + 2;
            let mut near = around.flat_map(|row| columns.clone().filter_map(|x| row.get(x)));
            if near.all(|other| other <= score)
                && let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
            {
                found.push((x, y, f64::from(*score)));
            }
        }
    }
    found.sort_by(|a, b| b.2.total_cmp(&a.2));
    found.truncate(MAX_CANDIDATES);
    found
}

/// The correlation of all three colours at one place, their common brightness taken away only once: so colours that are
/// exchanged do not fit.
fn colour_score(screen: &Screenshot, template: &Screenshot, (left, top, width, height): (u32, u32, u32, u32)) -> f64 {
    let edge = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let area = Bounds {
        left: edge(left),
        top: edge(top),
        right: edge(left.saturating_add(width)),
        bottom: edge(top.saturating_add(height)),
    };
    let colours = |picture: &Screenshot| -> Vec<f64> {
        let pixels = picture.rgba.chunks_exact(4);
        let values: Vec<f64> = pixels
            .flat_map(|pixel| pixel.iter().take(3).map(|value| f64::from(*value)))
            .collect();
        let mean = values.iter().sum::<f64>() / count(values.len());
        values.into_iter().map(|value| value - mean).collect()
    };
    let (here, there) = (colours(&picture::cut(screen, area)), colours(template));
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let norm = (product(&here, &here) * product(&there, &there)).sqrt();
    if norm > 0.0 { product(&here, &there) / norm } else { 0.0 }
}

fn unshrunk((left, top, width, height): (u32, u32, u32, u32), shrunk: f64) -> Bounds {
    let full = |value: u32| i32::try_from(pixels(f64::from(value) / shrunk)).unwrap_or(i32::MAX);
    let origin = |value: u32| if value == 0 { 0 } else { full(value) };
    Bounds {
        left: origin(left),
        top: origin(top),
        right: origin(left).saturating_add(full(width)),
        bottom: origin(top).saturating_add(full(height)),
    }
}

fn is_near(bounds: Bounds, near: Option<(f64, f64)>, (across, down): (f64, f64)) -> bool {
    let (x, y) = bounds.centre();
    let holds = |at: i32, percent: f64, length: f64| (f64::from(at) / length - percent / 100.0).abs() <= NEAR_SHARE;
    near.is_none_or(|near| holds(x, near.0, across) && holds(y, near.1, down))
}

/// Best first, without those whose middle is nearer to a better one than half its size.
fn distinct(mut found: Vec<Place>) -> Vec<Place> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Place> = Vec::new();
    for place in found {
        if kept.len() >= MAX_PLACES {
            break;
        }
        let (x, y) = place.bounds.centre();
        let hidden = kept.iter().any(|better| {
            let (other_x, other_y) = better.bounds.centre();
            let apart = |a: i32, b: i32, length: i32| a.saturating_sub(b).saturating_abs() >= length / 2;
            !apart(x, other_x, better.bounds.width()) && !apart(y, other_y, better.bounds.height())
        });
        if !hidden {
            kept.push(place);
        }
    }
    kept
}

/// A length in whole pixels, at least one.
fn pixels(length: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of pixels"
    )]
    let whole = length.round().clamp(1.0, 1e6) as u32;
    whole
}
