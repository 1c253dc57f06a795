//! The arguments of the commands that change who is a member.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::client_arguments::{ConnectionArguments, EXIT_CODES, parse_duration};

/// `quorate member`.
#[derive(Debug, Args)]
#[command(after_help = format!("\
A change is agreed on by the cluster first; the leader then works towards it, and another one goes on where the first was
lost. The commands wait until it is done. To stop waiting does no harm, and the same command goes on waiting.

To replace member 2, whose machine is gone, by member 4 on another one:
  quorate member replace 2 4 --no-wait
  quorate serve --id 4 --data-dir n4 --join 10.0.0.1:7901,10.0.0.3:7901    (on the new machine)
  quorate member replace 2 4

{EXIT_CODES}"))]
pub struct MemberArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: MemberCommand,
}

/// What to do with members.
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// List the members: what each is and what it is to become.
    List {
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    /// Add a member number, which the first node that is started with it and with `--join` claims.
    Add {
        /// The new member's number.
        member: u64,
        /// It stays a learner, which has no vote, until it is promoted.
        #[arg(long)]
        learner: bool,
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    /// Make a learner a voter.
    Promote {
        /// The member.
        member: u64,
        /// Do it even if the member has not caught up.
        #[arg(long)]
        force: bool,
        /// Whether to wait.
        #[command(flatten)]
        patience: Patience,
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    /// Put a member in the place of another one: it catches up, gets the vote, and the other is removed.
    Replace {
        /// The member that goes, be it alive or not.
        old: u64,
        /// The member that comes; its number is added if it is new.
        new: u64,
        /// Do it even if too few voters would be reachable for a quorum.
        #[arg(long)]
        force: bool,
        /// Whether to wait.
        #[command(flatten)]
        patience: Patience,
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    /// Remove a member. Its node stops by itself.
    Remove {
        /// The member.
        member: u64,
        /// Do it even if too few voters would be reachable for a quorum.
        #[arg(long)]
        force: bool,
        /// Whether to wait.
        #[command(flatten)]
        patience: Patience,
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
}

/// How long a command waits for what it has asked for.
#[derive(Clone, Copy, Debug, Args)]
pub struct Patience {
    /// How long to wait until it is done.
    #[arg(long, default_value = "5m", value_parser = parse_duration, value_name = "TIME", conflicts_with = "no_wait")]
    pub wait: Duration,
    /// Do not wait: the cluster has agreed on it, and the leader works towards it.
    #[arg(long)]
    pub no_wait: bool,
}
