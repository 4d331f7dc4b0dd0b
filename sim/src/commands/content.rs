//! `content`: the phone's MediaStore (`Content.java`).

use super::{
    Programs,
    reply::{Answer, failed, printed, silent},
};
use crate::handset::MediaRow;

const MEDIA: &str = "content://media";

/// The options of a `content` call.
#[derive(Debug, Default)]
struct Options {
    uri: Option<String>,
    projection: Option<String>,
    selection: Option<String>,
    sort: Option<String>,
    method: Option<String>,
    argument: Option<String>,
}

/// Runs `content`.
pub(super) fn run(phone: &Programs, arguments: &[String]) -> Answer {
    let Some((verb, rest)) = arguments.split_first() else {
        return Ok(failed(1, "usage: adb shell content [subcommand] [options]\n"));
    };
    let options = match Options::parse(rest) {
        Ok(options) => options,
        Err(reason) => return Ok(failed(1, format!("[ERROR] {reason}\n"))),
    };
    let Some(uri) = options.uri.as_deref() else {
        return Ok(failed(
            1,
            "[ERROR] Content provider URI not specified. Did you specify --uri argument?\n",
        ));
    };
    if !uri.starts_with(MEDIA) {
        let authority = uri
            .trim_start_matches("content://")
            .split('/')
            .next()
            .unwrap_or_default();
        let text = format!(
            "Error while accessing provider:{authority}\n\
             java.lang.IllegalStateException: Could not find provider: {authority}\n\
             \tat com.android.commands.content.Content$Command.execute(Content.java:581)\n"
        );
        return Ok(failed(1, text));
    }
    match verb.as_str() {
        "query" => Ok(printed(query(phone, uri, &options))),
        "call" => Ok(call(phone, &options)),
        "delete" => {
            for row in rows(phone, uri, &options) {
                // A file that is gone already needs nothing but the scan.
                let _ = phone.files.remove(&row.path);
                phone.handset.scan_media(&row.path);
            }
            Ok(silent())
        }
        "insert" | "update" => Ok(silent()),
        _ => Ok(failed(1, format!("[ERROR] Unsupported operation: {verb}\n"))),
    }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(option) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .cloned()
                    .ok_or_else(|| format!("No value for {option}"))
            };
            match option.as_str() {
                "--uri" => options.uri = Some(value()?),
                "--projection" => options.projection = Some(value()?),
                "--where" => options.selection = Some(value()?),
                "--sort" => options.sort = Some(value()?),
                "--method" => options.method = Some(value()?),
                "--arg" => options.argument = Some(value()?),
                "--user" | "--bind" | "--extra" => drop(value()?),
                _ => return Err(format!("Unsupported argument: {option}")),
            }
        }
        Ok(options)
    }
}

/// The rows that the URI and `--where` select, in the order of `--sort`.
fn rows(phone: &Programs, uri: &str, options: &Options) -> Vec<MediaRow> {
    let path = uri.trim_start_matches(MEDIA).split('?').next().unwrap_or_default();
    let mut parts = path.split('/').filter(|part| !part.is_empty()).skip(1);
    let table = parts.next().unwrap_or("file");
    let id = path.rsplit('/').next().and_then(|last| last.parse::<u64>().ok());
    let mut rows = phone.handset.media();
    rows.retain(|row| match table {
        "images" => !row.video,
        "video" => row.video,
        "audio" => false,
        _ => true,
    });
    rows.retain(|row| id.is_none_or(|id| row.id == id));
    rows.retain(|row| {
        options
            .selection
            .as_deref()
            .is_none_or(|selection| fits(row, selection))
    });
    if options
        .sort
        .as_deref()
        .is_some_and(|sort| sort.to_ascii_uppercase().contains("DESC"))
    {
        rows.reverse();
    }
    rows
}

/// Understands `column='value'`, `column=value` and `column LIKE 'pattern'`, joined by AND.
fn fits(row: &MediaRow, selection: &str) -> bool {
    selection
        .split(" AND ")
        .flat_map(|part| part.split(" and "))
        .all(|part| {
            let unquoted = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
            if let Some((name, pattern)) = part.split_once(" LIKE ").or_else(|| part.split_once(" like ")) {
                let pattern = unquoted(pattern);
                let value = column(row, name.trim());
                return match (pattern.strip_prefix('%'), pattern.strip_suffix('%')) {
                    (Some(rest), Some(_)) => value.contains(rest.trim_end_matches('%')),
                    (Some(end), None) => value.ends_with(end),
                    (None, Some(start)) => value.starts_with(start),
                    (None, None) => value == pattern,
                };
            }
            part.split_once('=')
                .is_some_and(|(name, value)| column(row, name.trim()) == unquoted(value))
        })
}

fn column(row: &MediaRow, name: &str) -> String {
    match name {
        "_id" => row.id.to_string(),
        "_data" => row.path.clone(),
        "_display_name" => row.name.clone(),
        "title" => row
            .name
            .rsplit_once('.')
            .map_or(&*row.name, |(stem, _)| stem)
            .to_owned(),
        "media_type" => if row.video { "3" } else { "1" }.to_owned(),
        "mime_type" => mime_type(row).to_owned(),
        _ => "NULL".to_owned(),
    }
}

fn mime_type(row: &MediaRow) -> &'static str {
    let extension = row.name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match (row.video, extension.as_str()) {
        (true, _) => "video/mp4",
        (false, "png") => "image/png",
        (false, _) => "image/jpeg",
    }
}

fn query(phone: &Programs, uri: &str, options: &Options) -> String {
    let projection = options
        .projection
        .as_deref()
        .unwrap_or("_id:_data:_display_name:mime_type");
    let mut text = String::new();
    for (index, row) in rows(phone, uri, options).iter().enumerate() {
        let columns: Vec<String> = projection
            .split(':')
            .map(|name| format!("{name}={}", column(row, name)))
            .collect();
        text.push_str(&format!("Row: {index} {}\n", columns.join(", ")));
    }
    if text.is_empty() {
        "No result found.\n".to_owned()
    } else {
        text
    }
}

fn call(phone: &Programs, options: &Options) -> crate::device::Completion {
    match (options.method.as_deref(), options.argument.as_deref()) {
        (Some("scan_volume"), _) => {
            phone.handset.scan_media("/sdcard");
            printed("Result: Bundle[{}]\n")
        }
        (Some("scan_file"), Some(path)) => {
            phone.handset.scan_media(path.trim_start_matches("file://"));
            let found = phone.handset.media().into_iter().rev().find(|row| row.path == path);
            let uri = found.map_or("null".to_owned(), |row| {
                let table = if row.video { "video" } else { "images" };
                format!("{MEDIA}/external_primary/{table}/media/{}", row.id)
            });
            printed(format!("Result: Bundle[{{uri={uri}}}]\n"))
        }
        _ => printed("Result: null\n"),
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stdout};

    #[tokio::test]
    async fn media_rows_are_selected_projected_and_sorted() {
        let bench = Bench::new();
        let query = "content query --uri content://media/external";
        let cases = [
            (
                format!("{query}/images/media --projection _id:_display_name"),
                "Row: 0 _id=31, _display_name=a.png\nRow: 1 _id=33, _display_name=b.jpg\n",
            ),
            (format!("{query}/video/media --projection _id"), "Row: 0 _id=32\n"),
            (
                format!("{query}/images/media --projection _id --sort _id_DESC"),
                "Row: 0 _id=33\nRow: 1 _id=31\n",
            ),
            (
                format!("{query}/images/media --projection _id --where _display_name='b.jpg'"),
                "Row: 0 _id=33\n",
            ),
            (
                format!("{query}/file/32 --projection mime_type"),
                "Row: 0 mime_type=video/mp4\n",
            ),
            (format!("{query}/images/media --where _id=99"), "No result found.\n"),
        ];
        for (command, expected) in cases {
            assert_eq!(stdout(&bench.run(&command).await), expected, "{command}");
        }
    }

    #[tokio::test]
    async fn a_volume_or_a_file_is_scanned_on_call() {
        let bench = Bench::new();

        let volume = bench
            .run("content call --uri content://media --method scan_volume --arg external_primary")
            .await;
        assert_eq!(stdout(&volume), "Result: Bundle[{}]\n");
        bench
            .run("content call --uri content://media --method scan_file --arg /sdcard/DCIM/a.png")
            .await;
        assert_eq!(bench.handset.calls(), ["scan /sdcard", "scan /sdcard/DCIM/a.png"]);
    }
}
