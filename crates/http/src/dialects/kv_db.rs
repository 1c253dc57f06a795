//! The dialect of kv-db: `PUT` and `GET /{key}`; `POST` and `DELETE /{id}` for members.

use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};
use quorate_api::ErrorCode;
use quorate_environment::Environment;
use quorate_replica::MemberChange;

use super::{Asked, EMPTY_KEY_IN_PATH, empty, key_in_path, member_number, other_method};
use crate::application::Application;
use crate::failure::Failure;
use crate::routes::kv_request::decoded_key;
use crate::routes::request::{no_body, timeout_only};
use crate::store::Store;

const METHODS: &str = "GET, HEAD, PUT, POST, DELETE, OPTIONS";
/// The longest URL of a peer, in bytes.
const PEER_URL_BYTES_MAX: u64 = 2048;

pub(super) async fn answer<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            let asked = Asked::reading(application, &request, timeout_only(request.uri())?)?;
            asked.raw_value(&decoded_key(key_in_path(&request), EMPTY_KEY_IN_PATH)?).await
        }
        Method::PUT => {
            let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
            let key = decoded_key(key_in_path(&request), EMPTY_KEY_IN_PATH)?;
            asked.put_body(key, request.into_body()).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Method::POST => {
            let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
            let member = member(&request)?;
            let body = asked.body(request.into_body(), PEER_URL_BYTES_MAX).await?;
            asked.add_member(member, peer_address(&body.bytes)?).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Method::DELETE => {
            no_body(&request)?;
            let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
            asked.change_members(MemberChange::Remove { member: member(&request)?, force: false }).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => other_method(&request, METHODS),
    }
}

/// The member that the path names: `POST` and `DELETE` are about members, not about keys.
fn member(request: &Request) -> Result<u64, Failure> {
    let name = key_in_path(request);
    member_number::of_digits(name).ok_or_else(|| {
        let method = request.method();
        let message = format!("{method} takes the number of a member, 1 or greater, and {name:?} is none");
        Failure::new(ErrorCode::BadKey, message)
    })
}

/// The address in the URL of a peer, `http://HOST:PORT`.
fn peer_address(body: &[u8]) -> Result<&str, Failure> {
    let bad = || {
        Failure::new(ErrorCode::BadBody, "the body is not the URL of a peer, such as http://127.0.0.1:42379")
    };
    let url = std::str::from_utf8(body).map_err(|_| bad())?.trim();
    let address = url.strip_prefix("http://").ok_or_else(bad)?;
    let address = address.strip_suffix('/').unwrap_or(address);
    member_number::check_address(address)?;
    Ok(address)
}
