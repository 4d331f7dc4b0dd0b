//! Whether the phone is there, as cheaply as can be: one `STAT` of the file service, which adbd answers itself. It costs
//! the phone no process, and it tells a phone that hangs from one that adb still believes in.
//! (AOSP: packages/modules/adb/SYNC.TXT)

use std::time::Instant;

use farmhand_actors::ports::DriverError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::call::AdbDriver;
use crate::adb::{client::Transport, error::AdbError, metrics};

const OP: &str = "heartbeat";

/// `STAT`, the length of the path, the path.
const REQUEST: &[u8] = b"STAT\x01\x00\x00\x00/";
/// `STAT`, then mode, size and time of 32 bits each.
const ANSWER_BYTES: usize = 16;

impl AdbDriver {
    /// Takes no slot of the phone and leaves its breaker alone: a phone that people keep busy is not a phone that is
    /// away, and a heartbeat has to tell when a phone is back.
    pub(super) async fn beat(&self) -> Result<(), DriverError> {
        let transport = self.transport()?;
        let server = &transport.server;
        let asked = Asked {
            since: Instant::now(),
            told: false,
        };
        let answered = async {
            let _slot = server.slots.acquire().await.map_err(|_| AdbError::Lost)?;
            ask(&transport).await
        };
        let answered = answered.await;
        asked.tell(answered.as_ref().map_or_else(AdbError::outcome, |()| "ok"));
        answered.map_err(|error| error.for_command(&self.phone.serial, OP, server.address()))
    }
}

async fn ask(transport: &Transport) -> Result<(), AdbError> {
    let mut stream = transport.server.open(&transport.adb_serial, "sync:").await?;
    stream.write_all(REQUEST).await.map_err(|_| AdbError::Lost)?;
    let mut answer = [0; ANSWER_BYTES];
    stream.read_exact(&mut answer).await.map_err(|_| AdbError::Lost)?;
    if answer.starts_with(b"STAT") {
        Ok(())
    } else {
        Err(AdbError::Refused(
            "the file service does not answer in its protocol".to_owned(),
        ))
    }
}

/// A heartbeat under way. Dropped before its end, its caller had no more patience.
struct Asked {
    since: Instant,
    told: bool,
}

impl Asked {
    fn tell(mut self, outcome: &'static str) {
        self.told = true;
        metrics::command(OP, outcome, self.since.elapsed());
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.told {
            metrics::abandoned();
            metrics::command(OP, "cancelled", self.since.elapsed());
        }
    }
}
