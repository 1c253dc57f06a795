//! The simulated world: an implementation of `quorate_environment::Environment` on madsim.
//!
//! Time is virtual: it stands still while a task computes and jumps to the next event when all tasks
//! wait. Each machine has a clock of its own ([`clock`]). The network is simulated ([`network`]). Every random number, the order in which ready tasks
//! run included, comes from the seed of the simulation. The storage worker is a task that lets a disk's
//! latency ([`disk_latency`]) pass before each round.
//!
//! Rules that keep a simulation deterministic are kept here, so that nobody has to know them twice:
//! a simulation has a thread of its own ([`simulation`]), no tokio timer, spawner or `watch` channel is
//! used ([`runtime`], [`watch`]), and nothing that can be observed iterates over a hash map.

pub mod clock;
pub mod disk_latency;
pub mod network;
pub mod runtime;
mod simulated_environment;
pub mod simulation;
mod sleep;
pub mod watch;

pub use disk_latency::DiskLatency;
pub use network::SimulatedNetwork;
pub use runtime::SimulatedRuntime;
pub use simulated_environment::{SimulatedEnvironment, Witness};
