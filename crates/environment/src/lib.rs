//! The outside world, as one trait.
//!
//! A replicated store meets the world in five places: it reads **clocks**, it moves bytes over the
//! **network**, it draws **entropy**, it spawns **tasks**, and it hands blocking disk work to a
//! **storage worker**. [`Environment`] is those five places. Everything above it is generic over it
//! (`Replica<E: Environment>`) and therefore runs, unchanged, in two worlds: on tokio in production
//! ([`tokio_environment::TokioEnvironment`]) and on a deterministic simulator, where time is virtual,
//! the network obeys a fault plan and every random number comes from one seed.
//!
//! What lies above the seam may use futures, `tokio::io`'s byte stream traits and `tokio::sync`'s
//! channels: they need no runtime. It may not name `tokio::time`, `tokio::net`, `tokio::spawn`, a
//! system clock or an operating system's random number: `cargo xtask tidy` refuses that.
//!
//! Each environment also binds openraft's own runtime trait ([`Environment::Runtime`]), so that the
//! consensus library lives in the same world as we do.
//!
//! [`conformance`] is the contract in executable form: every implementation passes it.

pub mod conformance;
pub mod environment;
pub mod fact;
pub mod mutant;
pub mod time;
pub mod tokio_environment;
pub mod worker;

pub use environment::{Elapsed, Environment, Listener};
pub use fact::Fact;
pub use time::{Moment, WallTime};
pub use tokio_environment::TokioEnvironment;
pub use worker::{Worker, WorkerFinished, WorkerHandle};
