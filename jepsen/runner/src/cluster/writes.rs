//! Whether nodes acknowledge writes.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::time::Instant;

use super::{Cluster, POLL, ask};
use crate::arguments::Target;
use crate::error::HarnessError;
use crate::property::Property;

/// How long a node may take to answer one write.
const LIMIT: Duration = Duration::from_secs(3);

/// A write, by method, path and body.
struct Write {
    method: &'static str,
    path: String,
    body: String,
}

impl Write {
    /// One that no client does, to a key of this node's own.
    fn of(target: Target, node: u8) -> Self {
        let (key, value) = (format!("probe/{node}"), "written");
        match target {
            Target::Quorate => Self { method: "PUT", path: format!("/v1/kv/{key}"), body: value.to_owned() },
            Target::Etcd => {
                let body = json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) });
                Self { method: "POST", path: "/v3/kv/put".to_owned(), body: body.to_string() }
            }
        }
    }

    /// Asks for it until it is acknowledged.
    ///
    /// # Errors
    ///
    /// It was not before `deadline`: what was said last.
    async fn await_acknowledgement(&self, address: SocketAddr, deadline: Instant) -> Result<(), String> {
        loop {
            let answer = ask(address, self.method, &self.path, &self.body, LIMIT).await;
            if answer.as_ref().is_some_and(|answer| (200..300).contains(&answer.status)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(match answer {
                    Some(answer) => format!("{} {}", answer.status, answer.body),
                    None => "no answer".to_owned(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Cluster {
    /// Waits until a write is acknowledged by each of these nodes: that they answer reads does not say so.
    ///
    /// # Errors
    ///
    /// One does not acknowledge any within `limit`.
    pub async fn await_writes(&self, nodes: &[u8], limit: Duration) -> Result<(), HarnessError> {
        let deadline = Instant::now() + limit;
        for &node in nodes {
            let write = Write::of(self.target(), node);
            let acknowledged = write.await_acknowledgement(self.client_address(node), deadline).await;
            acknowledged.map_err(|said| HarnessError::Late {
                property: Property::DoneInTime,
                what: format!("node {node} did not acknowledge a write (last said: {said})"),
                seconds: limit.as_secs(),
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A node that refuses so many writes and acknowledges the others.
    async fn node(refused: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            for place in 0.. {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut bytes = Vec::new();
                while !bytes.ends_with(b"written") {
                    stream.read_buf(&mut bytes).await.expect("a request");
                }
                assert!(bytes.starts_with(b"PUT /v1/kv/probe/2 HTTP"));
                let status = if place < refused { "507 Insufficient Storage" } else { "201 Created" };
                let answer = format!("HTTP/1.0 {status}\r\ncontent-length: 4\r\n\r\nfull");
                stream.write_all(answer.as_bytes()).await.expect("it is listened to");
            }
        });
        address
    }

    #[tokio::test]
    async fn a_write_is_repeated_until_it_is_acknowledged() {
        let deadline = Instant::now() + Duration::from_secs(60);
        let write = Write::of(Target::Quorate, 2);
        assert_eq!(write.await_acknowledgement(node(3).await, deadline).await, Ok(()));
    }

    #[tokio::test]
    async fn who_refuses_all_writes_is_late() {
        let write = Write::of(Target::Quorate, 2);
        let said = write.await_acknowledgement(node(usize::MAX).await, Instant::now()).await;
        assert_eq!(said, Err("507 full".to_owned()));
    }

    #[test]
    fn etcd_is_asked_in_its_own_words() {
        let write = Write::of(Target::Etcd, 2);
        assert_eq!(write.path, "/v3/kv/put");
        assert_eq!(write.body, r#"{"key":"cHJvYmUvMg==","value":"d3JpdHRlbg=="}"#);
    }
}
