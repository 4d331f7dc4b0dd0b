//! `/`, `/docs` and `/api/v1/openapi.json`: what there is, for people and for programs.

use actix_web::{HttpResponse, http::header};

/// The API's description, OpenAPI 3.1, written by hand; a test holds it and the route table together.
pub const OPENAPI: &str = include_str!("openapi.json");
const DOCS: &str = include_str!("docs.html");
const HOME: &str = include_str!("home.html");
/// Where the page of the docs holds the description: it needs no key, no second request, no other host.
const PLACE: &str = "\"%OPENAPI%\"";
/// The pages bring their own script and style, and load nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// `GET /api/v1/openapi.json`, without the envelope: tools read it.
pub async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI)
}

/// `GET /docs`
pub async fn docs() -> HttpResponse {
    page(DOCS.replace(PLACE, OPENAPI))
}

/// `GET /`
pub async fn home() -> HttpResponse {
    page(HOME.to_owned())
}

fn page(html: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(html)
}
