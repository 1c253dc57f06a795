//! The router in front of nodes that follow a script.

mod forwarding;
mod harness;
#[path = "../../../client/tests/client/nodes.rs"]
#[allow(dead_code, reason = "the client's tests use the rest")]
mod nodes;
mod server;
