//! A router: a proxy in front of a cluster, without a state of its own.
//!
//! Every node answers every request, so nobody needs a router. One is of use where clients cannot know the
//! nodes: it follows the members as they come and go, sends writes and linearizable reads to the leader, which
//! saves a hop, and stale reads to the node that answers fastest. Any number of routers can stand side by side.
//!
//! - *Where to*: all nodes are asked several times a second how they are. What they say makes the board by
//!   which requests are passed on. It may be wrong for a moment, which costs a hop and nothing else: every node
//!   knows the way to the leader, too.
//! - *What is repeated*: reads; writes that certainly did nothing, because they were not sent or the node says
//!   so; and writes by which the store is told what is a repetition. A write without an `Idempotency-Key` that was
//!   sent and not answered is told its client to be of unknown outcome, and is not repeated.
//! - *Bounds*: connections, requests and bytes, as on a node, by the same server; beyond them requests are
//!   answered 429. Bodies of requests are held whole, because they may have to be sent twice. Answers are passed
//!   on piece by piece.
//! - *Names*: a request keeps its `Quorate-Request-Id`, or is given one, and is called so in the logs of the nodes.
//!
//! A router pins the first cluster that it meets and never passes anything to another one.

mod answer_body;
mod attempt;
mod board;
mod forwarding;
mod keeper;
mod metrics;
mod need;
mod router;

pub use router::{RouterOptions, serve};
