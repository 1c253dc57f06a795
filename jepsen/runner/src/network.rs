//! What arrives between nodes.
//!
//! Packets from node to node are forwarded by the runner's own network namespace. Rules there drop some (partitions and
//! loss), queues on the cables make them slow (bandwidth), and a relay in this process, to which they are sent by way
//! of a TUN device, holds them back, overtakes and repeats them. What clients send is left alone by rules and relay:
//! clients see what the store does about a broken network, and not the broken network.

pub mod conditions;
pub mod cuts;
pub mod relay;
pub mod rules;

use std::collections::BTreeSet;

use crate::error::HarnessError;
use crate::tool::{refusal, run_tool, run_tool_with_input, tool_output};

/// A direction between two nodes: from, to.
pub type Link = (u8, u8);

/// Why rules cannot be put into force here, if so. Some of every kind are, and are taken back: a tool may be there, and
/// the system may yet not know what it asks for.
pub fn rules_obstacle() -> Option<String> {
    let all = rules::Rules { cut: BTreeSet::from([(1, 2), (2, 1)]), lost_per_mille: 10, relayed: true };
    [all, rules::Rules::default()].iter().find_map(|rules| refusal("nft", "-f -", &rules.to_string()))
}

/// Why links cannot be made narrow here, if so. It is tried on the loopback device, which carries nothing yet.
pub fn queues_obstacle() -> Option<String> {
    let made = refusal("tc", &format!("qdisc replace dev lo root {}", narrow_queue(100)), "");
    made.or_else(|| refusal("tc", "qdisc del dev lo root", ""))
}

/// A queue that sends no more than so many kilobits a second.
fn narrow_queue(kilobits: u32) -> String {
    format!("tbf rate {kilobits}kbit burst 16kb latency 400ms")
}

/// Puts rules into force, in place of those that were, at one moment.
///
/// # Errors
///
/// `nft` refused.
pub async fn install(rules: &rules::Rules) -> Result<(), HarnessError> {
    run_tool_with_input("nft", "-f -", &rules.to_string()).await
}

/// How many packets the rules have dropped since they were put into force.
///
/// # Errors
///
/// `nft` refused.
pub async fn dropped() -> Result<u64, HarnessError> {
    let listing = tool_output("nft", &format!("list table ip {}", rules::TABLE), "").await?;
    Ok(rules::packets_dropped(&listing))
}

/// Lets each of these nodes be sent no more than this, in kilobits a second; clients share it.
///
/// # Errors
///
/// `tc` refused.
pub async fn narrow(nodes: &BTreeSet<u8>, kilobits: u32) -> Result<(), HarnessError> {
    for node in nodes {
        let queue = narrow_queue(kilobits);
        run_tool("tc", &format!("qdisc replace dev cable{node} root {queue}")).await?;
    }
    Ok(())
}

/// Takes that back.
///
/// # Errors
///
/// `tc` refused.
pub async fn widen(nodes: &BTreeSet<u8>) -> Result<(), HarnessError> {
    for node in nodes {
        run_tool("tc", &format!("qdisc del dev cable{node} root")).await?;
    }
    Ok(())
}

/// How many packets a queue had to hold back or drop because there were too many.
///
/// # Errors
///
/// `tc` refused.
pub async fn held_back(nodes: &BTreeSet<u8>) -> Result<u64, HarnessError> {
    let mut all = 0;
    for node in nodes {
        let listing = tool_output("tc", &format!("-s qdisc show dev cable{node}"), "").await?;
        all += rules::number_after(&listing, "overlimits ").unwrap_or(0);
    }
    Ok(all)
}
