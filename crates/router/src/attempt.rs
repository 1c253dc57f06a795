//! One request to one node: how it looks, and what its answer means.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use quorate_api::{ErrorBody, ErrorCode, headers};
use quorate_client::{Connection, NoAnswer};
use quorate_environment::{Environment, Moment};
use quorate_http::request_id_value;

use crate::answer_body::AnswerBody;
use crate::board::Node;
use crate::need::{Destination, Kind, Need};

/// How much sooner than we give up a node is asked to answer: a tenth of the time, but not more than this.
const MARGIN_MAX: Duration = Duration::from_millis(20);

/// The longest answer that is looked at; what says why it refuses something is far shorter.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// How we call ourselves in requests.
const VIA: HeaderValue = HeaderValue::from_static("1.1 quorate-router");

/// What is about one connection, and not about the request or the answer.
const OF_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A request as it was received.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) need: Need,
}

/// What an attempt has come to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// To be passed to the client.
    Answer(Response),
    /// The node did nothing and says why; another one may do better.
    Refused { code: ErrorCode, answer: Response },
    /// The node could not be reached.
    NotSent { reason: String },
    /// Nobody said what became of it.
    Lost { reason: String },
}

impl Received {
    /// Prepares a request for being passed on.
    pub(crate) fn new(mut parts: Parts, body: Bytes, need: Need, request_id: u64) -> Self {
        remove_headers_of_connection(&mut parts.headers);
        for name in [header::EXPECT, header::CONTENT_LENGTH] {
            parts.headers.remove(name);
        }
        parts.headers.append(header::VIA, VIA);
        parts.headers.insert(HeaderName::from_static(headers::REQUEST_ID), request_id_value(request_id));
        Self { parts, body, need }
    }

    /// Passes the request to a node and waits no longer than `budget`. `in_doubt`: an earlier attempt may have been
    /// done.
    pub(crate) async fn attempt<E: Environment>(
        &self,
        environment: &E,
        node: &Node<E>,
        budget: Duration,
        in_doubt: bool,
    ) -> Outcome {
        let deadline = environment.now() + budget;
        match node.send(self.request(node, budget), deadline).await {
            Ok((response, connection)) => {
                self.judge(environment, node, response, connection, deadline, in_doubt).await
            }
            Err(NoAnswer::NotSent(reason)) => Outcome::NotSent { reason },
            Err(NoAnswer::Lost(reason)) => Outcome::Lost { reason },
        }
    }

    fn request<E: Environment>(&self, node: &Node<E>, budget: Duration) -> Request<Full<Bytes>> {
        let uri = &self.parts.uri;
        let query = self.need.query(uri.query().unwrap_or_default(), budget - MARGIN_MAX.min(budget / 10));
        let separator = if query.is_empty() { "" } else { "?" };
        let mut request = Request::builder()
            .method(self.parts.method.clone())
            .uri(format!("{}{separator}{query}", uri.path()))
            .body(Full::new(self.body.clone()))
            .expect("path and query were those of a request");
        *request.headers_mut() = self.parts.headers.clone();
        let host = HeaderValue::from_str(node.endpoint().authority()).expect("an authority is plain text");
        request.headers_mut().insert(header::HOST, host);
        request
    }

    /// Looks at an answer as far as is needed to know whether it is the client's.
    async fn judge<E: Environment>(
        &self,
        environment: &E,
        node: &Node<E>,
        response: http::Response<Incoming>,
        connection: Connection,
        deadline: Moment,
        in_doubt: bool,
    ) -> Outcome {
        let (mut parts, body) = response.into_parts();
        remove_headers_of_connection(&mut parts.headers);
        let is_refusal = parts.status.is_client_error() || parts.status.is_server_error();
        if !is_refusal || !(in_doubt || may_be_repeated(parts.status)) {
            let body = Body::new(AnswerBody::new(body, node.clone(), connection));
            return Outcome::Answer(Response::from_parts(parts, body));
        }
        let receiving = Limited::new(body, REFUSAL_BYTES_MAX).collect();
        let body = match environment.timeout_at(deadline, receiving).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) => return Outcome::Lost { reason: format!("the answer broke off: {error}") },
            Err(_) => return Outcome::Lost { reason: "the answer did not end in time".to_owned() },
        };
        node.keep(connection);
        let said: Option<ErrorBody> = serde_json::from_slice(&body).ok();
        let code = said.as_ref().and_then(ErrorBody::error_code);
        let is_replayed = parts.headers.contains_key(headers::REPLAYED);
        let answer = Response::from_parts(parts, Body::from(body));
        match code {
            Some(code) if self.may_be_repeated_after(code) => Outcome::Refused { code, answer },
            Some(ErrorCode::OutcomeUnknown) if self.need.kind == Kind::RepeatableWrite => {
                Outcome::Lost { reason: said.map_or_else(String::new, |said| said.message) }
            }
            // These are the outcome of the write, whichever attempt has done it.
            Some(ErrorCode::KeyNotFound | ErrorCode::PreconditionFailed) => Outcome::Answer(answer),
            // This one says nothing about those before it.
            Some(code) if in_doubt && !is_replayed => Outcome::Refused { code, answer },
            _ => Outcome::Answer(answer),
        }
    }

    /// Whether the node did nothing, and another attempt may do better.
    fn may_be_repeated_after(&self, code: ErrorCode) -> bool {
        match code {
            ErrorCode::Unavailable | ErrorCode::ShuttingDown | ErrorCode::TooManyHops => true,
            // Whoever leads is asked in any case, and has enough to do. Stale reads do not need it.
            ErrorCode::Overloaded => self.need.destination == Destination::Nearest,
            ErrorCode::Damaged => self.need.kind == Kind::Read,
            _ => false,
        }
    }
}

/// Whether answers of this status may say that another attempt is in place.
fn may_be_repeated(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// Removes what is about one connection only, by its own name or by that in `Connection`.
fn remove_headers_of_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_stay_with_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Private"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("x-private", "1"),
            ("if-match", "\"3\""),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_headers_of_connection(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["if-match"]);
    }
}
