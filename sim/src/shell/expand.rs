//! Words to argument lists: parameters, substitutions, fields, file names.

use futures_util::{FutureExt, future::BoxFuture};

use super::{
    MAX_WORD_BYTES, arithmetic,
    ast::{Modifier, Piece, Statement, Word},
    glob,
    interpret::{Interpreter, Unwind},
    io::{Input, Output, Streams, take_buffer},
};

/// Values longer than this, bytes, are not trimmed: trying each length would take too long.
const MAX_TRIM_BYTES: usize = 4096;

/// Fields of a word under construction.
#[derive(Default)]
struct Fields {
    done: Vec<Field>,
    current: Option<Field>,
    bytes: usize,
}

#[derive(Default)]
struct Field {
    text: String,
    /// The same, with quoted characters escaped.
    pattern: String,
    /// Whether an unquoted pattern character is in it.
    is_pattern: bool,
}

impl Interpreter {
    /// Arguments that these words become.
    pub(super) async fn expand_words(&mut self, words: &[Word], streams: &Streams) -> Result<Vec<String>, Unwind> {
        let mut arguments = Vec::new();
        for word in words {
            for field in self.expand_fields(word, streams).await? {
                if !field.is_pattern {
                    arguments.push(field.text);
                    continue;
                }
                let found = glob::expand(&self.files(), &self.folder, &field.pattern);
                if found.is_empty() {
                    arguments.push(field.text);
                } else {
                    arguments.extend(found);
                }
            }
        }
        Ok(arguments)
    }

    /// The one text that a word becomes where no fields are made: assignments, redirections, `case`.
    pub(super) async fn expand_text(&mut self, word: &Word, streams: &Streams) -> Result<String, Unwind> {
        let mut text = String::new();
        for field in self.expand_unsplit(word, streams).await? {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&field.text);
        }
        Ok(text)
    }

    /// As [`Self::expand_text`], for a pattern: quoted characters are escaped.
    pub(super) async fn expand_pattern(&mut self, word: &Word, streams: &Streams) -> Result<String, Unwind> {
        let fields = self.expand_unsplit(word, streams).await?;
        Ok(fields.into_iter().map(|field| field.pattern).collect())
    }

    async fn expand_unsplit(&mut self, word: &Word, streams: &Streams) -> Result<Vec<Field>, Unwind> {
        let mut fields = Fields::default();
        self.expand_into(&mut fields, word, false, streams).await?;
        Ok(fields.finish())
    }

    async fn expand_fields(&mut self, word: &Word, streams: &Streams) -> Result<Vec<Field>, Unwind> {
        let mut fields = Fields::default();
        self.expand_into(&mut fields, word, true, streams).await?;
        Ok(fields.finish())
    }

    fn expand_into<'a>(
        &'a mut self,
        fields: &'a mut Fields,
        word: &'a Word,
        split: bool,
        streams: &'a Streams,
    ) -> BoxFuture<'a, Result<(), Unwind>> {
        async move {
            for piece in &word.0 {
                match piece {
                    Piece::Text { text, quoted } => fields.push(text, *quoted),
                    Piece::Parameter {
                        name,
                        modifier: None,
                        quoted: true,
                    } if name == "@" && split => {
                        fields.push_all(&self.variables.positional);
                    }
                    Piece::Parameter {
                        name,
                        modifier: None,
                        quoted,
                    } => {
                        let value = self.parameter(name).unwrap_or_default();
                        fields.push_expansion(&value, *quoted || !split);
                    }
                    Piece::Parameter {
                        name,
                        modifier: Some(modifier),
                        quoted,
                    } => {
                        let value = self.modified(name, modifier, streams).await?;
                        fields.push_expansion(&value, *quoted || !split);
                    }
                    Piece::Command { script, quoted } => {
                        let output = self.substitute(script, streams).await?;
                        fields.push_expansion(&output, *quoted || !split);
                    }
                    Piece::Arithmetic { expression, quoted } => {
                        let expression = self.expand_text(expression, streams).await?;
                        match arithmetic::evaluate(&expression, &self.variables) {
                            Ok(value) => fields.push_expansion(&value.to_string(), *quoted || !split),
                            Err(message) => return self.fail(streams, &message, 1).await,
                        }
                    }
                }
                if fields.bytes > MAX_WORD_BYTES {
                    return self.fail(streams, "Argument list too long", 1).await;
                }
            }
            Ok(())
        }
        .boxed()
    }

    /// The value of `$name`.
    fn parameter(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.status.to_string()),
            "$" => Some("4242".to_owned()),
            "!" => None,
            "-" => Some("s".to_owned()),
            "#" => Some(self.variables.positional.len().to_string()),
            "@" | "*" => Some(self.variables.positional.join(" ")),
            "0" => Some("sh".to_owned()),
            "PWD" => Some(self.folder.clone()),
            "RANDOM" => Some(rand::random_range(0..32_768).to_string()),
            _ => match name.parse::<usize>() {
                Ok(number) => self.variables.positional.get(number.checked_sub(1)?).cloned(),
                Err(_) => self.variables.get(name).map(str::to_owned),
            },
        }
    }

    async fn modified(&mut self, name: &str, modifier: &Modifier, streams: &Streams) -> Result<String, Unwind> {
        let value = self.parameter(name);
        let missing = |empty_too: bool| value.as_ref().is_none_or(|value| empty_too && value.is_empty());
        match modifier {
            Modifier::Length => Ok(value.unwrap_or_default().chars().count().to_string()),
            Modifier::Default { empty_too, word } if missing(*empty_too) => self.expand_text(word, streams).await,
            Modifier::Assign { empty_too, word } if missing(*empty_too) => {
                let text = self.expand_text(word, streams).await?;
                self.variables.set(name, &text);
                Ok(text)
            }
            Modifier::Default { .. } | Modifier::Assign { .. } => Ok(value.unwrap_or_default()),
            Modifier::Alternative { empty_too, .. } if missing(*empty_too) => Ok(String::new()),
            Modifier::Alternative { word, .. } => self.expand_text(word, streams).await,
            Modifier::TrimStart { longest, pattern } => {
                let pattern = self.expand_pattern(pattern, streams).await?;
                Ok(trim_start(&value.unwrap_or_default(), &pattern, *longest).to_owned())
            }
            Modifier::TrimEnd { longest, pattern } => {
                let pattern = self.expand_pattern(pattern, streams).await?;
                Ok(trim_end(&value.unwrap_or_default(), &pattern, *longest).to_owned())
            }
        }
    }

    /// The output of `$(…)` without its last newlines; it runs in a subshell.
    async fn substitute(&mut self, script: &[Statement], streams: &Streams) -> Result<String, Unwind> {
        let (stdout, buffer) = Output::buffer();
        let inner = Streams {
            stdin: Input::empty(),
            stdout,
            stderr: streams.stderr.clone(),
        };
        self.status = self.subshell(script, &inner).await?;
        self.substitutions += 1;
        let mut text = String::from_utf8_lossy(&take_buffer(&buffer)).into_owned();
        text.truncate(text.trim_end_matches('\n').len());
        // As in a real shell, where no variable can hold one.
        text.retain(|c| c != '\0');
        Ok(text)
    }
}

impl Fields {
    fn field(&mut self) -> &mut Field {
        self.current.get_or_insert_default()
    }

    fn push(&mut self, text: &str, quoted: bool) {
        self.bytes += text.len();
        let field = self.field();
        field.text.push_str(text);
        if quoted {
            glob::escape_into(&mut field.pattern, text);
        } else {
            field.pattern.push_str(text);
            field.is_pattern |= text.contains(['*', '?', '[']);
        }
    }

    fn push_expansion(&mut self, text: &str, whole: bool) {
        if whole {
            return self.push(text, true);
        }
        for (index, part) in text.split([' ', '\t', '\n']).enumerate() {
            if index > 0 {
                self.done.extend(self.current.take());
            }
            if !part.is_empty() {
                self.push(part, false);
            }
        }
    }

    /// `"$@"`: each one a field of its own; the first and the last join what stands beside them.
    fn push_all(&mut self, texts: &[String]) {
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                self.done.extend(self.current.take());
            }
            self.push(text, true);
        }
        if texts.is_empty() && self.current.as_ref().is_some_and(|field| field.text.is_empty()) {
            self.current = None;
        }
    }

    fn finish(mut self) -> Vec<Field> {
        self.done.extend(self.current.take());
        self.done
    }
}

fn trim_start<'a>(value: &'a str, pattern: &str, longest: bool) -> &'a str {
    if value.len() > MAX_TRIM_BYTES {
        return value;
    }
    let mut ends = value
        .char_indices()
        .map(|(index, _)| index)
        .chain([value.len()])
        .collect::<Vec<_>>();
    if longest {
        ends.reverse();
    }
    let fits = |end: &usize| value.get(..*end).is_some_and(|head| glob::matches(pattern, head));
    ends.into_iter()
        .find(fits)
        .and_then(|end| value.get(end..))
        .unwrap_or(value)
}

fn trim_end<'a>(value: &'a str, pattern: &str, longest: bool) -> &'a str {
    if value.len() > MAX_TRIM_BYTES {
        return value;
    }
    let mut starts = value
        .char_indices()
        .map(|(index, _)| index)
        .chain([value.len()])
        .collect::<Vec<_>>();
    if !longest {
        starts.reverse();
    }
    let fits = |start: &usize| value.get(*start..).is_some_and(|tail| glob::matches(pattern, tail));
    starts
        .into_iter()
        .find(fits)
        .and_then(|start| value.get(..start))
        .unwrap_or(value)
}
