//! The deterministic simulator.
//!
//! [`environment`] is the second implementation of `quorate_environment::Environment`: virtual time,
//! a simulated network and one seed for every random number, on madsim. [`power_loss`] is a disk that
//! loses what was not synced, under the real LMDB and the real files.
//!
//! All of it exists only in builds with `--cfg madsim`, which `cargo xtask sim` sets:
//!
//! ```text
//! cargo test -p quorate-sim --config "build.rustflags=['--cfg','madsim']"
//! ```
//!
//! Without that flag this package is empty.

#[cfg(madsim)]
pub mod environment;
#[cfg(madsim)]
pub mod power_loss;
