//! etcd's API over gRPC, by the client crate that Rust programs use.

use bytes::Bytes;
use etcd_client::{Client, Compare, CompareOp, GetOptions, KvClient, Txn, TxnOp};

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

    /// Reads all keys that begin with `prefix` and gives their number.
    pub async fn range(&mut self, prefix: &str) -> Result<u64, RequestError> {
        let options = GetOptions::new().with_prefix();
        let answer = self.client.get(prefix, Some(options)).await;
        Ok(answer.map_err(|error| failed(&self.endpoint, &error))?.kvs().len() as u64)
    }

    /// Sets the value of a key in a transaction, if the key has a revision.
    pub async fn put_if_there(&mut self, key: &str, value: &Bytes) -> Result<(), RequestError> {
        let transaction = Txn::new()
            .when([Compare::mod_revision(key, CompareOp::Greater, 0)])
            .and_then([TxnOp::put(key, value.clone(), None)]);
        self.transact(transaction).await
    }

    /// Sets the value of every key, in one transaction.
    pub async fn put_all(&mut self, keys: &[String], value: &Bytes) -> Result<(), RequestError> {
        let puts: Vec<TxnOp> = keys.iter().map(|key| TxnOp::put(key.as_str(), value.clone(), None)).collect();
        self.transact(Txn::new().and_then(puts)).await
    }

    async fn transact(&mut self, transaction: Txn) -> Result<(), RequestError> {
        let answer = self.client.txn(transaction).await.map_err(|error| failed(&self.endpoint, &error))?;
        match answer.succeeded() {
            true => Ok(()),
            false => Err(RequestError::Answer("the comparison does not hold".to_owned())),
        }
    }
}

fn failed(endpoint: &str, error: &etcd_client::Error) -> RequestError {
    RequestError::Connection { endpoint: endpoint.to_owned(), reason: error.to_string() }
}
