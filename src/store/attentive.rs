//! Waiting for SQLite's thread without falling asleep at once: each statement is an answer of its own, a few microseconds
//! after the one before it, and to be put to sleep and woken again takes both threads longer than that.

use std::{
    pin::pin,
    task::Poll,
    thread::yield_now,
    time::{Duration, Instant},
};

/// How long the thread looks again and again before it sleeps. Far less than a sync of the disk, in which others may need
/// the processor.
const ATTENTION: Duration = Duration::from_micros(100);

/// Runs a future on a thread that has nothing else to do meanwhile.
pub(super) async fn attentive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let woken = Instant::now();
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            if woken.elapsed() >= ATTENTION {
                return Poll::Pending;
            }
            // Others that are ready to run go first.
            yield_now();
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_ready_is_answered_and_what_takes_longer_than_the_attention_is_slept_for() {
        assert_eq!(attentive(async { 7 }).await, 7);

        let (sender, receiver) = tokio::sync::oneshot::channel();
        let late = std::thread::spawn(move || {
            // Longer than the attention: the wake-up has to come from the sender.
            std::thread::park_timeout(ATTENTION * 20);
            sender.send(8)
        });
        assert_eq!(attentive(receiver).await, Ok(8));
        assert_eq!(late.join().map_err(|_| "panicked"), Ok(Ok(())));
    }
}
