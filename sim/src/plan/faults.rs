//! What can go wrong.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fault at its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// When it begins, in milliseconds after the clients have started.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds: how long a link is cut, a node is down.
    pub duration_ms: u64,
    /// What it is.
    pub fault: Fault,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Fault {
    /// A node and the others do not reach each other. Clients reach all nodes.
    Isolate {
        /// Which node.
        target: Target,
    },
    /// Some nodes and the others do not reach each other.
    Split {
        /// The members on one side.
        side: Vec<u64>,
    },
    /// What one node sends does not arrive at the other; the way back works.
    OneWay {
        /// Who sends.
        from: Target,
        /// Who does not receive.
        to: Target,
    },
    /// What a node sends to the other nodes does not arrive; it hears them.
    Mute {
        /// Which node.
        target: Target,
    },
    /// What the other nodes send to a node does not arrive; they hear it.
    Deafen {
        /// Which node.
        target: Target,
    },
    /// A part of all messages is lost, and sent again later by the transport.
    Loss {
        /// How many of a hundred.
        percent: u64,
    },
    /// All messages take longer.
    Delay {
        /// The least latency, in microseconds.
        latency_min_us: u64,
        /// The greatest, in microseconds.
        latency_max_us: u64,
    },
    /// The process of a node is killed, and started again after the duration.
    Kill {
        /// Which node.
        target: Target,
    },
    /// Power is lost under nodes, in the middle of a disk operation of the first of them. It comes back
    /// after the duration.
    PowerLoss {
        /// Which nodes. All go at the same moment.
        targets: Vec<Target>,
        /// How many more disk operations the first node completes.
        operations: u64,
        /// Decides what of the unsynced pages survives.
        survival: u64,
    },
    /// A node does nothing at all, and then goes on as if nothing had been.
    Pause {
        /// Which node.
        target: Target,
    },
    /// A node is stopped as an operator would, and started again after the duration.
    Restart {
        /// Which node.
        target: Target,
    },
    /// A disk takes longer.
    SlowDisk {
        /// Whose.
        target: Target,
        /// The least time of a round, in microseconds.
        shortest_us: u64,
        /// The greatest, in microseconds.
        longest_us: u64,
    },
    /// A disk is full: nothing can be written to it. A node that stops because of that is started again and
    /// again.
    DiskFull {
        /// Whose.
        target: Target,
    },
    /// A node's process is killed, and when it is started again after the duration, bits of its state have
    /// flipped on the disk. The node finds them, stops, and is started again.
    FlippedBits {
        /// Which node.
        target: Target,
        /// How many bits.
        bits: u64,
        /// Decides which.
        choice: u64,
    },
    /// A disk fails to flush, once. The node stops, and is started again after the duration.
    FailedSync {
        /// Whose.
        target: Target,
    },
    /// A clock goes wrong in another way than it usually does.
    ClockDrift {
        /// Whose.
        target: Target,
        /// By how many millionths it is fast; slow if less than 0.
        drift_ppm: i64,
    },
    /// Somebody sets a wall clock, and sets it back after the duration.
    WallClockJump {
        /// Whose.
        target: Target,
        /// By how many milliseconds it is set forward; back if less than 0.
        by_ms: i64,
    },
}

/// Whom a fault hits. Roles are resolved when the fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A member.
    Member(u64),
    /// Whoever leads; nobody if nobody does.
    Leader,
    /// Of those who do not lead, in the order of their numbers, the one at this position, modulo their
    /// number.
    Follower(u64),
}

impl Fault {
    /// The fault's name in reports. What hits a leader counts apart.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Isolate { target: Target::Leader } => "isolate leader",
            Fault::Isolate { .. } => "isolate",
            Fault::Split { .. } => "split",
            Fault::OneWay { .. } => "one way",
            Fault::Mute { .. } => "mute",
            Fault::Deafen { .. } => "deafen",
            Fault::Loss { .. } => "loss",
            Fault::Delay { .. } => "delay",
            Fault::Kill { target: Target::Leader } => "kill leader",
            Fault::Kill { .. } => "kill",
            Fault::PowerLoss { targets, .. } if targets.len() > 1 => "power loss of several",
            Fault::PowerLoss { .. } => "power loss",
            Fault::Pause { .. } => "pause",
            Fault::Restart { .. } => "restart",
            Fault::SlowDisk { .. } => "slow disk",
            Fault::DiskFull { .. } => "disk full",
            Fault::FlippedBits { .. } => "flipped bits",
            Fault::FailedSync { .. } => "failed sync",
            Fault::ClockDrift { .. } => "clock drift",
            Fault::WallClockJump { .. } => "wall clock jump",
        }
    }

    /// The nodes that the fault names one by one.
    pub fn targets(&self) -> Vec<Target> {
        match self {
            Fault::Isolate { target }
            | Fault::Mute { target }
            | Fault::Deafen { target }
            | Fault::Kill { target }
            | Fault::Pause { target }
            | Fault::Restart { target }
            | Fault::SlowDisk { target, .. }
            | Fault::DiskFull { target }
            | Fault::FlippedBits { target, .. }
            | Fault::FailedSync { target }
            | Fault::ClockDrift { target, .. }
            | Fault::WallClockJump { target, .. } => vec![*target],
            Fault::OneWay { from, to } => vec![*from, *to],
            Fault::PowerLoss { targets, .. } => targets.clone(),
            Fault::Split { .. } | Fault::Loss { .. } | Fault::Delay { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Member(member) => write!(formatter, "n{member}"),
            Target::Leader => write!(formatter, "the leader"),
            Target::Follower(position) => write!(formatter, "follower {position}"),
        }
    }
}
