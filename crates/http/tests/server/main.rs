//! The HTTP server, from raw bytes to raw bytes, over a fake store.

mod any_bytes;
mod bad_input;
mod connections;
mod dialects;
mod document;
mod fake_store;
mod freshness;
mod harness;
mod keys;
mod leadership;
mod maintenance;
mod members;
mod observation;
mod ranges;
mod refusals;
mod schema;
mod sessions;
mod transactions;
