//! The workloads.

use clap::ValueEnum;
use quorate_jepsen::import::ModelName;
use serde::Serialize;

use crate::arguments::Target;
use crate::property::Property;

/// The name of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadName {
    /// Single keys are written, read, and replaced if they hold a given value.
    Register,
    /// Single keys are written and deleted, if their revision is the one that the client knows.
    Conditional,
    /// Transactions read lists and append to some of them.
    Append,
    /// Transactions move money between accounts.
    Bank,
    /// Elements are added to sets, and sets are listed.
    Set,
    /// Numbers are counted up by compare-and-set.
    Counter,
    /// Writes in sessions are sent until their outcome is known, some at two nodes at once.
    ExactlyOnce,
    /// Keys come and go, and are listed page by page, forwards and backwards.
    Ranges,
    /// Whatever a node has is read, within a bound of its age or without.
    Stale,
    /// The past is read at revisions, and compacted meanwhile.
    Past,
}

impl WorkloadName {
    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Conditional => "conditional",
            Self::Append => "append",
            Self::Bank => "bank",
            Self::Set => "set",
            Self::Counter => "counter",
            Self::ExactlyOnce => "exactly-once",
            Self::Ranges => "ranges",
            Self::Stale => "stale",
            Self::Past => "past",
        }
    }

    /// One line for people.
    pub fn description(self) -> &'static str {
        match self {
            Self::Register => "single keys are written, read, and replaced if they hold a given value",
            Self::Conditional => {
                "keys are written and deleted if they have the revision that the client knows"
            }
            Self::Append => "transactions read lists and append to some of them",
            Self::Bank => "transactions move money between accounts",
            Self::Set => "elements are added to sets, and sets are listed",
            Self::Counter => "numbers are counted up by compare-and-set",
            Self::ExactlyOnce => {
                "writes in sessions are sent until their outcome is known, some at two nodes at once"
            }
            Self::Ranges => "keys come and go, and are listed page by page, forwards and backwards",
            Self::Stale => "whatever a node has is read, within a bound of its age or without",
            Self::Past => "the past is read at revisions, and compacted meanwhile",
        }
    }

    /// The object that its history is judged by.
    pub fn model(self) -> ModelName {
        match self {
            Self::Register => ModelName::Register,
            Self::Conditional | Self::Ranges | Self::Stale | Self::Past => ModelName::Store,
            Self::Append | Self::Bank => ModelName::Transactions,
            Self::Set => ModelName::Set,
            Self::Counter | Self::ExactlyOnce => ModelName::Counter,
        }
    }

    /// What a history of it owes.
    pub fn property(self) -> Property {
        match self.model() {
            ModelName::Transactions => Property::StrictlySerializable,
            _ => Property::Linearizable,
        }
    }

    /// Whether it can be tried with this store. etcd has no sessions that make writes repeatable, no cursors, and no
    /// bound of the age of a read.
    pub fn suits(self, target: Target) -> bool {
        match self {
            Self::Register | Self::Append | Self::Bank | Self::Set | Self::Counter => true,
            Self::Conditional | Self::ExactlyOnce | Self::Ranges | Self::Stale | Self::Past => {
                target == Target::Quorate
            }
        }
    }
}
