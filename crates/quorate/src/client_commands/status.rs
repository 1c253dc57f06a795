//! `quorate status`.

use quorate_api::{CompactionStatus, QuotaState, QuotaStatus};
use quorate_client::ClusterStatus;

use super::client;
use super::printing::{Table, json, print, print_line};
use crate::client_arguments::{Output, StatusArguments};
use crate::error::CommandError;

/// Prints the cluster as one node sees it.
pub async fn status(arguments: StatusArguments) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Table);
    let status = client(arguments.connection)?.cluster().await?;
    match output {
        Output::Table => print(describe(&status)).await,
        Output::Json | Output::Raw => print_line(json(&status)).await,
    }
}

/// A cluster's status for people.
fn describe(status: &ClusterStatus) -> String {
    let mut table = Table::new(["", ""]);
    let mut line = |name: &str, value: String| table.row([name.to_owned(), value]);
    line("cluster", status.cluster_id.clone().unwrap_or_else(|| "not formed yet".to_owned()));
    let ready = if status.ready { "ready" } else { "not ready" };
    line("asked", format!("member {} ({}, {ready})", status.node.member, status.role.name()));
    line(
        "leader",
        match &status.leader {
            Some(leader) => format!("member {}, term {}", leader.member, status.term),
            None => format!("none known, term {}", status.term),
        },
    );
    line("revision", format!("{}, {} keys, {} bytes", status.revision, status.key_count, status.live_bytes));
    line("quota", quota(&status.quota));
    line("history", history(&status.compaction));
    line("log", format!("applied {} of {}", status.applied_index, status.last_log_index));
    for member in &status.members {
        let part = if member.voter { "voter" } else { "learner" };
        let url = member.client_url.as_deref().unwrap_or("unknown URL");
        line("member", format!("{} {part} {url} (peers: {})", member.node.member, member.peer_address));
    }
    table.without_titles()
}

fn quota(QuotaStatus { state, stored_bytes, quota_bytes }: &QuotaStatus) -> String {
    match state {
        QuotaState::Unlimited => format!("unlimited, {stored_bytes} bytes stored"),
        state => format!("{}, {stored_bytes} of {quota_bytes} bytes stored", state.name()),
    }
}

fn history(compaction: &CompactionStatus) -> String {
    match compaction.compacted_revision {
        0 => "all of it can be read".to_owned(),
        oldest => format!("can be read from revision {oldest} on"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_and_kept_is_said_in_words() {
        let status = |state, quota_bytes| QuotaStatus { state, stored_bytes: 7, quota_bytes };
        assert_eq!(quota(&status(QuotaState::Unlimited, 0)), "unlimited, 7 bytes stored");
        assert_eq!(quota(&status(QuotaState::Warning, 9)), "warning, 7 of 9 bytes stored");
        let status = |compacted_revision| CompactionStatus { compacted_revision, sweep_backlog: 0 };
        assert_eq!(history(&status(0)), "all of it can be read");
        assert_eq!(history(&status(4)), "can be read from revision 4 on");
    }
}
