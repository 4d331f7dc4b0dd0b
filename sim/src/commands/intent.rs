//! Intents as `am` reads them from its arguments and prints them (`Intent.parseCommandArgs`, `Intent.toString`).

use super::reply::{Arguments, illegal_argument, number_format};
use crate::device::Completion;

/// A component: package and full class name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) package: String,
    pub(super) class: String,
}

impl Component {
    /// Reads `pkg/.Cls` or `pkg/pkg.Cls`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (package, class) = text.split_once('/')?;
        if package.is_empty() || class.is_empty() {
            return None;
        }
        let class = if class.starts_with('.') {
            format!("{package}{class}")
        } else {
            class.to_owned()
        };
        Some(Self {
            package: package.to_owned(),
            class,
        })
    }

    /// `pkg/.Cls`, as `flattenToShortString` prints it.
    pub(super) fn short(&self) -> String {
        match self.class.strip_prefix(&self.package) {
            Some(rest) if rest.starts_with('.') => format!("{}/{rest}", self.package),
            _ => self.full(),
        }
    }

    /// `pkg/pkg.Cls`
    pub(super) fn full(&self) -> String {
        format!("{}/{}", self.package, self.class)
    }
}

/// An intent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) action: Option<String>,
    pub(super) data: Option<String>,
    pub(super) mime_type: Option<String>,
    pub(super) categories: Vec<String>,
    pub(super) package: Option<String>,
    pub(super) component: Option<Component>,
    pub(super) flags: u32,
    /// Names and values as they were written.
    pub(super) extras: Vec<(String, String)>,
}

impl Intent {
    /// Reads the options of an intent. An option that is none of an intent goes to `other`, which says whether it
    /// knows it (and takes its arguments).
    pub(super) fn parse<'a>(
        arguments: &mut Arguments<'a>,
        mut other: impl FnMut(&'a str, &mut Arguments<'a>) -> Result<bool, Completion>,
    ) -> Result<Self, Completion> {
        let mut intent = Self::default();
        while let Some(option) = arguments.next_option() {
            if !intent.take_option(option, arguments)? && !other(option, arguments)? {
                return Err(illegal_argument(
                    arguments.command(),
                    &format!("Unknown option: {option}"),
                ));
            }
        }
        if let Some(word) = arguments.next() {
            intent.take_word(word);
        }
        let nothing = intent.action.is_none()
            && intent.data.is_none()
            && intent.component.is_none()
            && intent.package.is_none()
            && intent.categories.is_empty();
        if nothing {
            return Err(illegal_argument(arguments.command(), "No intent supplied"));
        }
        Ok(intent)
    }

    fn take_option(&mut self, option: &str, arguments: &mut Arguments<'_>) -> Result<bool, Completion> {
        match option {
            "-a" => self.action = Some(arguments.required()?.to_owned()),
            "-d" => self.data = Some(arguments.required()?.to_owned()),
            "-t" => self.mime_type = Some(arguments.required()?.to_owned()),
            "-i" => drop(arguments.required()?),
            "-c" => self.categories.push(arguments.required()?.to_owned()),
            "-p" => self.package = Some(arguments.required()?.to_owned()),
            "-n" => {
                let word = arguments.required()?;
                let bad = || illegal_argument(arguments.command(), &format!("Bad component name: {word}"));
                self.component = Some(Component::parse(word).ok_or_else(bad)?);
            }
            "-f" => {
                let word = arguments.required()?;
                self.flags = parse_flags(word).ok_or_else(|| number_format(arguments.command(), word))?;
            }
            "--esn" => self.extras.push((arguments.required()?.to_owned(), "null".to_owned())),
            "-e" | "--es" | "--eu" | "--ecn" | "--esa" | "--esal" | "--eia" | "--eial" | "--ela" | "--elal"
            | "--efa" | "--efal" => self
                .extras
                .push((arguments.required()?.to_owned(), arguments.required()?.to_owned())),
            "--ei" => self.take_typed(arguments, |word| word.parse::<i32>().is_ok())?,
            "--el" => self.take_typed(arguments, |word| word.parse::<i64>().is_ok())?,
            "--ef" => self.take_typed(arguments, |word| word.parse::<f32>().is_ok())?,
            "--ez" => self.take_typed(arguments, |word| {
                matches!(word, "true" | "t" | "1" | "false" | "f" | "0")
            })?,
            _ => return Ok(flag_of(option).map(|flag| self.flags |= flag).is_some()),
        }
        Ok(true)
    }

    fn take_typed(&mut self, arguments: &mut Arguments<'_>, fits: fn(&str) -> bool) -> Result<(), Completion> {
        let name = arguments.required()?;
        let value = arguments.required()?;
        if !fits(value) {
            return Err(number_format(arguments.command(), value));
        }
        self.extras.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// The last word of `am start` may be a URI, a component or a package.
    fn take_word(&mut self, word: &str) {
        if word.contains(':') {
            self.data.get_or_insert_with(|| word.to_owned());
            self.action
                .get_or_insert_with(|| "android.intent.action.VIEW".to_owned());
        } else if let Some(component) = Component::parse(word) {
            self.component = Some(component);
            self.default_to_main();
        } else {
            self.package = Some(word.to_owned());
            self.default_to_main();
        }
    }

    fn default_to_main(&mut self) {
        self.action
            .get_or_insert_with(|| "android.intent.action.MAIN".to_owned());
        if self.categories.is_empty() {
            self.categories.push("android.intent.category.LAUNCHER".to_owned());
        }
    }

    /// The value of an extra.
    pub(super) fn extra(&self, name: &str) -> Option<&str> {
        self.extras
            .iter()
            .rev()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Display for Intent {
    /// `Intent { act=… cat=[…] dat=… typ=… flg=0x… pkg=… cmp=… (has extras) }`
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.action.iter().map(|action| format!("act={action}")));
        if !self.categories.is_empty() {
            parts.push(format!("cat=[{}]", self.categories.join(",")));
        }
        parts.extend(self.data.iter().map(|data| format!("dat={}", shortened(data))));
        parts.extend(self.mime_type.iter().map(|mime_type| format!("typ={mime_type}")));
        if self.flags != 0 {
            parts.push(format!("flg=0x{:x}", self.flags));
        }
        parts.extend(self.package.iter().map(|package| format!("pkg={package}")));
        parts.extend(
            self.component
                .iter()
                .map(|component| format!("cmp={}", component.short())),
        );
        if !self.extras.is_empty() {
            parts.push("(has extras)".to_owned());
        }
        write!(formatter, "Intent {{ {} }}", parts.join(" "))
    }
}

fn parse_flags(word: &str) -> Option<u32> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// The flags that have an option of their own.
fn flag_of(option: &str) -> Option<u32> {
    Some(match option {
        "--grant-read-uri-permission" => 0x1,
        "--grant-write-uri-permission" => 0x2,
        "--include-stopped-packages" => 0x20,
        "--exclude-stopped-packages" => 0x10,
        "--activity-clear-task" => 0x8000,
        "--activity-clear-top" => 0x0400_0000,
        "--activity-new-task" => 0x1000_0000,
        "--activity-single-top" => 0x2000_0000,
        "--activity-no-history" => 0x4000_0000,
        "--activity-brought-to-front" => 0x0040_0000,
        "--activity-exclude-from-recents" => 0x0080_0000,
        "--activity-no-animation" => 0x0001_0000,
        "--receiver-foreground" => 0x1000_0000,
        "--receiver-registered-only" => 0x4000_0000,
        _ => return None,
    })
}

/// `Uri.toSafeString`: scheme and host remain, the rest may be private.
fn shortened(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return "/...".to_owned();
    };
    if matches!(scheme, "tel" | "sip" | "sms" | "smsto" | "mailto") {
        let masked = rest.chars().map(|c| if matches!(c, '-' | '@' | '.') { c } else { 'x' });
        return format!("{scheme}:{}", masked.collect::<String>());
    }
    match rest.strip_prefix("//") {
        Some(hierarchy) => {
            let authority = hierarchy.split(['/', '?', '#']).next().unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}/...")
        }
        None if rest.starts_with('/') => format!("{scheme}:/..."),
        None => format!("{scheme}:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Intent, Completion> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Intent::parse(&mut Arguments::new("start", &words), |_, _| Ok(false))
    }

    #[test]
    fn an_intent_prints_as_on_a_real_phone() {
        let cases: [(&[&str], &str); 5] = [
            (
                &[
                    "-a",
                    "android.intent.action.VIEW",
                    "-d",
                    "https://example.com/a?b=c",
                    "-p",
                    "com.x",
                ],
                "Intent { act=android.intent.action.VIEW dat=https://example.com/... pkg=com.x }",
            ),
            (
                &["-n", "com.x/com.x.ui.Main", "--ez", "k", "true"],
                "Intent { cmp=com.x/.ui.Main (has extras) }",
            ),
            (
                &["-a", "A", "-c", "C", "-t", "image/*", "-f", "0x10000000"],
                "Intent { act=A cat=[C] typ=image/* flg=0x10000000 }",
            ),
            (&["-d", "file:///sdcard/a.mp4"], "Intent { dat=file:///... }"),
            (&["-a", "A", "-d", "tel:123-45"], "Intent { act=A dat=tel:xxx-xx }"),
        ];

        for (words, expected) in cases {
            assert_eq!(parse(words).expect("an intent").to_string(), expected);
        }
    }

    #[test]
    fn a_last_word_is_a_link_a_component_or_a_package() {
        let link = parse(&["https://example.com/"]).expect("a link");
        assert_eq!(link.action.as_deref(), Some("android.intent.action.VIEW"));
        let component = parse(&["com.x/.Main"]).expect("a component");
        assert_eq!(component.component.expect("component").full(), "com.x/com.x.Main");
        assert_eq!(parse(&["com.x"]).expect("a package").package.as_deref(), Some("com.x"));
    }

    #[test]
    fn a_bad_intent_is_an_exception_that_names_the_word() {
        let cases: [(&[&str], &str); 5] = [
            (&["-a"], "Argument expected after \"-a\""),
            (&["--ei", "k", "x"], "NumberFormatException: For input string: \"x\""),
            (&["-n", "nothing"], "Bad component name: nothing"),
            (&["--nope"], "Unknown option: --nope"),
            (&[], "No intent supplied"),
        ];

        for (words, expected) in cases {
            let completion = parse(words).expect_err("an exception");
            let text = String::from_utf8(completion.stderr).expect("text");
            assert!(
                text.starts_with("\nException occurred while executing 'start':\n"),
                "{text}"
            );
            assert!(text.contains(expected), "{text}");
            assert_eq!(completion.code, 255);
        }
    }
}
