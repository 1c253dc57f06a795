//! The client against nodes that follow a script.

mod attempts;
mod members;
#[allow(dead_code, reason = "the router's tests use the rest")]
mod nodes;
mod ranges;
mod sessions;
mod shifted_environment;
