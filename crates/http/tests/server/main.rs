//! The HTTP server, from raw bytes to raw bytes, over a fake store.

mod connections;
mod fake_store;
mod harness;
mod keys;
mod observation;
mod refusals;
