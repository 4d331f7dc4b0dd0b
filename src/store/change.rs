//! What can be asked of the writer: changes that are applied in a shared transaction and answered after its commit.

use async_trait::async_trait;
use farmhand_actors::ports::StoreError;
use tokio::sync::oneshot;

use super::{
    fault::Fault,
    foresight::{Finds, Foresees},
    transaction::Transaction,
};

/// Where the answer goes. Nobody listening is no failure: the change is as durable as any other.
pub(super) type Reply<O> = oneshot::Sender<Result<O, StoreError>>;

/// A change of the database. It may be applied more than once (each time after a roll-back), so it keeps its input.
#[async_trait(?Send)]
pub(super) trait Change: Send {
    /// Adds what it will ask first. `false`: what those after it would find depends on what it does.
    fn foresee(&self, finds: &mut Finds) -> bool;

    /// Does it within the transaction. A failure undoes the whole transaction.
    async fn apply(&mut self, tx: &mut Transaction) -> Result<(), Fault>;

    /// Tells those who asked: the change is committed, or why not.
    fn answer(self: Box<Self>, result: Result<(), StoreError>);

    /// Its parts that can be applied apart from one another, after a failure of the whole.
    fn split(self: Box<Self>) -> Vec<Box<dyn Change>>;
}

/// A change made of one function, asked for by one caller.
pub(super) struct Call<I, O, F> {
    pub input: I,
    pub run: F,
    pub output: Option<O>,
    pub reply: Reply<O>,
}

#[async_trait(?Send)]
impl<I, O, F> Change for Call<I, O, F>
where
    I: Send + 'static,
    O: Send + 'static,
    F: AsyncFn(&mut Transaction, &I) -> Result<O, Fault> + Send + 'static,
{
    fn foresee(&self, _: &mut Finds) -> bool {
        false
    }

    async fn apply(&mut self, tx: &mut Transaction) -> Result<(), Fault> {
        // It may read whatever those before it have written.
        tx.flush().await?;
        self.output = Some((self.run)(tx, &self.input).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        reply(self.reply, self.output, result);
    }

    fn split(self: Box<Self>) -> Vec<Box<dyn Change>> {
        vec![self]
    }
}

/// What one caller asked of an operation that serves many callers with the same statements.
pub(super) struct Ask<I, O> {
    pub input: I,
    pub output: Option<O>,
    pub reply: Reply<O>,
}

/// Many callers' requests for the same operation.
pub(super) struct Merged<I, O, F> {
    pub asks: Vec<Ask<I, O>>,
    pub run: F,
}

#[async_trait(?Send)]
impl<I, O, F> Change for Merged<I, O, F>
where
    I: Foresees + Send + 'static,
    O: Send + 'static,
    F: AsyncFn(&mut Transaction, &mut [Ask<I, O>]) -> Result<(), Fault> + Copy + Send + 'static,
{
    fn foresee(&self, finds: &mut Finds) -> bool {
        for ask in &self.asks {
            ask.input.foresee(finds);
        }
        true
    }

    async fn apply(&mut self, tx: &mut Transaction) -> Result<(), Fault> {
        (self.run)(tx, &mut self.asks).await
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        for ask in self.asks {
            reply(ask.reply, ask.output, result.clone());
        }
    }

    fn split(self: Box<Self>) -> Vec<Box<dyn Change>> {
        let run = self.run;
        self.asks
            .into_iter()
            .map(|ask| -> Box<dyn Change> { Box::new(Self { asks: vec![ask], run }) })
            .collect()
    }
}

fn reply<O>(reply: Reply<O>, output: Option<O>, result: Result<(), StoreError>) {
    let answer = result.and_then(|()| {
        output.ok_or_else(|| StoreError::Broken("a committed change has no answer; this is a fault of farmhand".into()))
    });
    // The asker may have gone away in the meantime.
    drop(reply.send(answer));
}
