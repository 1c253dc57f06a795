//! Our HTTP API: one kept-alive HTTP/1.1 connection a client.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::target::RequestError;

/// With what an item of a range begins.
const ITEM: &[u8] = b"{\"key\":\"";
/// With what the answer to a transaction goes on whose comparisons held, behind its revision.
const SUCCEEDED: &[u8] = b"\"succeeded\":true";

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

    /// Whether another request can be sent on it.
    pub fn is_usable(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sets the key's value.
    pub async fn put(&mut self, key: &str, value: Bytes) -> Result<(), RequestError> {
        self.send(Method::PUT, format!("/v1/kv/{key}"), value).await.map(drop)
    }

    /// Reads the value of a key that exists, linearizably, and gives its length.
    pub async fn get(&mut self, key: &str) -> Result<usize, RequestError> {
        let body = self.send(Method::GET, format!("/v1/kv/{key}"), Bytes::new()).await?;
        Ok(body.len())
    }

    /// Reads all keys that begin with `prefix`, linearizably, and gives their number.
    pub async fn range(&mut self, prefix: &str) -> Result<u64, RequestError> {
        let body = self.send(Method::GET, format!("/v1/kv?prefix={prefix}"), Bytes::new()).await?;
        Ok(count(&body, ITEM))
    }

    /// Sets the value of a key in a transaction, if the key has a revision. Key and value have no letters
    /// that JSON escapes.
    pub async fn put_if_there(&mut self, key: &str, value: &Bytes) -> Result<(), RequestError> {
        let put = put_operation(key, value);
        let body = format!(
            "{{\"compare\":[{{\"key\":\"{key}\",\"mod_revision\":{{\"greater\":0}}}}],\"success\":[{put}]}}"
        );
        self.transact(body).await
    }

    /// Sets the value of every key, in one transaction. Keys and value have no letters that JSON escapes.
    pub async fn put_all(&mut self, keys: &[String], value: &Bytes) -> Result<(), RequestError> {
        let puts: Vec<String> = keys.iter().map(|key| put_operation(key, value)).collect();
        self.transact(format!("{{\"success\":[{}]}}", puts.join(","))).await
    }

    async fn transact(&mut self, body: String) -> Result<(), RequestError> {
        let answer = self.send(Method::POST, "/v1/txn".to_owned(), Bytes::from(body)).await?;
        match count(&answer, SUCCEEDED) {
            1 => Ok(()),
            _ => Err(RequestError::Answer(String::from_utf8_lossy(&answer).into_owned())),
        }
    }

    /// Sends a request and gives the body of an answer that says that it was done.
    async fn send(&mut self, method: Method, target: String, body: Bytes) -> Result<Bytes, RequestError> {
        let failed = |error: hyper::Error| RequestError::Connection {
            endpoint: self.endpoint.clone(),
            reason: error.to_string(),
        };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, &self.endpoint)
            .body(Full::new(body))
            .expect("our keys and endpoints make valid requests");
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let body = response.into_body().collect().await.map_err(failed)?.to_bytes();
        match status {
            status if status.is_success() => Ok(body),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(RequestError::Refused { status: status.as_u16(), retry_after })
            }
            _ => Err(RequestError::Answer(format!("{status} {}", String::from_utf8_lossy(&body)))),
        }
    }
}

fn put_operation(key: &str, value: &Bytes) -> String {
    format!("{{\"put\":{{\"key\":\"{key}\",\"value\":\"{}\"}}}}", String::from_utf8_lossy(value))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// How often `part` stands in `text`: as much of JSON as a client needs that has to be lean.
fn count(text: &[u8], part: &[u8]) -> u64 {
    text.windows(part.len()).filter(|window| window == &part).count() as u64
}
