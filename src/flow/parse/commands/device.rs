//! Commands about the phone: pictures, recordings, media, place, orientation, modes.

use std::path::Path;

use crate::flow::{
    model::{Command, MediaItem, Switch},
    parse::{
        FlowParser,
        fields::{Fields, incorrect, scalar_text},
        keys::{ORIENTATIONS, rotation},
        sources,
        suggest::did_you_mean,
    },
    problem::Place,
};

/// Endings of media files that a phone's gallery takes.
const MEDIA_ENDINGS: [&str; 5] = ["png", "jpeg", "jpg", "gif", "mp4"];

impl FlowParser<'_> {
    pub(in crate::flow::parse) fn device_command(
        &mut self,
        key: &'static str,
        fields: &mut Fields,
    ) -> Option<Option<Command>> {
        let problems = &mut self.problems;
        Some(match key {
            "takeScreenshot" => {
                let path = fields.required_text("path", problems);
                let crop = self.optional_selector(fields, "cropOn").map(Box::new);
                path.map(|path| Command::TakeScreenshot(path, crop))
            }
            "startRecording" => fields.required_text("path", problems).map(Command::StartRecording),
            "stopRecording" => Some(Command::StopRecording),
            "addMedia" => self.add_media(fields),
            "setLocation" => self.location(fields),
            "travel" => self.travel(fields),
            "setOrientation" => self.orientation(fields),
            "setAirplaneMode" => self.switch(fields).map(Command::AirplaneMode),
            "toggleAirplaneMode" => Some(Command::AirplaneMode(Switch::Toggle)),
            "setDarkMode" => self.switch(fields).map(Command::DarkMode),
            "toggleDarkMode" => Some(Command::DarkMode(Switch::Toggle)),
            _ => return None,
        })
    }

    fn switch(&mut self, fields: &mut Fields) -> Option<Switch> {
        let word = fields.required_text("value", &mut self.problems)?;
        match word.to_lowercase().as_str() {
            "enabled" => Some(Switch::On),
            "disabled" => Some(Switch::Off),
            _ => {
                incorrect(&fields.place, &fields.what, "enabled or disabled", &mut self.problems);
                None
            }
        }
    }

    fn orientation(&mut self, fields: &mut Fields) -> Option<Command> {
        let word = fields.required_text("orientation", &mut self.problems)?;
        if !word.contains("${") && rotation(&word).is_none() {
            let known = ORIENTATIONS.map(|(known, _)| known);
            let wanted = format!("one of {}{}", known.join(", "), did_you_mean(&word, known));
            incorrect(&fields.place, "orientation", &wanted, &mut self.problems);
        }
        Some(Command::SetOrientation(word))
    }

    fn location(&mut self, fields: &mut Fields) -> Option<Command> {
        let latitude = fields.required_text("latitude", &mut self.problems);
        let longitude = fields.required_text("longitude", &mut self.problems);
        let (latitude, longitude) = latitude.zip(longitude)?;
        self.coordinate("latitude", &latitude, 90.0, &fields.place);
        self.coordinate("longitude", &longitude, 180.0, &fields.place);
        Some(Command::SetLocation(latitude, longitude))
    }

    /// Notes what cannot be a coordinate, whatever its expressions give.
    fn coordinate(&mut self, name: &str, text: &str, limit: f64, place: &Place) {
        let number = text.trim().parse::<f64>().ok();
        if !text.contains("${") && !number.is_some_and(|number| number.abs() <= limit) {
            incorrect(place, name, &format!("from -{limit} to {limit}"), &mut self.problems);
        }
    }

    fn travel(&mut self, fields: &mut Fields) -> Option<Command> {
        let points = fields.texts("points", &mut self.problems);
        let speed = fields.text("speed", &mut self.problems);
        if points.is_empty() {
            fields.missing("points", &mut self.problems);
            return None;
        }
        for point in points.iter().filter(|point| !point.contains("${")) {
            let Some((latitude, longitude)) = point.split_once(',') else {
                incorrect(
                    &fields.place,
                    "points",
                    "places: `latitude,longitude`",
                    &mut self.problems,
                );
                continue;
            };
            self.coordinate("latitude", latitude, 90.0, &fields.place);
            self.coordinate("longitude", longitude, 180.0, &fields.place);
        }
        let speed = speed.map_or(Some(4.0), |speed| {
            speed.parse::<f64>().ok().filter(|speed| *speed > 0.0)
        });
        let Some(speed) = speed else {
            incorrect(&fields.place, "speed", "metres per second, above 0", &mut self.problems);
            return None;
        };
        Some(Command::Travel(points, speed))
    }

    fn add_media(&mut self, fields: &mut Fields) -> Option<Command> {
        let nodes = fields.list("files", &mut self.problems);
        if nodes.is_none() {
            fields.missing("files", &mut self.problems);
        }
        let mut items = Vec::new();
        for node in nodes? {
            let Some(reference) = scalar_text(&node, "addMedia", &mut self.problems) else {
                continue;
            };
            if reference.contains("${") {
                items.push(MediaItem::Expression(reference));
                continue;
            }
            let ending = Path::new(reference.as_ref())
                .extension()
                .map(|ending| ending.to_ascii_lowercase());
            if !ending.is_some_and(|ending| MEDIA_ENDINGS.iter().any(|known| ending == *known)) {
                let wanted = format!("a media file ({}), not `{reference}`", MEDIA_ENDINGS.join(", "));
                incorrect(&node.place, "addMedia", &wanted, &mut self.problems);
                continue;
            }
            let located = sources::resolve(&node.place.file, &reference).and_then(|path| {
                let place = self.sources.locate(&path)?;
                let digest = self.sources.digest(&path)?;
                Ok((path, digest, place))
            });
            match located {
                Ok((path, digest, place)) => {
                    self.files.insert(path, digest);
                    items.push(MediaItem::File(place));
                }
                Err(message) => self.problems.add(&node.place, "Media File Not Found", message),
            }
        }
        Some(Command::AddMedia(items))
    }
}
