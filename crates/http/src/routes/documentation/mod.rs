//! `/openapi.json` and `/docs`: what the API is, for programs and for people.
//!
//! Both are made of one table ([`operations`]) and of the wire types themselves, once, when they are first asked
//! for.

mod document;
mod operation;
mod operations;
mod page;

use std::sync::LazyLock;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;

/// The OpenAPI document.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let json = document::document().to_pretty_json().expect("the document can be written as JSON");
    Bytes::from(json)
});

/// The page.
static PAGE: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(page::page()));

/// The OpenAPI document.
pub(crate) async fn openapi(request: Request) -> Response {
    match super::unless_read(&request) {
        Some(response) => response,
        None => super::text(quorate_api::media::JSON, DOCUMENT.clone()),
    }
}

/// The page.
pub(crate) async fn page(request: Request) -> Response {
    match super::unless_read(&request) {
        Some(response) => response,
        None => super::text("text/html; charset=utf-8", PAGE.clone()),
    }
}
