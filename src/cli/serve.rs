//! `farmhand serve`

use std::future::Future;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, Local, output};
use crate::{settings::Settings, startup::Application, telemetry};

/// `farmhand serve`
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub local: Local,
    /// Address to listen on
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on; 0: any free one
    #[arg(long)]
    port: Option<u16>,
}

impl Serve {
    /// The settings, with `defaults` (TOML) of the command below and the flags on top.
    pub fn settings(&self, defaults: &str) -> Result<Settings, CliError> {
        let mut flags = Vec::new();
        flags.extend(self.host.clone().map(|host| ("http.host", host)));
        flags.extend(self.port.map(|port| ("http.port", port.to_string())));
        self.local.settings(defaults, flags)
    }
}

/// Runs the controller until Ctrl-C or SIGTERM.
pub fn run(serve: &Serve) -> Result<(), CliError> {
    let settings = serve.settings("")?;
    telemetry::start(&settings.log).map_err(CliError::Usage)?;
    in_system(async {
        let application = Application::start(settings).await.map_err(failed)?;
        let address = application.address();
        output::print(&format!(
            "farmhand is ready: http://{address} (API documents: http://{address}/docs)\n"
        ))?;
        application.run_until(ended()).await.map_err(failed)
    })
}

/// Runs a future in an actix system of its own.
pub fn in_system<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    actix_rt::System::new().block_on(future)
}

/// The text of an error, without its type.
pub fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}

/// Comes back at Ctrl-C or SIGTERM. A second one ends the process at once.
pub async fn ended() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be heard; end the process with SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("ending: running tasks come to a safe point first (once more to end at once)");
    actix_rt::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(1);
    });
}
