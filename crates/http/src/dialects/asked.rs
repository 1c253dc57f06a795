//! A request in a dialect, as far as all dialects are the same.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use quorate_api::{ErrorCode, media};
use quorate_environment::Environment;
use quorate_kv::{Command, Condition, Operation, Outcome, Transaction};
use quorate_replica::{Consistency, MemberChange, MemberRole, ReadAnswer};

use crate::application::Application;
use crate::body::{Received, body_timeout, body_too_large, receive, value_body, value_too_large};
use crate::failure::Failure;
use crate::routes::request::{self, Times};
use crate::routes::writing::write;
use crate::routes::{in_time, members, text, transaction};
use crate::store::Store;

/// What somebody asks for in a dialect, before it is known what that is: the node, and by when it answers.
pub(super) struct Asked<'node, E: Environment, S: Store> {
    pub(super) application: &'node Application<E, S>,
    pub(super) times: Times,
}

impl<'node, E: Environment, S: Store> Asked<'node, E, S> {
    /// A request that changes nothing, with the time limit that its query states.
    pub(super) fn reading(
        application: &'node Application<E, S>,
        request: &Request,
        timeout: Option<Duration>,
    ) -> Result<Self, Failure> {
        request::no_body(request)?;
        Ok(Self { application, times: Times::new(request::arrival(request), timeout) })
    }

    /// A request that changes something, with the time limit that its query states.
    pub(super) fn writing(
        application: &'node Application<E, S>,
        request: &Request,
        timeout: Option<Duration>,
    ) -> Result<Self, Failure> {
        request::no_conditions(request.headers())?;
        request::no_session(request.headers())?;
        Ok(Self { application, times: Times::new(request::arrival(request), timeout) })
    }

    /// Receives a body of at most `bytes_max` bytes.
    pub(super) async fn body(&self, body: Body, bytes_max: u64) -> Result<Received, Failure> {
        let receiving = receive(body, bytes_max, body_too_large, &self.application.bytes_in_flight);
        let received = self.application.environment.timeout_at(self.times.deadline, receiving).await;
        received.map_err(|_| body_timeout("the body"))?
    }

    /// Reads a key.
    pub(super) async fn read(&self, key: &[u8]) -> Result<ReadAnswer, Failure> {
        let get = self.application.store.get(&self.times.context, key, Consistency::Linearizable);
        in_time(self.application, self.times.deadline, get).await
    }

    /// The answer that is a key's value, as it is.
    pub(super) async fn raw_value(&self, key: &[u8]) -> Result<Response, Failure> {
        let answer = self.read(key).await?;
        let found = answer.found.ok_or_else(|| Failure::key_not_found(answer.revision))?;
        Ok(text(media::RAW, value_body(found.value, &self.application.bytes_in_flight)?))
    }

    /// Sets a key's value to what a body carries.
    pub(super) async fn put_body(&self, key: Bytes, body: Body) -> Result<(), Failure> {
        let value_bytes_max = self.application.store.value_bytes_max();
        let receiving = receive(body, value_bytes_max, value_too_large, &self.application.bytes_in_flight);
        let received = self.application.environment.timeout_at(self.times.deadline, receiving).await;
        let Received { bytes, held: _held } = received.map_err(|_| body_timeout("the value"))??;
        self.put(key, bytes).await
    }

    /// Sets a key's value.
    pub(super) async fn put(&self, key: Bytes, value: Bytes) -> Result<(), Failure> {
        let command = Command::Put { key, value, condition: Condition::Always };
        let written = write(self.application, &self.times, command, None).await?;
        match written.outcome {
            Outcome::Put { .. } => Ok(()),
            _ => Err(written.into_failure()),
        }
    }

    /// Sets the values of several keys, all or none.
    pub(super) async fn put_all(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<(), Failure> {
        let success = pairs.into_iter().map(|(key, value)| Operation::Put { key, value }).collect();
        let transaction = Transaction { success, ..Transaction::default() };
        let written = transaction::run(self.application, &self.times, transaction, None).await?;
        match written.outcome {
            Outcome::Transaction { .. } => Ok(()),
            _ => Err(written.into_failure()),
        }
    }

    /// Removes a key. False if there is none.
    pub(super) async fn delete(&self, key: Bytes) -> Result<bool, Failure> {
        let command = Command::Delete { key, condition: Condition::Always };
        let written = write(self.application, &self.times, command, None).await?;
        match written.outcome {
            Outcome::Deleted { .. } => Ok(true),
            Outcome::NotFound { .. } => Ok(false),
            _ => Err(written.into_failure()),
        }
    }

    /// Removes a key that has to be there.
    pub(super) async fn delete_existing(&self, key: Bytes) -> Result<(), Failure> {
        if self.delete(key).await? {
            return Ok(());
        }
        Err(Failure::new(ErrorCode::KeyNotFound, "there is no such key"))
    }

    /// Makes a place for a member, to be taken by the node that presents its number. It is done already if a
    /// member with that number is there, at that address.
    pub(super) async fn add_member(&self, member: u64, peer_address: &str) -> Result<(), Failure> {
        let members = self.application.store.members().members;
        let is_there = members.iter().any(|known| {
            known.member == member && known.peer_address == peer_address && known.role != MemberRole::Leaving
        });
        if is_there {
            return Ok(());
        }
        self.change_members(MemberChange::Add { member, learner: false }).await
    }

    /// Has the cluster agree on a change of its members.
    pub(super) async fn change_members(&self, change: MemberChange) -> Result<(), Failure> {
        members::agree(self.application, &self.times, change).await.map(|_| ())
    }
}
