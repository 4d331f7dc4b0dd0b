//! How much of two pictures is the same.

use farmhand_actors::domain::Screenshot;

/// Distance of two colours that counts as none, as a share of that of black and white; as upstream.
const TOLERANCE: f64 = 0.1;

/// Share of pixels, 0 to 1, whose colours are the same or nearly so; `None` when the sizes differ.
#[must_use]
pub fn share_of_equal_pixels(a: &Screenshot, b: &Screenshot) -> Option<f64> {
    if (a.width, a.height, a.rgba.len()) != (b.width, b.height, b.rgba.len()) {
        return None;
    }
    let limit = TOLERANCE * TOLERANCE * 3.0 * 255.0 * 255.0;
    let pixels = a.rgba.chunks_exact(4).zip(b.rgba.chunks_exact(4));
    let (count, equal) = pixels.fold((0_u32, 0_u32), |(count, equal), (a, b)| {
        let colours = a.iter().zip(b).take(3);
        let distance: f64 = colours.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        (
            count.saturating_add(1),
            equal.saturating_add(u32::from(distance <= limit)),
        )
    });
    Some(f64::from(equal) / f64::from(count.max(1)))
}
