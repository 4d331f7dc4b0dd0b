//! Comma-separated values as RFC 4180 writes them.

/// Why a text is not CSV: the line, from 1, and the fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFault {
    /// Line of the text, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

/// A record and the line at which it begins, from 1.
pub type Record = (usize, Vec<String>);

/// All records. Blank lines do not count; a byte order mark is dropped.
///
/// # Errors
/// Names the line.
pub fn read(text: &str) -> Result<Vec<Record>, CsvFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let mut rest = text.chars().peekable();
    let mut line = 1;
    while rest.peek().is_some() {
        let begun = line;
        let mut record = Vec::new();
        loop {
            let (field, end) = read_field(&mut rest, &mut line)?;
            record.push(field);
            if end == FieldEnd::Record {
                break;
            }
        }
        if record.iter().any(|field| !field.is_empty()) {
            records.push((begun, record));
        }
    }
    Ok(records)
}

/// One record as a line.
#[must_use]
pub fn write<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = fields.into_iter().map(|field| {
        if field.contains(['"', ',', '\r', '\n']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.into()
        }
    });
    let mut line = quoted.collect::<Vec<String>>().join(",");
    line.push_str("\r\n");
    line
}

#[derive(PartialEq, Eq)]
enum FieldEnd {
    Field,
    Record,
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn read_field(rest: &mut Rest<'_>, line: &mut usize) -> Result<(String, FieldEnd), CsvFault> {
    let mut field = String::new();
    let quoted = rest.next_if_eq(&'"').is_some();
    if quoted {
        read_quoted(rest, line, &mut field)?;
    }
    loop {
        match rest.next() {
            None => return Ok((field, FieldEnd::Record)),
            Some(',') => return Ok((field, FieldEnd::Field)),
            Some('\r') if rest.peek().is_none_or(|next| *next == '\n') => {}
            Some('\n') => {
                *line += 1;
                return Ok((field, FieldEnd::Record));
            }
            Some(_) if quoted => {
                return Err(CsvFault {
                    line: *line,
                    problem: "text after a closing quote",
                });
            }
            Some('"') => {
                return Err(CsvFault {
                    line: *line,
                    problem: "a quote within a field that is not quoted",
                });
            }
            Some(character) => field.push(character),
        }
    }
}

fn read_quoted(rest: &mut Rest<'_>, line: &mut usize, field: &mut String) -> Result<(), CsvFault> {
    let begun = *line;
    loop {
        match rest.next() {
            None => {
                return Err(CsvFault {
                    line: begun,
                    problem: "a quote is not closed",
                });
            }
            Some('"') if rest.next_if_eq(&'"').is_some() => field.push('"'),
            Some('"') => return Ok(()),
            Some(character) => {
                *line += usize::from(character == '\n');
                field.push(character);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_read_with_their_lines() {
        let text = "\u{feff}username,app\r\n\r\nanna,\"tik,\"\"tok\nx\"\nbob,\n";

        let records = read(text).unwrap();

        let wanted = [
            (1, vec!["username", "app"]),
            (3, vec!["anna", "tik,\"tok\nx"]),
            (5, vec!["bob", ""]),
        ];
        assert_eq!(
            records,
            wanted.map(|(line, fields)| (line, fields.into_iter().map(str::to_owned).collect()))
        );
    }

    #[test]
    fn a_fault_names_its_line() {
        for (text, line) in [("a\n\"b", 2), ("a\n\"b\"c", 2), ("a\nb\nc\"d", 3)] {
            assert_eq!(read(text).unwrap_err().line, line, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(fields in proptest::collection::vec("[a-z\",\n\r ü]{0,8}", 1..5)) {
            prop_assume!(fields.iter().any(|field| !field.is_empty()));
            let text = write(fields.iter().map(String::as_str));
            prop_assert_eq!(read(&text).unwrap(), vec![(1, fields)]);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,100}") {
            let _ = read(&text);
        }
    }
}
