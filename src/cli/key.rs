//! `farmhand key`: API keys, written straight to the database of this host (so that the first one can be made).

use clap::Subcommand;
use farmhand_actors::domain::Timestamp;
use serde_json::{Value, json};

use super::{
    CliError, Local, output,
    serve::{failed, in_system},
};
use crate::{
    http::auth,
    startup,
    store::{ApiKey, NewKey, Store},
};

const COLUMNS: [output::Column<'static>; 5] = [
    ("prefix", "/prefix"),
    ("name", "/name"),
    ("scopes", "/scopes"),
    ("last used", "/last_used_at"),
    ("revoked", "/revoked_at"),
];

/// `farmhand key …`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is shown once
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it allows: read, write or admin (each includes those before it)
        #[arg(long, default_value = "write", value_parser = ["read", "write", "admin"])]
        scope: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        local: Local,
    },
    /// List keys
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        local: Local,
    },
    /// Revoke a key
    Revoke {
        /// Its prefix, as `list` shows it
        prefix: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        local: Local,
    },
}

/// Runs the command.
pub fn run(command: KeyCommand) -> Result<(), CliError> {
    in_system(async {
        match command {
            KeyCommand::Create {
                name,
                scope,
                json,
                local,
            } => create(name, scope, json, &local).await,
            KeyCommand::List { json, local } => list(json, &local).await,
            KeyCommand::Revoke { prefix, json, local } => revoke(&prefix, json, &local).await,
        }
    })
}

async fn open(local: &Local) -> Result<std::sync::Arc<Store>, CliError> {
    let settings = local.settings("", Vec::new())?;
    let is_new = !startup::has_database(&settings);
    let store = startup::open_store(&settings).await.map_err(failed)?;
    if is_new {
        let folder = std::path::absolute(&settings.data_dir).unwrap_or_else(|_| settings.data_dir.clone());
        eprintln!(
            "farmhand: there was no database in {}, a new one was made; if the controller has another one, repeat its --config \
             and --data-dir here",
            folder.display()
        );
    }
    Ok(store)
}

async fn create(name: String, scope: String, json: bool, local: &Local) -> Result<(), CliError> {
    let store = open(local).await?;
    let made = auth::new_key();
    let key = NewKey {
        prefix: made.prefix.clone(),
        hash: made.hash,
        name,
        scopes: vec![scope],
        created_at: Timestamp::now(),
        expires_at: None,
    };
    store.create_key(key).await.map_err(failed)?;
    store.close().await;
    if json {
        return output::json(&json!({ "key": made.key, "prefix": made.prefix }));
    }
    output::print(&format!("{}\n", made.key))?;
    eprintln!("Keep it: it is not shown again. Clients send it as `Authorization: Bearer …`.");
    Ok(())
}

async fn list(json: bool, local: &Local) -> Result<(), CliError> {
    let store = open(local).await?;
    let keys: Vec<Value> = store.list_keys().await.map_err(failed)?.iter().map(shown).collect();
    store.close().await;
    if json {
        output::json(&Value::Array(keys))
    } else {
        output::table(&COLUMNS, &keys)
    }
}

fn shown(key: &ApiKey) -> Value {
    json!({
        "prefix": key.key.prefix,
        "name": key.key.name,
        "scopes": key.key.scopes,
        "created_at": key.key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    })
}

async fn revoke(prefix: &str, json: bool, local: &Local) -> Result<(), CliError> {
    let store = open(local).await?;
    let revoked = store.revoke_key(prefix, Timestamp::now()).await.map_err(failed)?;
    store.close().await;
    if !revoked {
        return Err(CliError::NotFound(format!(
            "there is no valid key with the prefix {prefix}; see `farmhand key list`"
        )));
    }
    if json {
        return output::json(&json!({ "prefix": prefix, "revoked": true }));
    }
    output::print(&format!("{prefix} is revoked\n"))
}
