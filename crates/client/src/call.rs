//! What is asked of whichever node.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Request, header};
use http_body_util::Full;
use quorate_api::{Condition, condition, headers, query};

use crate::endpoint::Endpoint;
use crate::sessions::Ticket;

/// How much sooner than the client gives up the node is asked to answer, at most.
const MARGIN_MAX: Duration = Duration::from_millis(100);

/// A request, before it is known who gets it and how long that may take.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    /// Query parameters but for the timeout, joined by `&`; may be empty.
    query: String,
    /// Whether the node takes a timeout.
    takes_timeout: bool,
    condition: Option<(HeaderName, String)>,
    body: Bytes,
    /// Whether it does no harm to do it twice.
    is_repeatable: bool,
}

impl Call {
    /// A request that reads.
    pub(crate) fn get(path: impl Into<String>, query: String) -> Self {
        Self::new(Method::GET, path, query, Bytes::new()).repeatable()
    }

    /// A request that writes.
    pub(crate) fn new(method: Method, path: impl Into<String>, query: String, body: Bytes) -> Self {
        let path = path.into();
        Self { method, path, query, takes_timeout: true, condition: None, body, is_repeatable: false }
    }

    /// The same, but it does no harm to do it twice.
    pub(crate) fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// The same, to a path that takes no timeout.
    pub(crate) fn without_timeout(mut self) -> Self {
        self.takes_timeout = false;
        self
    }

    /// The same, to be done if the condition holds.
    pub(crate) fn on(mut self, condition: Condition) -> Self {
        let header = condition::header_of_condition(condition);
        self.condition = header.map(|(name, value)| (HeaderName::from_static(name), value));
        self
    }

    /// Whether it does no harm to do it twice.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    /// The request to one node, which is to answer within `budget`.
    pub(crate) fn request(
        &self,
        endpoint: &Endpoint,
        ticket: Option<&Ticket>,
        budget: Duration,
    ) -> Request<Full<Bytes>> {
        let mut path_and_query = self.path.clone();
        let timeout = self.takes_timeout.then(|| {
            format!("{}={}", query::TIMEOUT, query::format_timeout(budget - MARGIN_MAX.min(budget / 10)))
        });
        let parameters = [Some(&self.query).filter(|query| !query.is_empty()), timeout.as_ref()];
        for (parameter, separator) in parameters.into_iter().flatten().zip(['?', '&']) {
            path_and_query.push(separator);
            path_and_query.push_str(parameter);
        }
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(path_and_query)
            .header(header::HOST, endpoint.authority());
        if let Some((name, value)) = &self.condition {
            request = request.header(name, value);
        }
        if let Some(ticket) = ticket {
            request = request
                .header(headers::IDEMPOTENCY_KEY, ticket.key().to_string())
                .header(headers::ACKNOWLEDGED_BELOW, ticket.acknowledged_below());
        }
        request
            .body(Full::new(self.body.clone()))
            .expect("keys are percent-encoded and short, and the rest is ours")
    }
}
