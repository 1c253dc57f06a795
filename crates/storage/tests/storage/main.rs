//! The storage from outside: through openraft's traits, over restarts, crashes and damage.

mod failures;
mod log;
mod old_formats;
mod openraft_suite;
mod recovery;
mod refusals;
mod repair;
mod snapshots;
mod state;
mod support;
