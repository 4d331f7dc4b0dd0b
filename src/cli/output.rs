//! Prints answers: JSON for scripts, tables that fit the terminal for people.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::CliError;

/// Width taken when the terminal does not say one.
const DEFAULT_WIDTH: usize = 100;

/// A column: its head, and the pointer (`/a/b`) of its value in each row.
pub type Column<'a> = (&'a str, &'a str);

/// Prints a value as JSON.
pub fn json(value: &Value) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    print(&format!("{text}\n"))
}

/// Prints text. A reader that has gone away is no failure.
pub fn print(text: &str) -> Result<(), CliError> {
    bytes(text.as_bytes())
}

/// Prints bytes. A reader that has gone away is no failure.
pub fn bytes(content: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(content).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Failed(error.to_string())),
        _ => Ok(()),
    }
}

/// Prints rows as a table, lines cut to fit the terminal; what goes into a file or a pipe is not cut.
pub fn table(columns: &[Column<'_>], rows: &[Value]) -> Result<(), CliError> {
    print(&render(columns, rows, width()))
}

/// How many characters a line has room for.
pub fn width() -> usize {
    if !io::stdout().is_terminal() {
        return usize::MAX;
    }
    std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(DEFAULT_WIDTH)
        .max(40)
}

fn render(columns: &[Column<'_>], rows: &[Value], width: usize) -> String {
    let mut cells: Vec<Vec<String>> = vec![columns.iter().map(|(head, _)| head.to_uppercase()).collect()];
    for row in rows {
        cells.push(columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))).collect());
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            cells
                .iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max()
        })
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, wide) in row.iter().zip(&widths) {
            line.push_str(cell);
            let pad = wide.saturating_sub(cell.chars().count()).saturating_add(2);
            line.extend(std::iter::repeat_n(' ', pad));
        }
        let line = line.trim_end();
        if line.chars().count() > width {
            text.extend(line.chars().take(width.saturating_sub(1)));
            text.push('…');
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

/// A text on one line, without what a terminal would obey.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => plain(text),
        Some(Value::Array(items)) => {
            let items: Vec<_> = items.iter().map(|item| cell(Some(item))).collect();
            if items.is_empty() {
                "-".to_owned()
            } else {
                items.join(",")
            }
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_fits_its_width_and_shows_no_control_characters() {
        let rows = [
            json!({"id": 7, "r": "a\x1b[31mb\nc", "list": ["x", "y"]}),
            json!({"id": null}),
        ];

        let text = render(&[("id", "/id"), ("list", "/list"), ("remark", "/r")], &rows, 18);

        assert_eq!(text, "ID  LIST  REMARK\n7   x,y   a [31mb…\n-   -     -\n");
    }
}
