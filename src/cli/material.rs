//! `farmhand material`

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use super::{CliError, Remote, output};

const COLUMNS: [output::Column<'static>; 7] = [
    ("id", "/id"),
    ("kind", "/kind"),
    ("name", "/name"),
    ("bytes", "/bytes"),
    ("tags", "/tags"),
    ("username", "/username"),
    ("used by", "/used_by"),
];

/// `farmhand material …`
#[derive(Debug, Subcommand)]
pub enum MaterialCommand {
    /// List materials
    List(Remote),
    /// Upload files
    Add {
        /// MP4, JPG or PNG files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Tags, separated by commas
        #[arg(long, default_value = "")]
        tags: String,
        /// Only for this account
        #[arg(long)]
        username: Option<String>,
        /// Caption for posts that have none
        #[arg(long)]
        caption: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Delete a material
    Delete {
        /// Its id
        id: u64,
        #[command(flatten)]
        remote: Remote,
    },
}

/// The materials that were added: one document, or a table.
fn show(added: &[Value], json: bool) -> Result<(), CliError> {
    if added.is_empty() {
        return Ok(());
    }
    if json {
        return output::json(&Value::Array(added.to_vec()));
    }
    output::table(&COLUMNS, added)
}

/// Runs the command.
pub fn run(command: MaterialCommand) -> Result<(), CliError> {
    match command {
        MaterialCommand::List(remote) => {
            let answer = remote.client()?.get("/material", &[])?;
            if remote.json {
                return output::json(&answer);
            }
            let items = answer
                .get("items")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            output::table(&COLUMNS, &items)
        }
        MaterialCommand::Add {
            files,
            tags,
            username,
            caption,
            remote,
        } => {
            let client = remote.client()?;
            let mut fields = vec![("tags", tags)];
            fields.extend(username.map(|username| ("username", username)));
            fields.extend(caption.map(|caption| ("caption", caption)));
            let mut added = Vec::with_capacity(files.len());
            for (at, file) in files.iter().enumerate() {
                eprintln!("{} of {}: {}", at.saturating_add(1), files.len(), file.display());
                match client.post_file("/material", file, &fields) {
                    Ok(material) => added.push(material),
                    Err(error) => {
                        // What was added before stays: it is told.
                        show(&added, remote.json)?;
                        return Err(error);
                    }
                }
            }
            show(&added, remote.json)
        }
        MaterialCommand::Delete { id, remote } => output::json(&remote.client()?.delete(&format!("/material/{id}"))?),
    }
}
