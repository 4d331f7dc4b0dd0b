//! `farmhand license`

use super::{CliError, Remote, output};

/// Shows the plan.
pub fn run(remote: &Remote) -> Result<(), CliError> {
    let answer = remote.client()?.get("/license/check", &[])?;
    if remote.json {
        return output::json(&answer);
    }
    let columns = [
        ("plan", "/plan_name"),
        ("api", "/api_enabled"),
        ("device limit", "/device_limit"),
        ("message", "/message"),
    ];
    output::table(&columns, std::slice::from_ref(&answer))
}
