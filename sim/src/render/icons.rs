//! The line drawings.

use tiny_skia::{Path, PathBuilder};

use super::paint::{Canvas, px};
use crate::apps::node::{Color, Icon, Rect};

/// Draws an icon into the middle of a place.
pub(super) fn draw(canvas: &mut Canvas, place: &Rect, icon: Icon, ink: Color) {
    let side = px(place.width().min(place.height())) * 0.62;
    let left = px(place.left + place.right) / 2.0 - side / 2.0;
    let top = px(place.top + place.bottom) / 2.0 - side / 2.0;
    let pen = Pencil {
        left,
        top,
        unit: side / 100.0,
    };
    let width = (side / 11.0).max(2.0);
    for (path, filled) in shapes(&pen, icon) {
        canvas.path(path, ink, (!filled).then_some(width));
    }
}

/// Draws in a square of 100 by 100.
struct Pencil {
    left: f32,
    top: f32,
    unit: f32,
}

impl Pencil {
    fn line(&self, points: &[(f32, f32)], closed: bool) -> Option<Path> {
        let mut path = PathBuilder::new();
        for (place, (x, y)) in points.iter().enumerate() {
            let (x, y) = (self.left + x * self.unit, self.top + y * self.unit);
            if place == 0 {
                path.move_to(x, y)
            } else {
                path.line_to(x, y)
            }
        }
        if closed {
            path.close();
        }
        path.finish()
    }

    fn circle(&self, x: f32, y: f32, radius: f32) -> Option<Path> {
        PathBuilder::from_circle(self.left + x * self.unit, self.top + y * self.unit, radius * self.unit)
    }
}

fn shapes(pen: &Pencil, icon: Icon) -> Vec<(Option<Path>, bool)> {
    match icon {
        Icon::Back => vec![(pen.line(&[(60.0, 10.0), (20.0, 50.0), (60.0, 90.0)], false), false)],
        Icon::Close => vec![
            (pen.line(&[(15.0, 15.0), (85.0, 85.0)], false), false),
            (pen.line(&[(85.0, 15.0), (15.0, 85.0)], false), false),
        ],
        Icon::Home => vec![(
            pen.line(
                &[
                    (10.0, 50.0),
                    (50.0, 10.0),
                    (90.0, 50.0),
                    (78.0, 50.0),
                    (78.0, 92.0),
                    (22.0, 92.0),
                    (22.0, 50.0),
                ],
                true,
            ),
            false,
        )],
        Icon::Search => vec![
            (pen.circle(42.0, 42.0, 32.0), false),
            (pen.line(&[(66.0, 66.0), (95.0, 95.0)], false), false),
        ],
        Icon::Plus => vec![
            (pen.line(&[(50.0, 10.0), (50.0, 90.0)], false), false),
            (pen.line(&[(10.0, 50.0), (90.0, 50.0)], false), false),
        ],
        Icon::Inbox => vec![
            (
                pen.line(&[(8.0, 20.0), (92.0, 20.0), (92.0, 82.0), (8.0, 82.0)], true),
                false,
            ),
            (pen.line(&[(8.0, 22.0), (50.0, 56.0), (92.0, 22.0)], false), false),
        ],
        Icon::Person => vec![
            (pen.circle(50.0, 28.0, 22.0), false),
            (
                pen.line(
                    &[
                        (12.0, 94.0),
                        (18.0, 68.0),
                        (40.0, 58.0),
                        (60.0, 58.0),
                        (82.0, 68.0),
                        (88.0, 94.0),
                    ],
                    true,
                ),
                false,
            ),
        ],
        Icon::Heart => vec![(
            pen.line(
                &[
                    (50.0, 90.0),
                    (8.0, 46.0),
                    (10.0, 22.0),
                    (30.0, 12.0),
                    (50.0, 30.0),
                    (70.0, 12.0),
                    (90.0, 22.0),
                    (92.0, 46.0),
                ],
                true,
            ),
            true,
        )],
        Icon::Comment => vec![(
            pen.line(
                &[
                    (8.0, 14.0),
                    (92.0, 14.0),
                    (92.0, 72.0),
                    (46.0, 72.0),
                    (24.0, 94.0),
                    (24.0, 72.0),
                    (8.0, 72.0),
                ],
                true,
            ),
            true,
        )],
        Icon::Share => vec![(
            pen.line(
                &[
                    (8.0, 88.0),
                    (20.0, 44.0),
                    (56.0, 36.0),
                    (56.0, 12.0),
                    (94.0, 50.0),
                    (56.0, 84.0),
                    (56.0, 62.0),
                ],
                true,
            ),
            true,
        )],
        Icon::Note => vec![
            (pen.circle(28.0, 80.0, 16.0), true),
            (
                pen.line(&[(42.0, 80.0), (42.0, 14.0), (84.0, 8.0), (84.0, 66.0)], false),
                false,
            ),
            (pen.circle(70.0, 70.0, 16.0), true),
        ],
        Icon::Volume => vec![
            (
                pen.line(
                    &[
                        (8.0, 36.0),
                        (28.0, 36.0),
                        (54.0, 12.0),
                        (54.0, 88.0),
                        (28.0, 64.0),
                        (8.0, 64.0),
                    ],
                    true,
                ),
                true,
            ),
            (pen.line(&[(68.0, 30.0), (80.0, 50.0), (68.0, 70.0)], false), false),
        ],
        Icon::Check => vec![(pen.line(&[(10.0, 54.0), (38.0, 82.0), (92.0, 20.0)], false), false)],
        Icon::ChevronRight => vec![(pen.line(&[(34.0, 14.0), (70.0, 50.0), (34.0, 86.0)], false), false)],
        Icon::ChevronDown => vec![(pen.line(&[(14.0, 34.0), (50.0, 70.0), (86.0, 34.0)], false), false)],
        Icon::Lock => vec![
            (
                pen.line(&[(16.0, 46.0), (84.0, 46.0), (84.0, 94.0), (16.0, 94.0)], true),
                true,
            ),
            (
                pen.line(&[(30.0, 46.0), (30.0, 16.0), (70.0, 16.0), (70.0, 46.0)], false),
                false,
            ),
        ],
    }
}
