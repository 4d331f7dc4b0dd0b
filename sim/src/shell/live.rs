//! A program of the device whose output is handed on while it runs.

use tokio::sync::mpsc;

use super::io::{Streams, WriteError};
use crate::device::{Completion, Device, Invocation};

/// Pieces of a running program's output that wait for a slow host; then the program waits.
const LIVE_PIECES: usize = 4;

/// Runs a program to its end, or until the host has gone. `None`: the device has no such program.
pub(super) async fn run(
    device: &dyn Device,
    invocation: Invocation,
    streams: &Streams,
) -> Result<Option<Completion>, WriteError> {
    let (sender, mut printed) = mpsc::channel(LIVE_PIECES);
    let mut running = device.run_live(invocation, sender);
    let completion = loop {
        tokio::select! {
            biased;
            Some(piece) = printed.recv() => streams.stdout.write(piece).await?,
            completion = &mut running => break completion,
        }
    };
    while let Ok(piece) = printed.try_recv() {
        streams.stdout.write(piece).await?;
    }
    Ok(completion)
}
