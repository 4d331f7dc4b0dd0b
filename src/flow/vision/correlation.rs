//! Zero-mean normalised cross-correlation of a small picture with every place of a large one.
//!
//! The sums of products come out of a Fourier transform, those of single pixels out of integral images (J. P. Lewis,
//! "Fast Normalized Cross-Correlation", 1995). The plain normalised correlation is of no use on screens: it finds
//! nearly everything on every bright patch.

use std::sync::Arc;

use rustfft::{Fft, FftPlanner, num_complex::Complex};

use super::picture::{Plane, count};

/// Places whose brightness deviates by less than this (of 255) are flat: their noise is not compared with anything.
const MIN_DEVIATION: f64 = 2.0;
/// Rows that are transposed at once: so many numbers fill a cache line's worth of writes.
const BAND: usize = 16;

/// A picture that small ones are looked for in.
pub(super) struct Correlator {
    plane: Plane,
    transform: Transform,
    spectrum: Vec<Complex<f32>>,
    sums: Integrals,
}

impl Correlator {
    pub(super) fn new(mut plane: Plane) -> Self {
        // Less to add up is less to round.
        subtract_mean(&mut plane);
        let transform = Transform::new(smooth(plane.width), smooth(plane.height));
        Self {
            spectrum: transform.forward(&plane),
            sums: Integrals::new(&plane),
            transform,
            plane,
        }
    }

    /// How well `template` fits at every place where it lies inside, -1 to 1. Empty if it is larger.
    pub(super) fn scores(&self, mut template: Plane) -> Plane {
        let nowhere = Plane {
            width: 0,
            height: 0,
            values: Vec::new(),
        };
        let (Some(across), Some(down)) = (
            self.plane.width.checked_sub(template.width),
            self.plane.height.checked_sub(template.height),
        ) else {
            return nowhere;
        };
        let (width, height) = (across + 1, down + 1);
        let norm = subtract_mean(&mut template);
        let mut product = self.transform.forward(&template);
        for (here, there) in product.iter_mut().zip(&self.spectrum) {
            *here = there * here.conj();
        }
        let sums = self.transform.inverse(product, height);
        let window = (template.width, template.height);
        let scale = 1.0 / count(self.transform.width) / count(self.transform.height);
        let mut values = Vec::with_capacity(width * height);
        for (row, y) in sums.chunks_exact(self.transform.width.max(1)).zip(0..height) {
            let here = row.iter().take(width).zip(self.sums.deviations(y, window));
            values.extend(here.map(|(sum, spread)| score(f64::from(sum.re) * scale, spread, norm)));
        }
        Plane { width, height, values }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a score from -1 to 1 needs no more digits"
)]
fn score(product: f64, spread: Option<f64>, norm: f64) -> f32 {
    match spread {
        Some(spread) if norm > 0.0 => (product / (spread * norm)).clamp(-1.0, 1.0) as f32,
        _ => 0.0,
    }
}

/// Answers the root of the sum of the squares that are left.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a brightness of 0 to 255 is exact enough"
)]
fn subtract_mean(plane: &mut Plane) -> f64 {
    let mean = plane.mean() as f32;
    let squares = plane.values.iter_mut().map(|value| {
        *value -= mean;
        f64::from(*value).powi(2)
    });
    squares.sum::<f64>().sqrt()
}

/// The next length of which a transform is fast: 2, 3 and 5 are its only factors.
fn smooth(length: usize) -> usize {
    let is_smooth = |length: &usize| {
        let mut rest = *length;
        for factor in [2, 3, 5] {
            while rest > 0 && rest.is_multiple_of(factor) {
                rest /= factor;
            }
        }
        rest == 1
    };
    (length.max(1)..).find(is_smooth).unwrap_or(length)
}

/// Fourier transforms of pictures of one size. Spectra are kept transposed: it makes no difference for products.
struct Transform {
    width: usize,
    height: usize,
    rows: [Arc<dyn Fft<f32>>; 2],
    columns: [Arc<dyn Fft<f32>>; 2],
}

impl Transform {
    fn new(width: usize, height: usize) -> Self {
        let mut planner = FftPlanner::new();
        let mut both = |length| [planner.plan_fft_forward(length), planner.plan_fft_inverse(length)];
        Self {
            rows: both(width),
            columns: both(height),
            width,
            height,
        }
    }

    fn forward(&self, plane: &Plane) -> Vec<Complex<f32>> {
        let mut buffer = vec![Complex::default(); self.width * self.height];
        let rows = plane.values.chunks_exact(plane.width.max(1));
        for (target, row) in buffer.chunks_exact_mut(self.width).zip(rows) {
            for (target, value) in target.iter_mut().zip(row) {
                target.re = *value;
            }
        }
        let [forward, _] = &self.rows;
        // Rows of nothing but zeros are their own transform.
        if let Some(filled) = buffer.get_mut(..plane.height.min(self.height) * self.width) {
            forward.process(filled);
        }
        let mut spectrum = transposed(&buffer, self.width, self.height);
        let [forward, _] = &self.columns;
        forward.process(&mut spectrum);
        spectrum
    }

    /// The first `wanted` rows of the picture that a spectrum stands for, times the number of pixels.
    fn inverse(&self, mut spectrum: Vec<Complex<f32>>, wanted: usize) -> Vec<Complex<f32>> {
        let [_, inverse] = &self.columns;
        inverse.process(&mut spectrum);
        let mut buffer = transposed(&spectrum, self.height, self.width);
        buffer.truncate(wanted * self.width);
        let [_, inverse] = &self.rows;
        inverse.process(&mut buffer);
        buffer
    }
}

fn transposed(from: &[Complex<f32>], width: usize, height: usize) -> Vec<Complex<f32>> {
    let mut to = vec![Complex::default(); from.len()];
    for (rows, top) in from.chunks(width.max(1) * BAND).zip((0..).step_by(BAND)) {
        for x in 0..width {
            let column = rows.iter().skip(x).step_by(width.max(1));
            let start = x * height + top;
            for (target, value) in to.get_mut(start..).unwrap_or_default().iter_mut().zip(column) {
                *target = *value;
            }
        }
    }
    to
}

/// Sums of all values, and of their squares, left of and above every place.
struct Integrals {
    /// Width of the picture and 1.
    width: usize,
    sums: Vec<(f64, f64)>,
}

impl Integrals {
    fn new(plane: &Plane) -> Self {
        let width = plane.width + 1;
        let mut sums = vec![(0.0, 0.0); width * (plane.height + 1)];
        for (row, y) in plane.values.chunks_exact(plane.width.max(1)).zip(0..) {
            let (above, below) = sums.split_at_mut((y + 1) * width);
            let above = above.get(y * width + 1..).unwrap_or_default();
            let mut line = (0.0, 0.0);
            for ((target, above), value) in below.iter_mut().skip(1).zip(above).zip(row) {
                let value = f64::from(*value);
                line = (line.0 + value, line.1 + value * value);
                *target = (above.0 + line.0, above.1 + line.1);
            }
        }
        Self { width, sums }
    }

    /// For every window of this size whose top is `y`: the root of its summed squares around its own mean, if it is not
    /// flat.
    fn deviations(&self, y: usize, window: (usize, usize)) -> impl Iterator<Item = Option<f64>> + '_ {
        let row = |y: usize| self.sums.get(y * self.width..(y + 1) * self.width).unwrap_or_default();
        let (top, bottom) = (row(y), row(y + window.1));
        let pixels = count(window.0.saturating_mul(window.1));
        let left = top.iter().zip(bottom);
        let right = top.iter().skip(window.0).zip(bottom.iter().skip(window.0));
        left.zip(right).map(move |((a, b), (c, d))| {
            let sum = d.0 - b.0 - c.0 + a.0;
            let squares = d.1 - b.1 - c.1 + a.1;
            let around_mean = squares - sum * sum / pixels;
            (around_mean > MIN_DEVIATION * MIN_DEVIATION * pixels).then(|| around_mean.sqrt())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that look like chance.
    fn noise(width: usize, height: usize) -> Plane {
        let mut state = 7_u32;
        let values = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as f32
        });
        Plane {
            width,
            height,
            values: values.take(width * height).collect(),
        }
    }

    fn part(plane: &Plane, left: usize, top: usize, width: usize, height: usize) -> Plane {
        let rows = plane.values.chunks(plane.width).skip(top).take(height);
        let values = rows.flat_map(|row| row[left..left + width].to_vec()).collect();
        Plane { width, height, values }
    }

    /// The definition, letter for letter.
    fn slow_score(plane: &Plane, template: &Plane, left: usize, top: usize) -> f64 {
        let here = part(plane, left, top, template.width, template.height);
        let centred = |plane: &Plane| -> Vec<f64> {
            let mean = plane.mean();
            plane.values.iter().map(|value| f64::from(*value) - mean).collect()
        };
        let (a, b) = (centred(&here), centred(template));
        let product: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
        product / norm(&a) / norm(&b)
    }

    #[test]
    fn every_score_is_that_of_the_definition() {
        let plane = noise(37, 29);
        let template = part(&plane, 11, 6, 9, 8);
        let scores = Correlator::new(plane.clone()).scores(template.clone());

        assert_eq!((scores.width, scores.height), (29, 22));
        for y in 0..scores.height {
            for x in 0..scores.width {
                let fast = f64::from(scores.values[y * scores.width + x]);
                let slow = slow_score(&plane, &template, x, y);
                assert!((fast - slow).abs() < 1e-4, "{x},{y}: {fast} {slow}");
            }
        }
        assert!(scores.values[6 * scores.width + 11] > 0.9999);
    }

    #[test]
    fn a_template_as_large_as_the_picture_has_one_place_and_a_larger_one_none() {
        let plane = noise(20, 10);
        let correlator = Correlator::new(plane.clone());
        assert_eq!(correlator.scores(plane).values.len(), 1);
        assert!(correlator.scores(noise(21, 5)).values.is_empty());
    }

    #[test]
    fn flat_places_fit_nothing() {
        let mut plane = noise(40, 40);
        for row in plane.values.chunks_mut(40).take(20) {
            row.fill(200.0);
        }
        let scores = Correlator::new(plane.clone()).scores(part(&plane, 5, 25, 8, 8));
        assert!(scores.values.iter().take(scores.width * 12).all(|score| *score == 0.0));
    }

    #[test]
    fn lengths_are_rounded_up_to_fast_ones() {
        assert_eq!([1, 7, 540, 541, 1201].map(smooth), [1, 8, 540, 576, 1215]);
    }
}
