//! A small HTTP client: hyper over the simulated network, a connection for each member.

use std::collections::BTreeMap;

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use quorate_environment::{Environment, Moment};

use crate::cluster::client_address;
use crate::environment::SimulatedEnvironment;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// Nothing of the request has left.
    NotSent(String),
    /// The request, or a part of it, has left.
    Lost(String),
}

/// The connections of one client.
#[derive(Debug)]
pub(super) struct Connections {
    environment: SimulatedEnvironment,
    open: BTreeMap<u64, SendRequest<Full<Bytes>>>,
}

impl Connections {
    pub(super) fn new(environment: SimulatedEnvironment) -> Self {
        Self { environment, open: BTreeMap::new() }
    }

    /// Sends a request to a member and waits for its answer until `deadline`. A connection on which that
    /// fails is not used again.
    pub(super) async fn request(
        &mut self,
        member: u64,
        request: Request<Full<Bytes>>,
        deadline: Moment,
    ) -> Result<Answer, NoAnswer> {
        let mut connection = self.connection(member, deadline).await?;
        let environment = self.environment.clone();
        let exchange = async {
            let response = connection.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Answer { status: parts.status, headers: parts.headers, body })
        };
        let answer = match environment.timeout_at(deadline, exchange).await {
            Ok(Ok(answer)) => answer,
            // hyper gives a request back that it has not begun to send.
            Ok(Err(error)) if error.is_canceled() => return Err(NoAnswer::NotSent(error.to_string())),
            Ok(Err(error)) => return Err(NoAnswer::Lost(error.to_string())),
            Err(_) => return Err(NoAnswer::Lost("no answer in time".to_owned())),
        };
        self.open.insert(member, connection);
        Ok(answer)
    }

    /// The connection to a member, taken out, or a new one.
    async fn connection(
        &mut self,
        member: u64,
        deadline: Moment,
    ) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        if let Some(mut connection) = self.open.remove(&member) {
            // Not for long: its last answer has been read to the end. If it has ended, another is made.
            let ready = self.environment.timeout_at(deadline, connection.ready()).await;
            if matches!(ready, Ok(Ok(()))) {
                return Ok(connection);
            }
        }
        let environment = self.environment.clone();
        let address = client_address(member);
        let connecting = async {
            let stream = environment.connect(&address).await.map_err(|error| error.to_string())?;
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())
        };
        let (connection, exchange) = match self.environment.timeout_at(deadline, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(NoAnswer::NotSent(error)),
            Err(_) => return Err(NoAnswer::NotSent("not connected in time".to_owned())),
        };
        self.environment.spawn("http client connection", async move {
            // Whoever waits on the connection is told too.
            let _ = exchange.await;
        });
        Ok(connection)
    }
}
