//! Commands about the phone: pictures, recordings, media, place, orientation, modes.

use std::path::Path;

use crate::flow::{
    model::{Command, MediaItem, Switch, Text},
    parse::{
        FlowParser,
        fields::{Fields, incorrect, scalar_text},
        keys::{ORIENTATIONS, rotation},
        sources,
        suggest::did_you_mean,
        yaml::Node,
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
        Some(match key {
            "takeScreenshot" => {
                let path = self.named_file(fields);
                let crop = self.optional_selector(fields, "cropOn").map(Box::new);
                path.map(|path| Command::TakeScreenshot(path, crop))
            }
            "startRecording" => self.named_file(fields).map(Command::StartRecording),
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

    /// The name that a picture or a recording gets.
    fn named_file(&mut self, fields: &mut Fields) -> Option<Text> {
        let path = fields.required_text("path", &mut self.problems)?;
        if path.trim().is_empty() {
            incorrect(&fields.at("path"), "path", "a name", &mut self.problems);
        }
        Some(path)
    }

    fn switch(&mut self, fields: &mut Fields) -> Option<Switch> {
        let word = fields.required_text("value", &mut self.problems)?;
        match word.to_lowercase().as_str() {
            "enabled" => Some(Switch::On),
            "disabled" => Some(Switch::Off),
            _ => {
                incorrect(
                    &fields.at("value"),
                    &fields.what,
                    "enabled or disabled",
                    &mut self.problems,
                );
                None
            }
        }
    }

    fn orientation(&mut self, fields: &mut Fields) -> Option<Command> {
        let word = fields.required_text("orientation", &mut self.problems)?;
        if !word.contains("${") && rotation(&word).is_none() {
            let known = ORIENTATIONS.map(|(known, _)| known);
            let wanted = format!("one of {}{}", known.join(", "), did_you_mean(&word, known));
            incorrect(&fields.at("orientation"), "orientation", &wanted, &mut self.problems);
        }
        Some(Command::SetOrientation(word))
    }

    fn location(&mut self, fields: &mut Fields) -> Option<Command> {
        let latitude = fields.required_text("latitude", &mut self.problems);
        let longitude = fields.required_text("longitude", &mut self.problems);
        let (latitude, longitude) = latitude.zip(longitude)?;
        self.coordinate("latitude", &latitude, 90.0, &fields.at("latitude"));
        self.coordinate("longitude", &longitude, 180.0, &fields.at("longitude"));
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
        let items = fields.list("points", &mut self.problems).unwrap_or_default();
        let points: Vec<Text> = items.iter().filter_map(|item| self.waypoint(item)).collect();
        let speed = fields.text("speed", &mut self.problems);
        if items.is_empty() {
            fields.missing("points", &mut self.problems);
            return None;
        }
        let speed = speed.map_or(Some(4.0), |speed| {
            speed.parse::<f64>().ok().filter(|speed| *speed > 0.0)
        });
        let Some(speed) = speed else {
            incorrect(
                &fields.at("speed"),
                "speed",
                "metres per second, above 0",
                &mut self.problems,
            );
            return None;
        };
        Some(Command::Travel(points, speed))
    }

    /// A point of `travel`: `latitude,longitude`.
    fn waypoint(&mut self, item: &Node) -> Option<Text> {
        let point = scalar_text(item, "points", &mut self.problems)?;
        if point.contains("${") {
            return Some(point);
        }
        let Some((latitude, longitude)) = point.split_once(',') else {
            incorrect(
                &item.place,
                "points",
                "places: `latitude,longitude`",
                &mut self.problems,
            );
            return None;
        };
        self.coordinate("latitude", latitude, 90.0, &item.place);
        self.coordinate("longitude", longitude, 180.0, &item.place);
        Some(point)
    }

    fn add_media(&mut self, fields: &mut Fields) -> Option<Command> {
        let nodes = fields.list("files", &mut self.problems);
        if nodes.as_ref().is_none_or(Vec::is_empty) {
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
