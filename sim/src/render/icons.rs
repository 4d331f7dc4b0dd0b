//! The line drawings.

use tiny_skia::{Path, PathBuilder};

use super::paint::{Canvas, px};
use crate::apps::node::{Color, Icon, Rect};

/// Draws an icon into the middle of a place.
pub(super) fn draw(canvas: &mut Canvas, place: &Rect, icon: Icon, ink: Color) {
    let side = px(place.width().min(place.height())) * 0.62;
    let pencil = Pencil {
        left: px(place.left + place.right) / 2.0 - side / 2.0,
        top: px(place.top + place.bottom) / 2.0 - side / 2.0,
        unit: side / 100.0,
    };
    let width = (side / 11.0).max(2.0);
    for shape in strokes(icon) {
        let (path, filled) = pencil.shape(*shape);
        canvas.path(path, ink, (!filled).then_some(width));
    }
}

/// One stroke of the pencil in a square of 100 by 100.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// From point to point.
    Line(&'static [(f32, f32)]),
    /// The same and back to the first.
    Outline(&'static [(f32, f32)]),
    /// A filled outline.
    Solid(&'static [(f32, f32)]),
    /// Centre and radius.
    Circle(f32, f32, f32),
    /// A filled circle.
    Dot(f32, f32, f32),
}

struct Pencil {
    left: f32,
    top: f32,
    unit: f32,
}

impl Pencil {
    /// The path of a shape, and whether it is filled.
    fn shape(&self, shape: Shape) -> (Option<Path>, bool) {
        match shape {
            Shape::Line(points) => (self.line(points, false), false),
            Shape::Outline(points) => (self.line(points, true), false),
            Shape::Solid(points) => (self.line(points, true), true),
            Shape::Circle(x, y, radius) => (self.circle(x, y, radius), false),
            Shape::Dot(x, y, radius) => (self.circle(x, y, radius), true),
        }
    }

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

#[rustfmt::skip]
fn strokes(icon: Icon) -> &'static [Shape] {
    use Shape::{Circle, Dot, Line, Outline, Solid};
    match icon {
        Icon::Back => &[Line(&[(60., 10.), (20., 50.), (60., 90.)])],
        Icon::Close => &[Line(&[(15., 15.), (85., 85.)]), Line(&[(85., 15.), (15., 85.)])],
        Icon::Home => &[Outline(&[
            (10., 50.), (50., 10.), (90., 50.), (78., 50.), (78., 92.), (22., 92.), (22., 50.),
        ])],
        Icon::Search => &[Circle(42., 42., 32.), Line(&[(66., 66.), (95., 95.)])],
        Icon::Plus => &[Line(&[(50., 10.), (50., 90.)]), Line(&[(10., 50.), (90., 50.)])],
        Icon::Inbox => &[
            Outline(&[(8., 20.), (92., 20.), (92., 82.), (8., 82.)]),
            Line(&[(8., 22.), (50., 56.), (92., 22.)]),
        ],
        Icon::Person => &[
            Circle(50., 28., 22.),
            Outline(&[(12., 94.), (18., 68.), (40., 58.), (60., 58.), (82., 68.), (88., 94.)]),
        ],
        Icon::Heart => &[Solid(&[
            (50., 90.), (8., 46.), (10., 22.), (30., 12.), (50., 30.), (70., 12.), (90., 22.), (92., 46.),
        ])],
        Icon::Comment => &[Solid(&[
            (8., 14.), (92., 14.), (92., 72.), (46., 72.), (24., 94.), (24., 72.), (8., 72.),
        ])],
        Icon::Share => &[Solid(&[
            (8., 88.), (20., 44.), (56., 36.), (56., 12.), (94., 50.), (56., 84.), (56., 62.),
        ])],
        Icon::Note => &[
            Dot(28., 80., 16.),
            Line(&[(42., 80.), (42., 14.), (84., 8.), (84., 66.)]),
            Dot(70., 70., 16.),
        ],
        Icon::Volume => &[
            Solid(&[(8., 36.), (28., 36.), (54., 12.), (54., 88.), (28., 64.), (8., 64.)]),
            Line(&[(68., 30.), (80., 50.), (68., 70.)]),
        ],
        Icon::Check => &[Line(&[(10., 54.), (38., 82.), (92., 20.)])],
        Icon::ChevronRight => &[Line(&[(34., 14.), (70., 50.), (34., 86.)])],
        Icon::ChevronDown => &[Line(&[(14., 34.), (50., 70.), (86., 34.)])],
        Icon::Lock => &[
            Solid(&[(16., 46.), (84., 46.), (84., 94.), (16., 94.)]),
            Outline(&[(30., 46.), (30., 16.), (70., 16.), (70., 46.)]),
        ],
    }
}
