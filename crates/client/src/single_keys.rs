//! Requests about one key.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use quorate_api::{Condition, condition, headers, key, query};
use quorate_environment::Environment;

use crate::answers::{Deleted, Entry, Read, Written};
use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;
use crate::exchange::Answer;
use crate::freshness::Freshness;

impl<E: Environment> Client<E> {
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
        let call = Call::new(Method::PUT, key_path(key.as_ref())?, String::new(), value.into()).on(condition);
        let answer = self.write(&call).await?;
        let written = || {
            Some(Written {
                revision: answer.number(headers::REVISION)?,
                create_revision: answer.number(headers::CREATE_REVISION)?,
                version: answer.number(headers::VERSION)?,
            })
        };
        written().ok_or_else(|| answer.done_but_unreadable())
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
        let path = key_path(key.as_ref())?;
        let call = Call::new(Method::DELETE, path, String::new(), Bytes::new()).on(condition);
        let answer = self.write(&call).await?;
        let existed = answer.status != StatusCode::NOT_FOUND;
        answer
            .number(headers::REVISION)
            .map(|revision| Deleted { existed, revision })
            .ok_or_else(|| answer.done_but_unreadable())
    }

    /// Reads a key's newest version: it reflects every write acknowledged before. `None` if there is no
    /// such key.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Entry>, ClientError> {
        self.read(key, Freshness::Linearizable).await.map(|read| read.found)
    }

    /// Reads a key's newest version, as fresh as asked for, and says as of when.
    pub async fn read(
        &self,
        key: impl AsRef<[u8]>,
        freshness: impl Into<Freshness>,
    ) -> Result<Read, ClientError> {
        self.read_key(key.as_ref(), freshness.into().query()).await
    }

    /// Reads a key as it was at a revision of the store. [`ClientError::Compacted`] if that is too long ago.
    pub async fn read_at(&self, key: impl AsRef<[u8]>, revision: u64) -> Result<Read, ClientError> {
        self.read_key(key.as_ref(), format!("{}={revision}", query::REVISION)).await
    }

    async fn read_key(&self, key: &[u8], query: String) -> Result<Read, ClientError> {
        let answer = self.ask(&Call::get(key_path(key)?, query)).await?;
        read_of(&answer).ok_or_else(|| answer.unreadable("a header of a read is missing or not a number"))
    }
}

/// Refuses what no node accepts: far longer keys make no valid path, and nodes answer those in between
/// before they know what is asked.
fn key_path(key: &[u8]) -> Result<String, ClientError> {
    if key.is_empty() || key.len() > key::KEY_BYTES_MAX {
        return Err(ClientError::KeyLength { bytes: key.len() });
    }
    Ok(format!("{}{}", quorate_api::KEY_PATH_PREFIX, key::encode_key(key)))
}

fn read_of(answer: &Answer) -> Option<Read> {
    let found = match answer.status {
        StatusCode::NOT_FOUND => None,
        _ => Some(Entry {
            value: answer.body.clone(),
            mod_revision: condition::parse_entity_tag(answer.headers.get(http::header::ETAG)?.as_bytes())?,
            create_revision: answer.number(headers::CREATE_REVISION)?,
            version: answer.number(headers::VERSION)?,
        }),
    };
    let age = answer.number(headers::AGE_MS).map(Duration::from_millis);
    Some(Read { found, revision: answer.number(headers::REVISION)?, age })
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
