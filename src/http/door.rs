//! The door: how many requests are worked on and how many wait, and how often an address may guess a key.
//! A mailbox of an actor is no bound, so the bound is here.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{envelope::ApiError, observe::refuse, query::Query, state::App};

/// A request waits no longer than this for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bound on requests.
#[derive(Clone)]
pub struct Door {
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Door {
    /// At most `in_flight` requests are worked on, at most `waiting` wait.
    #[must_use]
    pub fn new(in_flight: usize, waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(in_flight)),
            waiting: Arc::new(Semaphore::new(waiting)),
        }
    }

    /// A place, held until it is dropped.
    ///
    /// # Errors
    /// 42901 when too many wait already, or none came free in time.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let busy = ApiError::RateLimited {
            message: "too many requests at the same time",
            retry_after_s: 1,
        };
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let Ok(_queued) = self.waiting.try_acquire() else {
            return Err(busy);
        };
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(busy),
        }
    }
}

/// Lets requests in within the bound, and no new writes once the end has begun.
///
/// # Errors
/// None of its own.
pub async fn door(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(app) = request.app_data::<web::Data<App>>().cloned() else {
        return next.call(request).await;
    };
    if app.state.health.is_draining() && !matches!(*request.method(), Method::GET | Method::HEAD) {
        let error = ApiError::Unavailable {
            message: "farmhand is shutting down".to_owned(),
            retry_after_s: 10,
        };
        return Ok(refuse(request, error));
    }
    // What changes something takes no parameters: one that is overlooked (a filter) would change more than was meant.
    if !matches!(*request.method(), Method::GET | Method::HEAD)
        && let Err(error) = Query::of(request.request(), &[]).finish(())
    {
        return Ok(refuse(request, error));
    }
    match app.door.enter().await {
        Ok(_place) => next.call(request).await,
        Err(error) => Ok(refuse(request, error)),
    }
}

/// Wrong keys that one address may send in a window.
const WRONG_KEYS: u32 = 10;
/// The window; an address that used it up waits for its end.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered; when more guess at once, the oldest are forgotten.
const ADDRESSES: usize = 2_000;

/// Counts wrong keys by address.
#[derive(Default)]
pub struct Throttle {
    guesses: Mutex<HashMap<IpAddr, Guesses>>,
}

struct Guesses {
    since: Instant,
    wrong: u32,
}

impl Throttle {
    /// Whether the address may try a key.
    ///
    /// # Errors
    /// 42901 until its window is over.
    pub fn check(&self, address: IpAddr) -> Result<(), ApiError> {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(guess) = guesses.get(&network(address)) else {
            return Ok(());
        };
        let left = WINDOW.saturating_sub(guess.since.elapsed());
        if left.is_zero() {
            guesses.remove(&network(address));
            return Ok(());
        }
        if guess.wrong < WRONG_KEYS {
            return Ok(());
        }
        let retry_after_s = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Err(ApiError::RateLimited {
            message: "too many wrong API keys from this address",
            retry_after_s,
        })
    }

    /// Counts a wrong key.
    pub fn wrong(&self, address: IpAddr) {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        if guesses.len() >= ADDRESSES {
            guesses.retain(|_, guess| guess.since.elapsed() < WINDOW);
        }
        if guesses.len() >= ADDRESSES
            && let Some(oldest) = guesses
                .iter()
                .min_by_key(|(_, guess)| guess.since)
                .map(|(address, _)| *address)
        {
            guesses.remove(&oldest);
        }
        let guess = guesses.entry(network(address)).or_insert_with(|| Guesses {
            since: Instant::now(),
            wrong: 0,
        });
        guess.wrong = guess.wrong.saturating_add(1);
    }
}

/// What one guesser surely has: an IPv4 address, or a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::envelope::Code;

    #[tokio::test(start_paused = true)]
    async fn requests_beyond_the_bound_wait_and_those_beyond_the_waiting_are_refused() {
        let door = Door::new(1, 1);
        let first = door.enter().await.unwrap();
        let second = tokio::spawn({
            let door = door.clone();
            async move { door.enter().await.map(drop) }
        });
        tokio::task::yield_now().await;

        let third = door.enter().await.map(drop).unwrap_err();
        drop(first);

        assert_eq!(third.code(), Code::RateLimited);
        second.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_does_not_wait_forever() {
        let door = Door::new(1, 1);
        let _first = door.enter().await.unwrap();

        let begun = Instant::now();
        let second = door.enter().await.map(drop);

        assert_eq!(second.unwrap_err().code(), Code::RateLimited);
        assert_eq!(begun.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_guesses_keys_is_held_off_for_a_while_and_others_are_not() {
        let throttle = Throttle::default();
        let guesser: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();

        for _ in 0..WRONG_KEYS {
            throttle.check(guesser).unwrap();
            throttle.wrong(guesser);
        }

        assert!(matches!(
            throttle.check(guesser),
            Err(ApiError::RateLimited { retry_after_s: 61, .. })
        ));
        assert!(throttle.check(neighbour).is_err());
        throttle.check(other).unwrap();
        tokio::time::advance(WINDOW).await;
        throttle.check(guesser).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_for_guessers_is_bounded() {
        let throttle = Throttle::default();

        for number in 0..3_000_u32 {
            throttle.wrong(IpAddr::V4(number.into()));
        }

        assert!(throttle.guesses.lock().unwrap().len() <= ADDRESSES);
    }
}
