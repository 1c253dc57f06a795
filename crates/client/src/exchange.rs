//! One request to one node, and what can be said of it afterwards.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use quorate_api::{ErrorBody, ErrorCode, headers, query};

use crate::endpoint::Endpoint;
use crate::error::ClientError;

/// hyper's client with its pool of connections.
pub(crate) type Transport = HyperClient<HttpConnector, Full<Bytes>>;

/// How much sooner than the client gives up the node is asked to answer, at most.
const MARGIN_MAX: Duration = Duration::from_millis(100);

/// The code of a refusal that has none but is about the length of the request's head.
const HEAD_TOO_LONG: &str = "head_too_long";

/// What is asked of whichever node.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Query parameters but for the timeout, joined by `&`.
    pub(crate) query: Option<String>,
    /// Whether the node takes a timeout.
    pub(crate) takes_timeout: bool,
    pub(crate) header: Option<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Call {
    /// Whether doing it twice might do harm.
    pub(crate) fn is_write(&self) -> bool {
        !self.method.is_safe()
    }

    fn request(&self, endpoint: &Endpoint, budget: Duration) -> Request<Full<Bytes>> {
        let mut path_and_query = self.path.clone();
        let timeout = self.takes_timeout.then(|| {
            format!("{}={}", query::TIMEOUT, query::format_timeout(budget - MARGIN_MAX.min(budget / 10)))
        });
        for (parameter, separator) in self.query.iter().chain(&timeout).zip(['?', '&']) {
            path_and_query.push(separator);
            path_and_query.push_str(parameter);
        }
        let mut request = Request::builder().method(self.method.clone()).uri(endpoint.uri(&path_and_query));
        if let Some((name, value)) = &self.header {
            request = request.header(*name, value);
        }
        request.body(Full::new(self.body.clone())).expect("the parts of a call are valid")
    }
}

/// A node's answer that means "done", "not modified", or "no such key".
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) endpoint: Endpoint,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why one attempt did not lead to an answer.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Nothing was done; another attempt may do better.
    TryElsewhere(ClientError),
    /// Final, at any node.
    Final(ClientError),
}

/// Sends the call to one node and waits no longer than `budget`.
pub(crate) async fn exchange(
    transport: &Transport,
    endpoint: &Endpoint,
    call: &Call,
    budget: Duration,
    answer_bytes_max: usize,
) -> Result<Answer, Failure> {
    let receive = async {
        let response = transport.request(call.request(endpoint, budget)).await.map_err(|error| {
            let reason = format!("{endpoint}: {}", with_causes(&error));
            // Not connected, not sent.
            if error.is_connect() {
                return Failure::TryElsewhere(ClientError::Unreachable { reason });
            }
            unanswered(call, reason)
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, answer_bytes_max).collect().await.map(|body| body.to_bytes());
        Ok((parts, body))
    };
    let (parts, body) = match tokio::time::timeout(budget, receive).await {
        Ok(received) => received?,
        Err(_) => return Err(unanswered(call, format!("{endpoint} did not answer in time"))),
    };
    if parts.status.is_success() {
        let reason = |error| format!("{endpoint}: the answer broke off: {error}");
        // A write's status has said already that it was done.
        let body = if call.is_write() {
            Bytes::new()
        } else {
            body.map_err(|error| unanswered(call, reason(error)))?
        };
        return Ok(Answer { endpoint: endpoint.clone(), status: parts.status, headers: parts.headers, body });
    }
    let body: Option<ErrorBody> = body.ok().and_then(|body| serde_json::from_slice(&body).ok());
    refused(endpoint, call, parts.status, parts.headers, body)
}

/// The request was sent, at least in part, and there is no answer.
fn unanswered(call: &Call, reason: String) -> Failure {
    if call.is_write() {
        Failure::Final(ClientError::OutcomeUnknown { reason })
    } else {
        Failure::TryElsewhere(ClientError::Unreachable { reason })
    }
}

fn refused(
    endpoint: &Endpoint,
    call: &Call,
    status: StatusCode,
    headers: HeaderMap,
    body: Option<ErrorBody>,
) -> Result<Answer, Failure> {
    let code = body.as_ref().and_then(ErrorBody::error_code);
    let request_id = headers.get(headers::REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    match (code, body) {
        (Some(ErrorCode::KeyNotFound), _) => {
            Ok(Answer { endpoint: endpoint.clone(), status, headers, body: Bytes::new() })
        }
        (Some(ErrorCode::PreconditionFailed), _) => {
            let current = headers
                .get(http::header::ETAG)
                .and_then(|tag| quorate_api::condition::parse_entity_tag(tag.as_bytes()));
            Err(Failure::Final(ClientError::Conflict { current }))
        }
        (Some(code), Some(body)) if code.outcome_unknown() => {
            Err(unanswered(call, format!("{endpoint}: {}", body.message)))
        }
        (Some(code), Some(body)) => {
            let refused = ClientError::Refused { code: body.code, message: body.message, request_id };
            let elsewhere = code.is_retryable() || (code == ErrorCode::Damaged && !call.is_write());
            Err(if elsewhere { Failure::TryElsewhere(refused) } else { Failure::Final(refused) })
        }
        // Something between us and the node may have answered, after the node has done the write.
        (None, body) if status.is_server_error() && call.is_write() => {
            let said = body.map_or_else(|| "nothing more".to_owned(), |body| format!("{body:?}"));
            let reason = format!("{endpoint} answered {status} and {said}");
            Err(Failure::Final(ClientError::OutcomeUnknown { reason }))
        }
        (None, Some(body)) => {
            let refused = ClientError::Refused { code: body.code, message: body.message, request_id };
            Err(Failure::Final(refused))
        }
        // HTTP servers say so by themselves, before anybody has looked at the request.
        (_, None) if is_head_too_long(status) => {
            let message = format!("{endpoint} finds the head of the request too long: {status}");
            let code = HEAD_TOO_LONG.to_owned();
            Err(Failure::Final(ClientError::Refused { code, message, request_id }))
        }
        (_, None) => {
            let reason = format!("status {status} without a code");
            Err(Failure::Final(ClientError::BadAnswer { endpoint: endpoint.to_string(), reason }))
        }
    }
}

fn is_head_too_long(status: StatusCode) -> bool {
    matches!(status, StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

/// An error and what it comes from, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, status: StatusCode, is_expected: impl Fn(&ClientError) -> bool) {
        let endpoint = Endpoint::parse("a:1").expect("is an endpoint");
        let (path, body) = ("/v1/kv/k".to_owned(), Bytes::new());
        let call = Call { method, path, query: None, takes_timeout: true, header: None, body };
        match refused(&endpoint, &call, status, HeaderMap::new(), None) {
            Err(Failure::Final(error)) => assert!(is_expected(&error), "{status}: {error:?}"),
            other => panic!("{status}: {other:?}"),
        }
    }

    #[test]
    fn a_refusal_without_a_code_is_judged_by_its_status() {
        let is_about_the_head = |error: &ClientError| matches!(error, ClientError::Refused { code, .. } if code == "head_too_long");
        for method in [Method::GET, Method::PUT] {
            check(method.clone(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, is_about_the_head);
            check(method.clone(), StatusCode::URI_TOO_LONG, is_about_the_head);
            check(method, StatusCode::BAD_REQUEST, |error| matches!(error, ClientError::BadAnswer { .. }));
        }
        check(Method::PUT, StatusCode::BAD_GATEWAY, ClientError::is_outcome_unknown);
    }
}
