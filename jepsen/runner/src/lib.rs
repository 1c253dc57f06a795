//! Real `quorate serve` processes, real sockets and disks, faults from outside, and clients whose histories are
//! judged by the checker.
//!
//! The simulator proves the code above the seams; this proves the seams, the kernel's behaviour, and the program as a
//! whole. Nothing of the product is linked in here: nodes are processes, and the clients speak HTTP by
//! themselves, so that an error in the product's own client cannot hide one in the store.
//!
//! | Module | What it holds |
//! |---|---|
//! | [`arguments`] | how a run is asked for |
//! | [`cluster`] | machines, the nodes that run on them, and what is put between the two |
//! | [`isolation`] | a world of the runner's own, which ends with it |
//! | [`network`] | what arrives between nodes |
//! | [`nemesis`] | who does harm, and what the frame of a run needs to know of it |
//! | [`fault`] | what was done to the cluster, when, and whether it was done at all |
//! | [`tool`] | programs of the system that the harness uses |
//! | [`random`] | what the seed decides |
//! | [`run_clock`] | the one clock of a run, by which faults and operations are told |
//! | [`run`] | a whole run, from the first process to the report |
//! | [`say`] | what a run says while it goes on |
//! | [`schedule`] | which faults strike when |
//! | [`convergence`] | whether the cluster comes back when all is healed |
//! | [`workload`] | what clients do |
//! | [`client`] | how they ask, and what answers mean |
//! | [`history`] | what they saw |
//! | [`property`] | what the store owes, and what a run can convict it of |
//! | [`interposed`] | the nemeses of disks and clocks |
//! | [`judge`](mod@judge) | the verdict on it |
//! | [`report`] | what people read when a run is over |
//! | [`stop_signals`] | being told to stop |
//! | [`error`] | failures of the harness itself, which are never verdicts |

pub mod arguments;
pub mod client;
pub mod cluster;
pub mod convergence;
pub mod error;
pub mod fault;
pub mod history;
pub mod interposed;
pub mod isolation;
pub mod judge;
pub mod nemesis;
pub mod network;
pub mod property;
pub mod random;
pub mod report;
pub mod run;
pub mod run_clock;
pub mod say;
pub mod schedule;
pub mod stop_signals;
pub mod tool;
pub mod workload;
