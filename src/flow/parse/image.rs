//! `image:` of a selector: the file is read and looked at when the flow is.

use std::sync::Arc;

use sha2::{Digest, Sha256};

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
        let named = if has_ending {
            reference.to_owned()
        } else {
            format!("{reference}.png")
        };
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
        if !self.is_fixed_path(reference, place) {
            return None;
        }
        let read = sources::resolve(&place.file, reference).and_then(|path| {
            let bytes = self.sources.read(&path)?;
            self.files.insert(path.clone(), Sha256::digest(&bytes).into());
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
        let size = plain(&node)
            .and_then(|text| text.split_once('x'))
            .and_then(|(width, height)| {
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
                    .add(&fields.at(name), format!("Incorrect Format: {name}"), message);
            }
        }
        if found.image.is_none() {
            return;
        }
        const BESIDE: [&str; 9] = [
            "image",
            "index",
            "nearest",
            "childOf",
            "below",
            "above",
            "leftOf",
            "rightOf",
            "tolerance",
        ];
        for name in found.given().into_iter().filter(|name| !BESIDE.contains(name)) {
            let message = format!(
                "`{name}` cannot be said of a picture; beside `image` there may be index, nearest, childOf, below, above, \
                 leftOf and rightOf"
            );
            self.problems
                .add(&fields.at(name), format!("Incorrect Format: {name}"), message);
        }
    }

    /// Selectors that are looked for at every look at the screen: a picture of it each time would be too much.
    pub(super) fn without_images(&mut self, place: &Place, name: &str, selector: &Selector) {
        if selector.has_image() {
            let message =
                "it is looked for at every look at the screen, which pictures are too slow for; use text or id";
            self.problems
                .add(place, format!("Not Supported: image in {name}"), message);
        }
    }
}

fn decimal_in(node: &Node, range: (f64, f64)) -> Option<f64> {
    let number: f64 = plain(node)?.parse().ok()?;
    (range.0..=range.1).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use farmhand_actors::domain::Screenshot;

    use crate::flow::{check, vision::encode_png};

    fn png(width: u32, height: u32, pixel: impl Fn(u32) -> u8) -> Vec<u8> {
        let rgba = (0..width * height).flat_map(|at| [pixel(at), pixel(at), pixel(at), 255]);
        let picture = Screenshot {
            width,
            height,
            rgba: rgba.collect(),
        };
        encode_png(&picture, None).unwrap()
    }

    /// What is wrong with a flow of one step that has these pictures beside it.
    fn faults(step: &str) -> Vec<String> {
        faults_of(&format!("appId: a.b\n---\n{step}\n"))
    }

    fn faults_of(flow: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("good.png", &png(20, 30, |at| (at * 37 % 251) as u8));
        write("flat.png", &png(20, 20, |_| 200));
        write("nearly_flat.png", &png(20, 20, |at| 200 + (at % 3) as u8));
        write("tiny.png", &png(7, 40, |at| (at * 37 % 251) as u8));
        write("text.png", b"not a picture");
        write("flow.yaml", flow.as_bytes());
        let faults = check(folder.path(), "flow.yaml").err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_command_that_takes_a_selector_takes_a_picture() {
        for step in [
            "- tapOn: { image: good.png }",
            "- doubleTapOn: { image: { file: good.png } }",
            "- longPressOn: { image: { file: good.png, threshold: 0.9, rgb: true } }",
            "- assertVisible: { image: { file: good.png, near: \"80%,60%\", target: \"10%,90%\" } }",
            "- assertNotVisible: { image: { file: good.png, recorded: 1080x2400, scale: [0.8, 1.25] } }",
            "- extendedWaitUntil: { visible: { image: good.png }, timeout: 100 }",
            "- scrollUntilVisible: { element: { image: good.png } }",
            "- swipe: { from: { image: good.png }, direction: LEFT }",
            "- takeScreenshot: { path: x, cropOn: { image: good.png } }",
            "- tapOn: { text: A, below: { image: good.png }, containsDescendants: [{ image: good.png }] }",
            "- tapOn: { image: good.png, index: 0, childOf: { id: list }, rightOf: B }",
            "- tapOn: { anyOf: [{ id: like }, { image: good.png }] }",
            "- runFlow: { when: { visible: { image: good.png } }, commands: [back] }",
            "- assertScreenshot: good",
            "- assertScreenshot: { path: flat.png, thresholdPercentage: 99.5, cropOn: { image: good.png } }",
        ] {
            assert!(faults(step).is_empty(), "{step}: {:?}", faults(step));
        }
    }

    #[test]
    fn what_cannot_be_found_is_refused_when_the_file_is_read_with_its_place() {
        for (step, wanted) in [
            ("- tapOn: { image: gone.png }", "flow.yaml:3:19: Picture Not Found"),
            ("- tapOn: { image: ../out.png }", "outside of the folder"),
            (
                "- tapOn: { image: \"${output.name}\" }",
                "expressions do not work in file names",
            ),
            ("- tapOn: { image: text.png }", "neither a PNG nor a JPEG"),
            ("- tapOn: { image: flat.png }", "nearly of one colour"),
            ("- tapOn: { image: nearly_flat.png }", "nearly of one colour"),
            ("- tapOn: { image: tiny.png }", "7x40 pixels, which is too small"),
            (
                "- tapOn: { image: { file: good.png, recorded: 10x200 } }",
                "more than the screen of 10x200",
            ),
            ("- tapOn: { image: { threshold: 0.9 } }", "`image` needs `file`"),
            ("- tapOn: { image: { file: good.png, treshold: 0.9 } }", "Did you mean"),
            (
                "- tapOn: { image: { file: good.png, threshold: 0.2 } }",
                "from 0.5 to 1",
            ),
            (
                "- tapOn: { image: { file: good.png, near: \"1,2\" } }",
                "`near` must be",
            ),
            (
                "- tapOn: { image: { file: good.png, target: here } }",
                "`target` must be",
            ),
            (
                "- tapOn: { image: { file: good.png, recorded: big } }",
                "`recorded` must be",
            ),
            (
                "- tapOn: { image: { file: good.png, scale: [2, 0.5] } }",
                "`scale` must be",
            ),
            ("- tapOn: { image: { file: good.png, scale: 3 } }", "`scale` must be"),
            (
                "- tapOn: { image: good.png, text: Like }",
                "`text` cannot be said of a picture",
            ),
            (
                "- tapOn: { image: good.png, enabled: true }",
                "`enabled` cannot be said",
            ),
            (
                "- tapOn: { text: A, childOf: { image: good.png } }",
                "cannot stand under `childOf`",
            ),
            ("- copyTextFrom: { image: good.png }", "a text, which a picture has not"),
            ("- assertScreenshot: gone", "there is no file `gone.png`"),
            (
                "- assertScreenshot: { path: good.png, thresholdPercentage: 101 }",
                "from 0 to 100",
            ),
        ] {
            let faults = faults(step);
            assert_eq!(faults.len(), 1, "{step}: {faults:?}");
            assert!(faults[0].contains(wanted), "{step}: {faults:?}");
            assert!(faults[0].starts_with("flow.yaml:3:"), "{step}: {faults:?}");
        }
    }

    #[test]
    fn what_is_looked_for_all_the_time_cannot_be_a_picture() {
        for line in [
            "challenges: [{ image: good.png }]",
            "popups: [{ image: good.png }]",
            "popups: [{ visible: Ad, tap: { image: good.png } }]",
        ] {
            let faults = faults_of(&format!("appId: a.b\nfarmhand:\n  {line}\n---\n- back\n"));
            assert_eq!(faults.len(), 1, "{line}: {faults:?}");
            assert!(faults[0].contains("Not Supported: image in "), "{faults:?}");
        }
    }

    #[test]
    fn a_changed_picture_is_another_version_of_the_script() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("flow.yaml", b"appId: a.b\n---\n- tapOn: { image: a.png }\n");
        let hash = || {
            let sources = crate::flow::parse::sources::Folder::new(folder.path());
            let script = crate::flow::catalog::Script::load(&sources, "flow.yaml").unwrap();
            script.content_hash().to_owned()
        };
        write("a.png", &png(20, 30, |at| (at * 37 % 251) as u8));
        let before = hash();
        write("a.png", &png(20, 30, |at| (at * 41 % 251) as u8));
        assert_ne!(before, hash());
    }
}
