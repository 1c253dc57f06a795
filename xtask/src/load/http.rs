//! Our HTTP API: one kept-alive HTTP/1.1 connection a client.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::target::RequestError;

/// One connection.
pub struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    endpoint: String,
}

impl HttpConnection {
    /// Connects to `HOST:PORT`.
    pub async fn open(endpoint: &str) -> Result<HttpConnection, RequestError> {
        let failed = |reason: String| RequestError::Connection { endpoint: endpoint.to_owned(), reason };
        let stream = TcpStream::connect(endpoint).await.map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| failed(error.to_string()))?;
        tokio::spawn(async move {
            // Whoever has a request under way on it sees the same error.
            let _ = connection.await;
        });
        Ok(HttpConnection { sender, endpoint: endpoint.to_owned() })
    }

    /// Sets the key's value.
    pub async fn put(&mut self, key: &str, value: Bytes) -> Result<(), RequestError> {
        let (status, body) = self.send(Method::PUT, key, value).await?;
        if status.is_success() { Ok(()) } else { Err(unexpected(status, &body)) }
    }

    /// Reads the value of a key that exists, linearizably, and gives its length.
    pub async fn get(&mut self, key: &str) -> Result<usize, RequestError> {
        let (status, body) = self.send(Method::GET, key, Bytes::new()).await?;
        if status == StatusCode::OK { Ok(body.len()) } else { Err(unexpected(status, &body)) }
    }

    async fn send(
        &mut self,
        method: Method,
        key: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), RequestError> {
        let failed = |error: hyper::Error| RequestError::Connection {
            endpoint: self.endpoint.clone(),
            reason: error.to_string(),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/kv/{key}"))
            .header(HOST, &self.endpoint)
            .body(Full::new(body))
            .expect("our keys and endpoints make valid requests");
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(failed)?.to_bytes();
        Ok((status, body))
    }
}

fn unexpected(status: StatusCode, body: &Bytes) -> RequestError {
    RequestError::Answer(format!("{status} {}", String::from_utf8_lossy(body)))
}
