//! What `deploy/` has for containers, run without a container daemon: the image's description, the compose files
//! and the manifests are read as the tools read them, and what they say is run with the binary of this tree.
//!
//! Each container is a process on a machine (a network namespace) of its own, under the names that it would have, with
//! the environment, arguments and health checks that its files give it. That needs root; without it those tests say
//! that they are skipped.

mod build_context;
mod clean_root;
mod compose;
mod image;
mod kubernetes;
mod pods;
#[path = "../processes/mod.rs"]
mod processes;
mod yaml;
