//! The REST API: the whole route table is on this screen; one file per resource; `envelope.rs` for every answer.

pub mod account;
pub mod auth;
pub mod body;
pub mod csv;
pub mod device;
pub mod docs;
pub mod door;
pub mod drain;
pub mod envelope;
pub mod events;
pub mod evidence;
mod faults;
pub mod fields;
mod forward;
pub mod guard;
pub mod health;
pub mod lease;
pub mod license;
pub mod material;
pub mod metrics;
pub mod observe;
pub mod ports;
pub mod query;
pub mod schedule;
pub mod script;
pub mod server;
mod starting;
pub mod state;
pub mod supervisor;
pub mod task;
pub mod upload;
pub mod webhook;

use actix_web::{
    HttpRequest, Route, guard as method,
    middleware::from_fn,
    web::{self, ServiceConfig},
};

use self::envelope::{Answer, ApiError};
pub use self::{
    server::{Listener, ServeError, serve, workers},
    starting::Starting,
    state::{AppState, Check, Health, HttpSettings},
};

/// A method, with the handler behind it.
type Verb = (&'static str, Route);

macro_rules! verbs {
    ($($method:ident $handler:expr),+) => {
        vec![$((stringify!($method), route(stringify!($method)).to($handler))),+]
    };
}

/// Everything below `/api/v1`: a path of fixed words stands before one with a placeholder there.
#[rustfmt::skip]
fn api_table() -> Vec<(&'static str, Vec<Verb>)> {
    vec![
        ("/task", verbs![GET task::list, POST task::create]),
        ("/task/batch", verbs![DELETE task::delete_batch]),
        ("/task/retry-all", verbs![POST task::retry_all]),
        ("/task/stats", verbs![GET task::stats]),
        ("/task/{task_id}", verbs![GET task::get, DELETE task::delete]),
        ("/task/{task_id}/stop", verbs![POST task::stop]),
        ("/task/{task_id}/retry", verbs![POST task::retry]),
        ("/task/{task_id}/resolve", verbs![POST task::resolve]),
        ("/schedule", verbs![GET schedule::list, POST schedule::create]),
        ("/schedule/{id}", verbs![GET schedule::get, PATCH schedule::patch, DELETE schedule::delete]),
        ("/schedule/{id}/run", verbs![POST schedule::run]),
        ("/script", verbs![GET script::list]),
        ("/device", verbs![GET device::list]),
        ("/device/{serial}", verbs![GET device::get, PATCH device::patch]),
        ("/device/{serial}/drain", verbs![POST drain::drain_device]),
        ("/device/{serial}/resume", verbs![POST drain::resume_device]),
        ("/device/{serial}/screenshot", verbs![GET device::screenshot]),
        ("/device/{serial}/hierarchy", verbs![GET device::hierarchy]),
        ("/device/{serial}/log", verbs![GET device::log]),
        ("/device/{serial}/quarantine", verbs![POST device::state::quarantine]),
        ("/device/{serial}/release", verbs![POST device::state::release]),
        ("/device/{serial}/tap", verbs![POST device::control::tap]),
        ("/device/{serial}/swipe", verbs![POST device::control::swipe]),
        ("/device/{serial}/key", verbs![POST device::control::key]),
        ("/device/{serial}/text", verbs![POST device::control::text]),
        ("/device/{serial}/open_link", verbs![POST device::control::open_link]),
        ("/device/{serial}/shell", verbs![POST device::control::shell]),
        ("/device/{serial}/flow", verbs![POST device::flow::run]),
        ("/device/{serial}/install", verbs![POST device::files::install]),
        ("/device/{serial}/push", verbs![POST device::files::push]),
        ("/account", verbs![GET account::list, POST account::create]),
        ("/account/import", verbs![POST account::import]),
        ("/account/export", verbs![GET account::export]),
        ("/account/{username}", verbs![GET account::get, PATCH account::patch, DELETE account::delete]),
        ("/account/{username}/resume", verbs![POST account::resume]),
        ("/material", verbs![GET material::list, POST material::create]),
        ("/material/{id}", verbs![DELETE material::delete]),
        ("/evidence/{file:.+}", verbs![GET evidence::get]),
        ("/drain", verbs![POST drain::drain]),
        ("/resume", verbs![POST drain::resume]),
        ("/supervisor", verbs![GET supervisor::tree]),
        ("/supervisor/{kind}/{name}/restart", verbs![POST supervisor::restart]),
        ("/events", verbs![GET events::follow]),
        ("/webhook", verbs![GET webhook::list, POST webhook::create]),
        ("/webhook/{id}", verbs![GET webhook::get, PATCH webhook::patch, DELETE webhook::delete]),
        ("/webhook/{id}/deliveries", verbs![GET webhook::deliveries]),
        ("/webhook/{id}/deliveries/{delivery}/resend", verbs![POST webhook::resend]),
        ("/webhook/{id}/test", verbs![POST webhook::test]),
        ("/license/check", verbs![GET license::check]),
        ("/openapi.json", verbs![GET docs::openapi]),
    ]
}

/// Everything else: pages and probes, which need no key, and the metrics, which do.
#[rustfmt::skip]
fn plain_table() -> Vec<(&'static str, Vec<Verb>)> {
    vec![
        ("/", verbs![GET docs::home]),
        ("/docs", verbs![GET docs::docs]),
        ("/health/live", verbs![GET health::live]),
        ("/health/ready", verbs![GET health::ready]),
        ("/health/startup", verbs![GET health::startup]),
    ]
}

/// Builds the routes; every request passes the guard, those of the API also the key check and the door.
pub fn configure(config: &mut ServiceConfig) {
    let mut api = web::scope("/api/v1");
    for (path, verbs) in api_table() {
        api = api.service(resource(path, verbs));
    }
    let api = api.default_service(web::to(unknown_path));
    config.service(
        api.wrap(from_fn(door::door))
            .wrap(from_fn(auth::authorise))
            .wrap(from_fn(guard::guard)),
    );
    for (path, verbs) in plain_table() {
        config.service(resource(path, verbs));
    }
    let metrics = resource("/metrics", verbs![GET metrics::get]);
    config.service(metrics.wrap(from_fn(auth::authorise)).wrap(from_fn(guard::guard)));
    config.default_service(web::to(unknown_path));
}

fn route(method: &str) -> Route {
    match method {
        "POST" => web::post(),
        "PATCH" => web::patch(),
        "DELETE" => web::delete(),
        // Whatever can be read can be asked about: HEAD is GET without the body (RFC 9110, section 9.3.2).
        _ => web::route().guard(method::Any(method::Get()).or(method::Head())),
    }
}

/// A path with its methods; any other method is answered with those there are.
fn resource(path: &str, verbs: Vec<Verb>) -> actix_web::Resource {
    let words = verbs.iter().map(|(method, _)| match *method {
        "GET" => "GET, HEAD",
        method => method,
    });
    let allowed = words.collect::<Vec<_>>().join(", ");
    let refuse = move || {
        let allowed = allowed.clone();
        async move { Answer::Err(ApiError::MethodNotAllowed { allowed }) }
    };
    let resource = web::resource(path).default_service(web::to(refuse));
    verbs
        .into_iter()
        .fold(resource, |resource, (_, route)| resource.route(route))
}

async fn unknown_path(request: HttpRequest) -> Answer {
    let path = fields::echo(request.path());
    Err(ApiError::not_found(format!(
        "there is no path {path}; /docs shows those there are"
    )))
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
