//! A small HTTP client: hyper over TCP, a connection to each node, and deadlines.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing of the request has left.
    NotSent(String),
    /// The request, or a part of it, has left.
    Lost(String),
}

/// The connections of one client.
#[derive(Debug, Default)]
pub struct Connections {
    open: BTreeMap<u8, SendRequest<Full<Bytes>>>,
}

impl Connections {
    /// Sends a request to the node at an address and waits for its answer until `deadline`. A connection on which that
    /// fails is not used again: what is left on it could be taken for the answer to a later request.
    pub async fn exchange(
        &mut self,
        node: u8,
        address: SocketAddr,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Answer, NoAnswer> {
        let mut connection = self.connection(node, address, deadline).await?;
        let exchange = async {
            let response = connection.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Answer { status: parts.status, headers: parts.headers, body })
        };
        let answer = match timeout_at(deadline, exchange).await {
            Ok(Ok(answer)) => answer,
            // hyper gives a request back that it has not begun to send.
            Ok(Err(error)) if error.is_canceled() => return Err(NoAnswer::NotSent(error.to_string())),
            Ok(Err(error)) => return Err(NoAnswer::Lost(error.to_string())),
            Err(_) => return Err(NoAnswer::Lost("no answer in time".to_owned())),
        };
        self.open.insert(node, connection);
        Ok(answer)
    }

    /// The connection to a node, taken out, or a new one.
    async fn connection(
        &mut self,
        node: u8,
        address: SocketAddr,
        deadline: Instant,
    ) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        if let Some(mut connection) = self.open.remove(&node) {
            // Not for long: its last answer has been read to the end. If it has ended, another is made.
            if matches!(timeout_at(deadline, connection.ready()).await, Ok(Ok(()))) {
                return Ok(connection);
            }
        }
        let connecting = async {
            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())
        };
        let (connection, exchange) = match timeout_at(deadline, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(NoAnswer::NotSent(error)),
            Err(_) => return Err(NoAnswer::NotSent("not connected in time".to_owned())),
        };
        tokio::spawn(async move {
            // Whoever waits on the connection is told too.
            let _ = exchange.await;
        });
        Ok(connection)
    }
}
