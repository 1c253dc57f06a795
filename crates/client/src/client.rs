//! The client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use quorate_api::{ClusterStatus, Condition, Consistency, condition, headers, key, query};

use crate::answers::{Deleted, Entry, Read, Written};
use crate::attempts::Nodes;
use crate::builder::ClientBuilder;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::exchange::{Answer, Call, Transport};

/// The longest wait for a connection to one node.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(1);

/// How long an unused connection is kept: shorter than a node keeps it, so that requests do not meet a
/// connection that is just being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of a Quorate cluster. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    nodes: Nodes,
    transport: Transport,
    timeout: Duration,
    answer_bytes_max: usize,
}

impl Client {
    /// A client of the nodes at `endpoints` (`http://HOST:PORT`), with default settings. One endpoint is
    /// enough; with all of them the client survives the loss of any.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ClientError> {
        ClientBuilder::new(endpoints).build()
    }

    pub(crate) fn of(endpoints: Vec<Endpoint>, timeout: Duration, answer_bytes_max: usize) -> Self {
        let share = timeout / (2 * endpoints.len() as u32);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Well below an attempt's share of the time: a write that could not connect is known not to be
        // done, one that ran out of time is not.
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT_MAX.min(share)));
        let transport = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .build(connector);
        let nodes = Nodes::new(endpoints);
        Self { shared: Arc::new(Shared { nodes, transport, timeout, answer_bytes_max }) }
    }

    /// Sets a key's value.
    pub async fn put(&self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<Written, ClientError> {
        self.put_if(key, value, Condition::Always).await
    }

    /// Sets a key's value if the condition holds; [`ClientError::Conflict`] if not.
    pub async fn put_if(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        condition: Condition,
    ) -> Result<Written, ClientError> {
        let call = write_call(Method::PUT, key.as_ref(), condition, value.into())?;
        let answer = self.make(&call).await?;
        let written = || {
            let headers = &answer.headers;
            Some(Written {
                revision: number(headers, headers::REVISION)?,
                create_revision: number(headers, headers::CREATE_REVISION)?,
                version: number(headers, headers::VERSION)?,
            })
        };
        written().ok_or_else(|| done_but_unreadable(&answer))
    }

    /// Deletes a key. That there is no such key is not an error.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<Deleted, ClientError> {
        self.delete_if(key, Condition::Always).await
    }

    /// Deletes a key if the condition holds; [`ClientError::Conflict`] if not.
    pub async fn delete_if(
        &self,
        key: impl AsRef<[u8]>,
        condition: Condition,
    ) -> Result<Deleted, ClientError> {
        let call = write_call(Method::DELETE, key.as_ref(), condition, Bytes::new())?;
        let answer = self.make(&call).await?;
        let existed = answer.status != StatusCode::NOT_FOUND;
        number(&answer.headers, headers::REVISION)
            .map(|revision| Deleted { existed, revision })
            .ok_or_else(|| done_but_unreadable(&answer))
    }

    /// Reads a key's newest version: it reflects every write acknowledged before. `None` if there is no
    /// such key.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Entry>, ClientError> {
        self.read(key, Consistency::Linearizable).await.map(|read| read.found)
    }

    /// Reads a key's newest version, as fresh as asked for, and says as of when.
    pub async fn read(&self, key: impl AsRef<[u8]>, consistency: Consistency) -> Result<Read, ClientError> {
        let is_default = consistency == Consistency::default();
        let call = Call {
            method: Method::GET,
            path: key_path(key.as_ref())?,
            query: (!is_default).then(|| format!("{}={}", query::CONSISTENCY, consistency.name())),
            takes_timeout: true,
            header: None,
            body: Bytes::new(),
        };
        let answer = self.make(&call).await?;
        read_of(&answer).ok_or_else(|| unreadable(&answer, "a header of a read is missing or not a number"))
    }

    /// One node's view of the cluster: of the node that answers.
    pub async fn cluster(&self) -> Result<ClusterStatus, ClientError> {
        let call = Call {
            method: Method::GET,
            path: quorate_api::CLUSTER_PATH.to_owned(),
            query: None,
            takes_timeout: false,
            header: None,
            body: Bytes::new(),
        };
        let answer = self.make(&call).await?;
        serde_json::from_slice(&answer.body).map_err(|error| unreadable(&answer, &error.to_string()))
    }

    async fn make(&self, call: &Call) -> Result<Answer, ClientError> {
        let Shared { nodes, transport, timeout, answer_bytes_max } = &*self.shared;
        nodes.attempt(transport, call, *timeout, *answer_bytes_max).await
    }
}

/// Refuses what no node accepts: far longer keys make no valid path, and nodes answer those in between
/// without a word.
fn key_path(key: &[u8]) -> Result<String, ClientError> {
    if key.is_empty() || key.len() > key::KEY_BYTES_MAX {
        return Err(ClientError::KeyLength { bytes: key.len() });
    }
    Ok(format!("{}{}", quorate_api::KEY_PATH_PREFIX, key::encode_key(key)))
}

fn write_call(method: Method, key: &[u8], condition: Condition, body: Bytes) -> Result<Call, ClientError> {
    Ok(Call {
        method,
        path: key_path(key)?,
        query: None,
        takes_timeout: true,
        header: condition::header_of_condition(condition),
        body,
    })
}

fn read_of(answer: &Answer) -> Option<Read> {
    let headers = &answer.headers;
    let found = match answer.status {
        StatusCode::NOT_FOUND => None,
        _ => Some(Entry {
            value: answer.body.clone(),
            mod_revision: condition::parse_entity_tag(headers.get(http::header::ETAG)?.as_bytes())?,
            create_revision: number(headers, headers::CREATE_REVISION)?,
            version: number(headers, headers::VERSION)?,
        }),
    };
    let age = number(headers, headers::AGE_MS).map(Duration::from_millis);
    Some(Read { found, revision: number(headers, headers::REVISION)?, age })
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// A write was answered with success, but not by what we know as a node.
fn done_but_unreadable(answer: &Answer) -> ClientError {
    let reason =
        format!("{} answered {} without the headers of a Quorate node", answer.endpoint, answer.status);
    ClientError::OutcomeUnknown { reason }
}

fn unreadable(answer: &Answer, reason: &str) -> ClientError {
    ClientError::BadAnswer { endpoint: answer.endpoint.to_string(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_that_cannot_be_is_refused_before_anything_is_sent() {
        // Nobody listens there, so whatever was sent would be `Unreachable`.
        let client = Client::new(["http://127.0.0.1:1"]).expect("well formed");
        for bytes in [0, 1_025, 20_000, 70_000] {
            let key = vec![0xff; bytes];
            let refused = ClientError::KeyLength { bytes };
            assert_eq!(client.get(&key).await, Err(refused.clone()));
            assert_eq!(client.put(&key, "v").await, Err(refused.clone()));
            assert_eq!(client.delete(&key).await, Err(refused.clone()));
            assert!(refused.to_string().contains("1024"), "{refused}");
            assert!(!refused.is_retryable() && !refused.is_outcome_unknown());
        }
        assert!(key_path(&[0xff; 1_024]).is_ok());
    }
}
