//! `image:` of a selector: the file is read and looked at when the flow is.

use std::sync::Arc;

use super::{
    FlowParser,
    commands::parse_spot,
    fields::{Fields, incorrect, plain},
    sources,
    yaml::{Node, NodeValue},
};
use crate::flow::{
    model::{ImageSelector, Selector, Spot},
    problem::Place,
    vision::{Search, Template, decode},
};

/// What a threshold may be: below this, nearly every place would fit.
const THRESHOLDS: (f64, f64) = (0.5, 1.0);
/// What a size may be, as a part of the expected one.
const SIZES: (f64, f64) = (0.5, 2.0);
/// The longest side of a screen that a picture may be recorded on, pixels.
const MAX_SCREEN: u32 = 16_384;

impl FlowParser<'_> {
    /// Takes `image`: a file, or a map.
    pub(super) fn image(&mut self, fields: &mut Fields) -> Option<Arc<ImageSelector>> {
        let node = fields.take("image")?;
        let mut map = Fields::or_scalar(&node, "image", "file", &mut self.problems)?;
        let before = self.problems.len();
        let search = Search {
            threshold: self.decimal(&mut map, "threshold", THRESHOLDS).unwrap_or(0.8),
            near: self.percents(&mut map, "near"),
            recorded: self.screen_size(&mut map),
            scale: self.scale(&mut map).unwrap_or((1.0, 1.0)),
            rgb: map.flag("rgb", &mut self.problems).unwrap_or(false),
        };
        let target = self.percents(&mut map, "target").unwrap_or((50.0, 50.0));
        let file = map.required_text("file", &mut self.problems);
        map.finish(&mut self.problems);
        let (file, template) = self.template(&file?, &node.place)?;
        let (width, height) = template.size();
        if let Some((screen_width, screen_height)) = search.recorded
            && (width > screen_width || height > screen_height)
        {
            let message = format!(
                "`{file}` has {width}x{height} pixels, which is more than the screen of {screen_width}x{screen_height} that \
                 it was `recorded` on"
            );
            self.problems.add(&node.place, "Invalid Picture", message);
        }
        (self.problems.len() == before).then(|| {
            Arc::new(ImageSelector {
                file,
                template,
                search,
                target,
            })
        })
    }

    fn template(&mut self, reference: &str, place: &Place) -> Option<(Arc<str>, Template)> {
        let (file, bytes) = self.picture_file(reference, place)?;
        match Template::decode(&bytes) {
            Ok(template) => Some((file, template)),
            Err(error) => {
                self.problems
                    .add(place, "Invalid Picture", format!("`{file}`: {error}"));
                None
            }
        }
    }

    /// Reads a picture whole, as it is compared with a screen. Its ending may be left out, as upstream does for PNGs.
    pub(super) fn reference_picture(
        &mut self,
        reference: &str,
        place: &Place,
    ) -> Option<(Arc<str>, farmhand_actors::domain::Screenshot)> {
        let has_ending = [".png", ".jpg", ".jpeg"]
            .iter()
            .any(|ending| reference.to_lowercase().ends_with(ending));
        let named = if has_ending { reference.to_owned() } else { format!("{reference}.png") };
        let (file, bytes) = self.picture_file(&named, place)?;
        match decode(&bytes) {
            Ok(picture) => Some((file, picture)),
            Err(error) => {
                self.problems
                    .add(place, "Invalid Picture", format!("`{file}`: {error}"));
                None
            }
        }
    }

    /// The bytes of a picture; they count for the version of the script.
    fn picture_file(&mut self, reference: &str, place: &Place) -> Option<(Arc<str>, Vec<u8>)> {
        if reference.contains("${") {
            let message =
                format!("`{reference}`: expressions do not work in file names, since files are read beforehand");
            self.problems.add(place, "Invalid File Path", message);
            return None;
        }
        let read = sources::resolve(&place.file, reference).and_then(|path| {
            let bytes = self.sources.read(&path)?;
            self.files.insert(path.clone(), bytes.clone());
            Ok((path.into(), bytes))
        });
        read.map_err(|message| self.problems.add(place, "Picture Not Found", message))
            .ok()
    }

    fn decimal(&mut self, fields: &mut Fields, name: &'static str, range: (f64, f64)) -> Option<f64> {
        let node = fields.take(name)?;
        let number = decimal_in(&node, range);
        if number.is_none() {
            let wanted = format!("a number from {} to {}", range.0, range.1);
            incorrect(&node.place, name, &wanted, &mut self.problems);
        }
        number
    }

    fn percents(&mut self, fields: &mut Fields, name: &'static str) -> Option<(f64, f64)> {
        let node = fields.take(name)?;
        match plain(&node).and_then(parse_spot) {
            Some(Spot::Percent(x, y)) => Some((x, y)),
            _ => {
                let wanted = "`x%,y%` (0 to 100), in quotes";
                incorrect(&node.place, name, wanted, &mut self.problems);
                None
            }
        }
    }

    fn screen_size(&mut self, fields: &mut Fields) -> Option<(u32, u32)> {
        let node = fields.take("recorded")?;
        let size = plain(&node).and_then(|text| text.split_once('x')).and_then(|(width, height)| {
            let side = |text: &str| {
                let pixels: u32 = text.trim().parse().ok()?;
                (1..=MAX_SCREEN).contains(&pixels).then_some(pixels)
            };
            Some((side(width)?, side(height)?))
        });
        if size.is_none() {
            let wanted = "the width and height in pixels of the screen that the picture was cut from, e.g. 1080x2400";
            incorrect(&node.place, "recorded", wanted, &mut self.problems);
        }
        size
    }

    fn scale(&mut self, fields: &mut Fields) -> Option<(f64, f64)> {
        let node = fields.take("scale")?;
        let ends = match &node.value {
            NodeValue::List(items) => match items.as_slice() {
                [low, high] => decimal_in(low, SIZES).zip(decimal_in(high, SIZES)),
                _ => None,
            },
            _ => None,
        };
        let ends = ends.filter(|(low, high)| low <= high);
        if ends.is_none() {
            let wanted = format!(
                "the smallest and the largest size, from {} to {}, e.g. [0.8, 1.25]",
                SIZES.0, SIZES.1
            );
            incorrect(&node.place, "scale", &wanted, &mut self.problems);
        }
        ends
    }

    /// Notes what cannot be said of a picture, and pictures where there can be none.
    pub(super) fn check_image(&mut self, fields: &Fields, found: &Selector) {
        for (name, inner) in [("containsChild", &found.contains_child), ("childOf", &found.child_of)] {
            if inner.as_ref().is_some_and(|inner| inner.has_image()) {
                let message = format!(
                    "a picture is no element of the tree and cannot stand under `{name}`; use containsDescendants, below, \
                     above, leftOf or rightOf"
                );
                self.problems
                    .add(&fields.place, format!("Incorrect Format: {name}"), message);
            }
        }
        if found.image.is_none() {
            return;
        }
        let said = [
            ("text", found.text.is_some()),
            ("id", found.id.is_some()),
            ("enabled", found.enabled.is_some()),
            ("checked", found.checked.is_some()),
            ("focused", found.focused.is_some()),
            ("selected", found.selected.is_some()),
            ("width", found.width.is_some()),
            ("height", found.height.is_some()),
            ("traits", !found.traits.is_empty()),
            ("containsChild", found.contains_child.is_some()),
            ("containsDescendants", !found.contains_descendants.is_empty()),
            ("anyOf", !found.any_of.is_empty()),
        ];
        for (name, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
            let message = format!(
                "`{name}` cannot be said of a picture; beside `image` there may be index, nearest, childOf, below, above, \
                 leftOf and rightOf"
            );
            self.problems
                .add(&fields.place, format!("Incorrect Format: {name}"), message);
        }
    }

    /// Selectors that are looked for at every look at the screen: a picture of it each time would be too much.
    pub(super) fn without_images(&mut self, place: &Place, name: &str, selector: &Selector) {
        if selector.has_image() {
            let message = "it is looked for at every look at the screen, which pictures are too slow for; use text or id";
            self.problems.add(place, format!("Not Supported: image in {name}"), message);
        }
    }
}

fn decimal_in(node: &Node, range: (f64, f64)) -> Option<f64> {
    let number: f64 = plain(node)?.parse().ok()?;
    (range.0..=range.1).contains(&number).then_some(number)
}
