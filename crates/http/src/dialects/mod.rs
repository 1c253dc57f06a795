//! Dialects: the interfaces of other stores, so that what was written for one of them works here unchanged.
//!
//! A dialect is spoken at a listener of its own, where no other path exists. Each is one file that reads a request,
//! calls the same store as the API does, and writes the answer as the original would. So all of them share the keys:
//! what is put in one dialect is read in any other, and at `/v1/kv/`.
//!
//! What holds for all of them is in [`Asked`]. Keys in paths are percent-decoded bytes, as in the API; the time limit
//! is the API's, with its query parameter `timeout`; reads are linearizable. What goes wrong is answered with the API's
//! errors, under the status that the original had where it had one that says as much. A condition or an
//! `Idempotency-Key` is refused, because no original knew them, and a write that silently lost one would be worse.
//! Where an original can be understood in two ways, `docs/dialects.md` says which was taken, and why.

mod asked;
mod cluster_kv;
mod keyval;
mod kv_db;
mod member_number;
mod memberlist;
mod simplekv;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use quorate_api::ErrorCode;
use quorate_environment::Environment;

use crate::application::Application;
use crate::failure::Failure;
use crate::front::Front;
use crate::routes;
use crate::service::Service;
use crate::store::Store;

use asked::Asked;

/// The interface of another store, which a node can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// `GET` and `POST /{key}`.
    ClusterKv,
    /// `PUT`, `GET` and `DELETE /{key}`, and `GET /` for all keys.
    Simplekv,
    /// `PUT` and `GET /{key}`; `POST` and `DELETE /{id}` for members.
    KvDb,
    /// `PUT /put`, `GET /get`, `DELETE /delete` and `POST /set/{key}/{value}`.
    Memberlist,
    /// `POST /key`, `GET` and `DELETE /key/{key}`, and `POST /join`.
    Keyval,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 5] =
        [Dialect::ClusterKv, Dialect::Simplekv, Dialect::KvDb, Dialect::Memberlist, Dialect::Keyval];

    /// The dialect's name, which is that of the original.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::ClusterKv => "cluster-kv",
            Dialect::Simplekv => "simplekv",
            Dialect::KvDb => "kv-db",
            Dialect::Memberlist => "memberlist",
            Dialect::Keyval => "keyval",
        }
    }

    /// The dialect with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Dialect::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

/// A node's server as it answers in a dialect.
pub(crate) struct Speaker<E: Environment, S: Store> {
    dialect: Dialect,
    application: Arc<Application<E, S>>,
}

impl<E: Environment, S: Store> Speaker<E, S> {
    pub(crate) fn new(dialect: Dialect, application: Arc<Application<E, S>>) -> Self {
        Self { dialect, application }
    }
}

impl<E: Environment, S: Store> Service for Speaker<E, S> {
    type Environment = E;

    fn front(&self) -> &Front<E> {
        &self.application
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(self.dialect)
    }

    async fn answer(&self, request: Request) -> Response {
        let application = &self.application;
        let answered = match self.dialect {
            Dialect::ClusterKv => cluster_kv::answer(application, request).await,
            Dialect::Simplekv => simplekv::answer(application, request).await,
            Dialect::KvDb => kv_db::answer(application, request).await,
            Dialect::Memberlist => memberlist::answer(application, request).await,
            Dialect::Keyval => keyval::answer(application, request).await,
        };
        answered.unwrap_or_else(Failure::into_response)
    }
}

/// What is said of a key that stands alone in a path, if it is empty.
const EMPTY_KEY_IN_PATH: &str = "the key is empty: it stands behind the first slash of the path";

/// The path without its first slash, which is the key in most dialects.
fn key_in_path(request: &Request) -> &str {
    let path = request.uri().path();
    path.strip_prefix('/').unwrap_or(path)
}

/// The answer to a method that has no meaning on a path that takes the methods `allow`.
fn other_method(request: &Request, allow: &'static str) -> Result<Response, Failure> {
    match *request.method() {
        Method::OPTIONS => Ok(routes::options(allow)),
        _ => Err(Failure::method_not_allowed(allow)),
    }
}

/// The answer to a path that the dialect does not have; `paths` lists those that it has.
fn no_such_path(paths: &str) -> Result<Response, Failure> {
    Err(Failure::new(
        ErrorCode::NotFound,
        format!("there is no such path in this dialect; there are {paths}"),
    ))
}

/// An answer that says everything by its status.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_dialect() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::from_name(dialect.name()), Some(dialect));
        }
        assert_eq!(Dialect::from_name("etcd"), None);
    }
}
