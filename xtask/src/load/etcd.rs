//! etcd's API over gRPC, by the client crate that Rust programs use.

use bytes::Bytes;
use etcd_client::{Client, KvClient};

use crate::target::RequestError;

/// One connection, or another handle of it: gRPC lets many requests share one.
#[derive(Clone)]
pub struct EtcdConnection {
    client: KvClient,
    endpoint: String,
}

impl EtcdConnection {
    /// Connects to `HOST:PORT`.
    pub async fn open(endpoint: &str) -> Result<EtcdConnection, RequestError> {
        let client = Client::connect([endpoint], None).await.map_err(|error| failed(endpoint, &error))?;
        Ok(EtcdConnection { client: client.kv_client(), endpoint: endpoint.to_owned() })
    }

    /// Sets the key's value.
    pub async fn put(&mut self, key: &str, value: Bytes) -> Result<(), RequestError> {
        let answer = self.client.put(key, value, None).await;
        answer.map(drop).map_err(|error| failed(&self.endpoint, &error))
    }

    /// Reads the value of a key that exists and gives its length. etcd's reads are linearizable unless
    /// asked otherwise.
    pub async fn get(&mut self, key: &str) -> Result<usize, RequestError> {
        let answer = self.client.get(key, None).await.map_err(|error| failed(&self.endpoint, &error))?;
        match answer.kvs() {
            [found] => Ok(found.value().len()),
            other => Err(RequestError::Answer(format!("{} values for one key", other.len()))),
        }
    }
}

fn failed(endpoint: &str, error: &etcd_client::Error) -> RequestError {
    RequestError::Connection { endpoint: endpoint.to_owned(), reason: error.to_string() }
}
