//! The deterministic simulator.
//!
//! A *seed* gives a [`plan`]; the plan gives a [`run`]: a cluster of nodes that run the production code,
//! clients that speak HTTP to it, and a [`nemesis`] that cuts links, kills, pauses, and lets power fail.
//! The [`recorder`] sees everything, the [`oracles`] say what is wrong with it, and the [`report`] is
//! what is left of it in one line.
//!
//! | Module | What it holds |
//! |---|---|
//! | [`environment`] | the second implementation of `quorate_environment::Environment`, on madsim |
//! | [`power_loss`] | a disk that loses what was not synced, under the real LMDB and the real files |
//! | [`plan`] | what a run does, as data, and how a seed gives it |
//! | [`cluster`] | the nodes, and what can be done to them |
//! | [`nemesis`] | doing it |
//! | [`operator`] | changing the members |
//! | [`recovery`] | making a new cluster of what is left of one |
//! | [`workload`] | the clients |
//! | [`recorder`] | trace, history, and what nodes say of themselves |
//! | [`oracles`] | what must hold, one file for each property |
//! | [`run`] | the phases of a run |
//! | [`mutants`] | what bugs that are put back may be convicted of |
//! | [`command`], [`report`], [`panics`] | the program around one run |
//!
//! All of it exists only in builds with `--cfg madsim`, which `cargo xtask sim` sets:
//!
//! ```text
//! cargo test -p quorate-sim --config "build.rustflags=['--cfg','madsim']"
//! ```
//!
//! Without that flag this package is empty.

#[cfg(madsim)]
pub mod cluster;
#[cfg(madsim)]
pub mod command;
#[cfg(madsim)]
pub mod environment;
#[cfg(madsim)]
pub mod mutants;
#[cfg(madsim)]
pub mod nemesis;
#[cfg(madsim)]
pub mod operator;
#[cfg(madsim)]
pub mod oracles;
#[cfg(madsim)]
pub mod panics;
#[cfg(madsim)]
pub mod plan;
#[cfg(madsim)]
pub mod power_loss;
#[cfg(madsim)]
pub mod recorder;
#[cfg(madsim)]
pub mod recovery;
#[cfg(madsim)]
pub mod report;
#[cfg(madsim)]
pub mod run;
#[cfg(madsim)]
pub mod workload;
