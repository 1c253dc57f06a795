//! Node-to-node RPC over the environment's byte streams, and openraft's network on top of it.
//!
//! # A connection
//!
//! Whoever wants something dials: requests travel from the dialing to the accepting side, answers the
//! other way. Two nodes that talk to each other therefore have a connection in each direction, and on
//! each [`Lane`]: votes, appends and forwarded requests share the control lane; snapshots have the bulk
//! lane to themselves, so that they hold up no heartbeat.
//!
//! A connection opens with a handshake ([`Hello`], then [`Welcome`] or [`Reject`]) in which both sides
//! check protocol version, cluster and identity: the dialing side names the exact (member, incarnation)
//! it means. What a node knows about itself and whom it lets in is the replica's business
//! ([`Gatekeeper`]).
//!
//! After it, both directions carry frames ([`frame`]): checksummed, each with its Raft group and request
//! ID. Many requests are under way at once; answers come as they are ready. Frames gather in an outbox
//! while one write is being done and go out together with the next.
//!
//! # What a failure says
//!
//! Every call has a deadline; what is left of it travels with the request. A call that fails says
//! whether the peer may have carried it out ([`CallError`]): *not sent* and *refused* are certain,
//! *unknown* is not, and must reach the client as unknown.
//!
//! A connection on which something is awaited but nothing arrives for [`limits::SILENCE_MAX`] is closed:
//! a partition that swallows everything looks like that. A dial that failed is repeated after a pause
//! that doubles and is spread at random; meanwhile calls fail at once.
//!
//! # What is bounded
//!
//! Bytes in an outbox, requests and bytes in work for one peer, the window of an append stream and of a
//! snapshot, connections, the size of a frame, and much less than that before the handshake: see
//! [`limits`]. Who exceeds what the protocol promises is cut off with one line in the log; the node is
//! unharmed.
//!
//! # Order
//!
//! Only the requests of one append stream are handled in their order. Everything else may overtake.

mod append_receiver;
mod append_stream;
mod connection;
mod dial;
pub mod error;
mod file_worker;
pub mod frame;
mod frame_reader;
pub mod gatekeeper;
mod guest;
pub mod handler;
pub mod handshake;
pub mod limits;
mod link;
pub mod network;
mod outbox;
pub mod peers;
mod rpc_error;
pub mod server;
mod session;
mod snapshot_receiver;
mod snapshot_sender;

pub use dial::probe;
pub use error::{CallError, DialError, NotSent, Refusal, RemoteError, Unknown};
pub use gatekeeper::{Gatekeeper, check};
pub use guest::call_once;
pub use handler::{PeerHandler, RaftEndpoint, Snapshot, SnapshotCheck};
pub use handshake::{Hello, Introduction, Lane, Reject, RejectCode, Welcome};
pub use network::{PeerNetwork, PeerNetworkFactory};
pub use peers::{CallDeadlines, Peers};
pub use server::serve;
