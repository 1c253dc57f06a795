//! Registers, checked in nearly linear time.
//!
//! A *register* is a key with one value that clients read, write, and compare-and-set. It is what most
//! stores are tested with, and it has a property that no other object has: if every value is written at
//! most once, then each read names the write that it saw, and whether an order exists can be decided by
//! sorting. This module is made for histories of millions of operations.
//!
//! | Type | What it holds |
//! |---|---|
//! | [`RegisterHistory`] | a history, key by key: 56 bytes an operation, names interned |
//! | [`RegisterOperation`] | one row of it: [`Request`], [`Ending`], times, lines of the file |
//! | [`KeyId`], [`ValueId`] | interned names |
//! | [`check()`], [`Spending`] | the check, and what it may spend |
//! | [`RegisterStream`] | the check of a register while its history is being recorded |
//! | [`RegisterVerdict`] | a verified order, a [`RegisterCertificate`], or the [`LimitReached`] |

mod certificate;
mod check;
mod clusters;
mod history;
mod interner;
mod key_operations;
mod operation;
mod refused;
mod rows;
mod search;
mod stream;
mod unique;
mod verdict;
mod witness;
mod zones;

pub use check::check;
pub use history::{OperationId, RegisterHistory};
pub use operation::{Ending, KeyId, RegisterOperation, Request, ValueId};
pub use stream::{Ended, OpenOperation, RegisterStream, StreamViolation};
pub use verdict::{LimitReached, RegisterCertificate, RegisterVerdict, Spending};
