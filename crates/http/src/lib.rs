//! The HTTP server of one node.
//!
//! [`serve`] accepts byte streams from the environment, lets hyper speak HTTP/1.1 on them, and routes
//! requests with axum to a [`Store`]: a [`quorate_replica::Replica`], or a fake in tests. What the
//! requests and answers look like is `quorate-api`'s business; this crate adds the limits that keep a
//! node standing:
//!
//! - *connections*: a bounded number, each cut if it is silent for too long between requests, sends the
//!   head of a request too slowly, or does not take its answer ([`HttpOptions`]). A few more are kept for
//!   requests about the node itself, so that a busy node can be told from a dead one;
//! - *requests*: a bounded number is handled at once over the whole node, and one by each connection; past the
//!   bound requests are answered 429 at once, but those about the node itself;
//! - *bytes*: request bodies, and answers that are not small, are counted over the whole node; past the
//!   bound requests are answered 429. Answers of any length are read and sent page by page, a bounded number
//!   of them at once, so that none is held as a whole;
//! - *time*: each request has one deadline, the arrival of its body included. When it passes, the answer
//!   leaves: 408 if the body is not there, 503 for a read, 504 `outcome_unknown` for a write.
//!
//! What is not about a store stands behind [`serve_requests`], for servers that answer with something else: a
//! [`Service`], such as a router to nodes.
//!
//! On listeners of their own a node can speak *dialects* ([`Dialect`]): the interfaces of other stores, over the same
//! keys and within the same limits ([`NodeServer`]).
//!
//! There is no clock, network or randomness here but the environment's, so the same server runs in the
//! simulator. For that reason no tower layer that uses tokio's timers, and no hyper timer: hyper wants
//! `std::time::Instant`s, which only the system's clock can make.
//!
//! What is not HTTP at all is answered by hyper itself, with an empty body: 400 for garbage, 414 and
//! 431 for a target or headers that are too long.

mod application;
mod body;
mod bytes_in_flight;
mod connection;
mod dialects;
mod failure;
mod front;
mod guarded_stream;
mod item_json;
mod metrics;
mod metrics_text;
mod options;
mod paged_body;
mod progress;
mod routes;
mod server;
mod service;
mod store;
mod watched_answer;
mod watched_body;

pub use application::Arrival;
pub use body::receive_body;
pub use bytes_in_flight::BytesHeld;
pub use connection::request_id_value;
pub use dialects::Dialect;
pub use failure::refusal;
pub use front::Front;
pub use metrics_text::{CONTENT_TYPE as METRICS_CONTENT_TYPE, MetricsText};
pub use options::HttpOptions;
pub use server::{NodeServer, serve, serve_requests};
pub use service::Service;
pub use store::{AtRevision, Store, View};

#[doc(hidden)]
pub use application::measure;
