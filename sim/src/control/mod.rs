//! The HTTP API for tests and demos: what really happened, how a phone does, and which faults it has. It listens on
//! loopback only, needs no key, and is no part of a phone.

mod refusal;

use std::{io, net::SocketAddr, sync::Arc};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    http::Method,
    web,
};
use serde_json::{Map, Value, json};

use self::refusal::Refusal;
use crate::world::{Phone, World};

/// The longest body, bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// A control API that was started.
pub struct Control {
    /// Where it listens.
    pub addr: SocketAddr,
    handle: ServerHandle,
}

impl Control {
    /// Listens on this port of the loopback interface; 0 takes any free one. Must be called within an actix system,
    /// which then serves.
    pub fn start(world: Arc<World>, port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        let addr = listener.local_addr()?;
        let server = serve(world, listener)?;
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self { addr, handle })
    }

    /// Closes the port; requests in progress are dropped.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

fn serve(world: Arc<World>, listener: std::net::TcpListener) -> io::Result<Server> {
    let world = web::Data::from(world);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(world.clone())
            .app_data(web::PayloadConfig::new(BODY_LIMIT))
            .configure(routes)
    });
    // One worker is enough for a test's requests, and signals belong to the program around.
    Ok(server
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .listen(listener)?
        .run())
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/ledger")
                .get(ledger)
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/phone")
                .get(phones)
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/phone/{serial}")
                .get(phone)
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/phone/{serial}/fault")
                .post(set_fault)
                .delete(clear_fault)
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/phone/{serial}/login")
                .post(login)
                .default_service(web::to(wrong_method)),
        )
        .default_service(web::to(wrong_path));
}

type Answer = Result<HttpResponse, Refusal>;

async fn ledger(world: web::Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(world.ledger())
}

async fn phones(world: web::Data<World>) -> HttpResponse {
    let phones: Vec<Value> = world.phones().iter().map(|phone| phone.describe()).collect();
    HttpResponse::Ok().json(phones)
}

async fn phone(world: web::Data<World>, serial: web::Path<String>) -> Answer {
    Ok(HttpResponse::Ok().json(find(&world, &serial)?.describe()))
}

async fn set_fault(world: web::Data<World>, serial: web::Path<String>, body: web::Bytes) -> Answer {
    let phone = find(&world, &serial)?;
    let body = object(&body)?;
    let kind = text(&body, "kind", "one of the fault kinds")?;
    phone.set_fault(kind, &Value::Object(body.clone()))?;
    Ok(HttpResponse::Ok().json(phone.describe()))
}

async fn clear_fault(world: web::Data<World>, serial: web::Path<String>, body: web::Bytes) -> Answer {
    let phone = find(&world, &serial)?;
    let body = if body.is_empty() { Map::new() } else { object(&body)? };
    if body.contains_key("kind") {
        phone.clear_fault(text(&body, "kind", "one of the fault kinds")?)?;
    } else if let Some(field) = body.keys().next() {
        return Err(Refusal::field(
            field,
            "is not known here; send {\"kind\": …}, or {} for all faults",
        ));
    } else {
        phone.clear_all_faults();
    }
    Ok(HttpResponse::Ok().json(phone.describe()))
}

async fn login(world: web::Data<World>, serial: web::Path<String>, body: web::Bytes) -> Answer {
    let phone = find(&world, &serial)?;
    let body = object(&body)?;
    let app = text(&body, "app", "tiktok or instagram")?;
    phone.login(app, text(&body, "account", "the name of an account")?)?;
    Ok(HttpResponse::Ok().json(phone.describe()))
}

async fn wrong_path() -> Answer {
    Err(Refusal::not_found(
        "no such path; there are /ledger, /phone, /phone/{serial}, …/fault and …/login",
    ))
}

async fn wrong_method(method: Method) -> HttpResponse {
    HttpResponse::MethodNotAllowed().json(json!({ "error": format!("{method} is not possible here") }))
}

fn find(world: &World, serial: &str) -> Result<Arc<Phone>, Refusal> {
    world.phone(serial).ok_or_else(|| {
        let known: Vec<String> = world
            .phones()
            .iter()
            .map(|phone| phone.serial_number().to_owned())
            .collect();
        Refusal::not_found(&format!("no phone `{serial}`; there are {}", known.join(", ")))
    })
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Refusal::bad("the body must be a JSON object")),
        Err(error) => Err(Refusal::bad(&format!("the body is not JSON: {error}"))),
    }
}

fn text<'a>(body: &'a Map<String, Value>, field: &str, wanted: &str) -> Result<&'a str, Refusal> {
    match body.get(field) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Refusal::field(field, &format!("must be a string: {wanted}"))),
        None => Err(Refusal::field(field, &format!("is missing: {wanted}"))),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{http::StatusCode, test};

    use super::*;
    use crate::world::PhoneSpec;

    async fn request(phones: &Arc<World>, request: test::TestRequest) -> (StatusCode, Value) {
        let app = test::init_service(App::new().app_data(web::Data::from(phones.clone())).configure(routes)).await;
        let response = test::call_service(&app, request.to_request()).await;
        let status = response.status();
        let body = test::read_body(response).await;
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    fn world() -> (Arc<World>, Arc<Phone>) {
        let world = World::new();
        let phone = Phone::new(world.clone(), PhoneSpec::new("sim-1"));
        (world, phone)
    }

    #[actix_web::test]
    async fn phones_are_listed_and_described() {
        let (world, _phone) = world();

        let (status, list) = request(&world, test::TestRequest::get().uri("/phone")).await;
        assert_eq!((status, &list[0]["serial"]), (StatusCode::OK, &json!("sim-1")));
        let (_, one) = request(&world, test::TestRequest::get().uri("/phone/sim-1")).await;
        assert_eq!(one, list[0]);
        let (_, ledger) = request(&world, test::TestRequest::get().uri("/ledger")).await;
        assert!(ledger.is_array());
    }

    #[actix_web::test]
    async fn a_fault_is_set_shown_and_ended() {
        let (world, phone) = world();
        let fault = |body: Value| test::TestRequest::post().uri("/phone/sim-1/fault").set_json(body);
        let end = |body: Value| test::TestRequest::delete().uri("/phone/sim-1/fault").set_json(body);

        let (status, described) = request(&world, fault(json!({ "kind": "slow", "ms": 250 }))).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(described["faults"], json!([{ "kind": "slow", "ms": 250 }]));
        assert_eq!(crate::handset::Handset::link(&*phone).slow_ms, 250);
        request(&world, fault(json!({ "kind": "no_idle" }))).await;
        let (_, described) = request(&world, end(json!({ "kind": "slow" }))).await;
        assert_eq!(described["faults"], json!([{ "kind": "no_idle" }]));
        let (_, described) = request(&world, end(json!({}))).await;
        assert_eq!(described["faults"], json!([]));
    }

    #[actix_web::test]
    async fn every_kind_of_the_contract_can_be_set() {
        let kinds = [
            "offline",
            "unauthorized",
            "hang",
            "slow",
            "drop_connection",
            "garbage_hierarchy",
            "huge_hierarchy",
            "no_idle",
            "popup",
            "challenge",
            "logged_out",
            "upload_fails",
            "upload_slow",
            "app_crash",
            "publish_ack_lost",
            "reboot",
            "storage_full",
            "app_not_installed",
        ];
        for kind in kinds {
            let (world, _phone) = world();
            let body = json!({ "kind": kind, "ms": 10, "text": "Hi" });
            let (status, body) = request(
                &world,
                test::TestRequest::post().uri("/phone/sim-1/fault").set_json(body),
            )
            .await;
            assert_eq!(status, StatusCode::OK, "{kind}: {body}");
        }
    }

    #[actix_web::test]
    async fn a_bad_request_names_its_field_and_what_is_known() {
        let (world, _phone) = world();
        let post = |path: &str, body: &str| test::TestRequest::post().uri(path).set_payload(body.to_owned());
        let cases = [
            (post("/phone/sim-1/fault", "{}"), 400, "kind"),
            (post("/phone/sim-1/fault", r#"{"kind": "flood"}"#), 400, "kind"),
            (post("/phone/sim-1/fault", r#"{"kind": 5}"#), 400, "kind"),
            (post("/phone/sim-1/fault", r#"{"kind": "slow"}"#), 400, "ms"),
            (post("/phone/sim-1/login", r#"{"app": "tiktok"}"#), 400, "account"),
            (
                post("/phone/sim-1/login", r#"{"app": "orkut", "account": "a"}"#),
                400,
                "app",
            ),
            (
                test::TestRequest::delete()
                    .uri("/phone/sim-1/fault")
                    .set_payload(r#"{"kin": "slow"}"#),
                400,
                "kin",
            ),
        ];
        for (wrong, status, field) in cases {
            let (got, body) = request(&world, wrong).await;
            assert_eq!((got.as_u16(), &body["field"]), (status, &json!(field)), "{body}");
        }
        let (_, unknown) = request(&world, post("/phone/sim-1/fault", r#"{"kind": "flood"}"#)).await;
        assert!(
            unknown["known"]
                .as_array()
                .expect("the known kinds")
                .contains(&json!("hang")),
            "{unknown}"
        );
    }

    #[actix_web::test]
    async fn what_is_not_there_is_404_and_broken_json_400() {
        let (world, _phone) = world();

        let (status, body) = request(&world, test::TestRequest::get().uri("/phone/sim-9")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(body["error"], "no phone `sim-9`; there are sim-1");
        assert_eq!(
            request(&world, test::TestRequest::get().uri("/x")).await.0,
            StatusCode::NOT_FOUND
        );
        let broken = test::TestRequest::post().uri("/phone/sim-1/fault").set_payload("{");
        assert_eq!(request(&world, broken).await.0, StatusCode::BAD_REQUEST);
        let method = test::TestRequest::post().uri("/ledger");
        assert_eq!(request(&world, method).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[actix_web::test]
    async fn an_account_is_logged_in() {
        let (world, _phone) = world();
        let body = json!({ "app": "tiktok", "account": "user1" });

        let login = test::TestRequest::post().uri("/phone/sim-1/login").set_json(body);
        let (status, described) = request(&world, login).await;

        assert_eq!(status, StatusCode::OK);
        assert!(described.to_string().contains("user1"), "{described}");
    }
}
