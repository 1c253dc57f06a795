//! A client of Quorate's HTTP API.
//!
//! ```no_run
//! use quorate_client::{Client, Condition};
//!
//! # async fn example() -> Result<(), quorate_client::ClientError> {
//! let client = Client::new(["http://127.0.0.1:7001", "http://127.0.0.1:7002", "http://127.0.0.1:7003"])?;
//!
//! client.put("greeting", "hello").await?;
//! let entry = client.get("greeting").await?.expect("it was just put");
//! assert_eq!(&entry.value[..], b"hello");
//!
//! // Change it only if nobody else has meanwhile.
//! let condition = Condition::RevisionIs(entry.mod_revision);
//! match client.put_if("greeting", "hello again", condition).await {
//!     Ok(written) => println!("revision {}", written.revision),
//!     Err(error) if error.is_conflict() => println!("somebody was faster"),
//!     Err(error) if error.is_outcome_unknown() => println!("read it again to learn what happened: {error}"),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Every node answers every request, so a client takes any of them, stays with one that works, and goes
//! on to the next where that is safe: a read always; a write only if it certainly was not done, because
//! the node could not be connected to or because it said so. A write that was sent and not answered is
//! reported as [`ClientError::OutcomeUnknown`] and left to the caller.
//!
//! It needs a tokio runtime with time and I/O enabled.

mod answers;
mod attempts;
mod builder;
mod client;
mod endpoint;
mod error;
mod exchange;

pub use answers::{Deleted, Entry, Read, Written};
pub use builder::ClientBuilder;
pub use client::Client;
pub use error::ClientError;
pub use quorate_api::{ClusterMember, ClusterStatus, Condition, Consistency, ErrorCode, NodeName, Role};
