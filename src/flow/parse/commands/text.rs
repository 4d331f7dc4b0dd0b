//! Commands that type, erase, copy and paste.

use crate::flow::{
    model::{Command, RandomKind},
    parse::{
        FlowParser,
        fields::{Fields, incorrect},
    },
    settings::MAX_RANDOM,
};

/// How many characters `eraseText` erases at most: as many keys are sent in one call.
const MAX_ERASE: i64 = 10_000;

impl FlowParser<'_> {
    pub(in crate::flow::parse) fn text_command(
        &mut self,
        key: &'static str,
        fields: &mut Fields,
    ) -> Option<Option<Command>> {
        let problems = &mut self.problems;
        Some(match key {
            "inputText" => fields.required_text("text", problems).map(Command::InputText),
            "eraseText" => {
                let count = fields
                    .whole("charactersToErase", (0, MAX_ERASE), problems)
                    .unwrap_or(50);
                u32::try_from(count).ok().map(Command::EraseText)
            }
            "inputRandomText" => random(RandomKind::Text, fields, self),
            "inputRandomNumber" => random(RandomKind::Number, fields, self),
            "inputRandomEmail" => Some(Command::InputRandom(RandomKind::Email, "0".into())),
            "inputRandomPersonName" => Some(Command::InputRandom(RandomKind::PersonName, "0".into())),
            "inputRandomCityName" => Some(Command::InputRandom(RandomKind::CityName, "0".into())),
            "inputRandomCountryName" => Some(Command::InputRandom(RandomKind::CountryName, "0".into())),
            "inputRandomColorName" => Some(Command::InputRandom(RandomKind::ColorName, "0".into())),
            "copyTextFrom" => {
                let selector = self.main_selector(fields);
                if selector.as_ref().is_some_and(|selector| selector.image.is_some()) {
                    let wanted = "an element with a text, which a picture has not";
                    incorrect(&fields.place, key, wanted, &mut self.problems);
                }
                selector.map(Box::new).map(Command::CopyTextFrom)
            }
            "pasteText" => Some(Command::PasteText),
            "setClipboard" => fields.required_text("text", problems).map(Command::SetClipboard),
            _ => return None,
        })
    }
}

fn random(kind: RandomKind, fields: &mut Fields, parser: &mut FlowParser<'_>) -> Option<Command> {
    let length = fields.whole_text("length", (0, MAX_RANDOM), &mut parser.problems);
    Some(Command::InputRandom(kind, length.unwrap_or_else(|| "8".into())))
}
