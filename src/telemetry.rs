//! Log lines: text for people or JSON for machines, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::settings::{Log, LogFormat};

/// Begins to log. `RUST_LOG`, when set, wins over the setting. A second call changes nothing.
///
/// # Errors
/// The filter is not one; the text names its fault.
pub fn start(log: &Log) -> Result<(), String> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| log.level.clone());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| format!("log.level '{wanted}': {error}"))?;
    let lines = tracing_subscriber::registry().with(filter);
    // Already started (tests that build several applications): the first one stays.
    let _ = match log.format {
        LogFormat::Text => lines
            .with(
                fmt::layer()
                    // Colours are for eyes: a file or a journal would keep their escapes.
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_writer(std::io::stderr)
                    .with_target(false),
            )
            .try_init(),
        LogFormat::Json => lines
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_span_list(true)
                    .with_current_span(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    Ok(())
}
