//! The room's metrics. Labels are bounded: never a serial.

use std::time::Duration;

/// How long a call took, by kind and outcome.
const COMMAND_SECONDS: &str = "farmhand_adb_command_duration_seconds";
/// Calls given up: past their deadline, or dropped by their caller.
const ABANDONED: &str = "farmhand_adb_abandoned_total";
/// 1 while an adb server answers.
const SERVER_UP: &str = "farmhand_adb_server_up";
/// Starts of a phone's agent, by outcome.
const AGENT_STARTS: &str = "farmhand_agent_starts_total";
/// Calls that adb alone answered because the agent did not.
const AGENT_FALLBACKS: &str = "farmhand_agent_fallbacks_total";

pub(super) fn describe() {
    metrics::describe_histogram!(
        COMMAND_SECONDS,
        metrics::Unit::Seconds,
        "Calls to phones, by kind and outcome"
    );
    metrics::describe_counter!(
        ABANDONED,
        "Calls to phones given up at their deadline or by their caller"
    );
    metrics::describe_gauge!(SERVER_UP, "1 while the adb server answers, 0 otherwise");
    metrics::describe_counter!(AGENT_STARTS, "Starts of the agent on phones, by outcome");
    metrics::describe_counter!(
        AGENT_FALLBACKS,
        "Calls that adb alone answered because the agent did not"
    );
    metrics::counter!(ABANDONED).absolute(0);
}

pub(super) fn agent_start(outcome: &'static str) {
    metrics::counter!(AGENT_STARTS, "outcome" => outcome).increment(1);
}

pub(super) fn agent_fallback(op: &'static str) {
    metrics::counter!(AGENT_FALLBACKS, "op" => op).increment(1);
}

pub(super) fn command(op: &'static str, outcome: &'static str, took: Duration) {
    metrics::histogram!(COMMAND_SECONDS, "op" => op, "outcome" => outcome).record(took);
}

pub(super) fn abandoned() {
    metrics::counter!(ABANDONED).increment(1);
}

pub(super) fn server_up(server: &str, up: bool) {
    metrics::gauge!(SERVER_UP, "server" => server.to_owned()).set(if up { 1.0 } else { 0.0 });
}
