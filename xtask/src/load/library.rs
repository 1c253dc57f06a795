//! Our client library: it chooses nodes by itself, and repeats what is safe to repeat.

use bytes::Bytes;
use quorate_client::{Client, ClientError, Keys, Relation, TransactionBuilder, compare, operation};

use crate::target::RequestError;

/// A client of all nodes.
pub struct LibraryConnection {
    client: Client,
}

impl LibraryConnection {
    /// A client of the nodes at `endpoints`, `HOST:PORT,HOST:PORT`.
    pub fn open(endpoints: &str) -> Result<LibraryConnection, RequestError> {
        let urls = endpoints.split(',').map(|endpoint| format!("http://{endpoint}"));
        Ok(LibraryConnection { client: Client::new(urls).map_err(failed)? })
    }

    /// Sets the key's value.
    pub async fn put(&mut self, key: &str, value: Bytes) -> Result<(), RequestError> {
        self.client.put(key, value).await.map(drop).map_err(failed)
    }

    /// Reads the value of a key that exists, linearizably, and gives its length.
    pub async fn get(&mut self, key: &str) -> Result<usize, RequestError> {
        let found = self.client.get(key).await.map_err(failed)?;
        let found = found.ok_or_else(|| RequestError::Answer("there is no such key".to_owned()))?;
        Ok(found.value.len())
    }

    /// Reads all keys that begin with `prefix`, linearizably, and gives their number.
    pub async fn range(&mut self, prefix: &str) -> Result<u64, RequestError> {
        let mut range = self.client.range(Keys::prefix(prefix));
        let mut found = 0;
        while let Some(page) = range.next_page().await.map_err(failed)? {
            found += page.items.len() as u64;
        }
        Ok(found)
    }

    /// Sets the value of a key in a transaction, if the key has a revision; it is an error if it has none.
    pub async fn put_if_there(&mut self, key: &str, value: &Bytes) -> Result<(), RequestError> {
        let is_there = compare::key(key.to_owned()).mod_revision(Relation::Greater, 0);
        let put = operation::put(key.to_owned(), value.clone());
        self.transact(TransactionBuilder::new().when(is_there).then(put)).await
    }

    /// Sets the value of every key, in one transaction.
    pub async fn put_all(&mut self, keys: &[String], value: &Bytes) -> Result<(), RequestError> {
        let puts = keys.iter().map(|key| operation::put(key.clone(), value.clone()));
        self.transact(puts.fold(TransactionBuilder::new(), TransactionBuilder::then)).await
    }

    async fn transact(&mut self, transaction: TransactionBuilder) -> Result<(), RequestError> {
        match self.client.transact(transaction).await.map_err(failed)?.succeeded {
            true => Ok(()),
            false => Err(RequestError::Answer("the comparison does not hold".to_owned())),
        }
    }
}

fn failed(error: ClientError) -> RequestError {
    RequestError::Answer(error.to_string())
}
