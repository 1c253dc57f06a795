//! `quorate put`, `get`, `delete`, `status`: one request each, its answer on standard output.

use std::fmt::Write as _;

use quorate_client::{Client, ClientBuilder, ClientError, ClusterStatus, Condition, Consistency};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::arguments::{ConnectionArguments, DeleteArguments, GetArguments, PutArguments, StatusArguments};
use crate::error::CommandError;

/// The longest value that any cluster can be set to accept, in bytes. The cluster's own limit, which it
/// alone knows, is at most this.
const VALUE_BYTES_MAX: u64 = 8 << 20;

/// Prints the revision of the change.
pub async fn put(arguments: PutArguments) -> Result<(), CommandError> {
    // First what may be wrong with the command: nobody wants to learn that after a long input.
    let client = client(arguments.connection)?;
    let value = match arguments.value.as_deref() {
        Some("-") | None => read_value(tokio::io::stdin()).await?,
        Some(value) => value.as_bytes().to_vec(),
    };
    let condition = match (arguments.if_revision, arguments.if_absent) {
        (Some(revision), _) => Condition::RevisionIs(revision),
        (None, true) => Condition::Absent,
        (None, false) => Condition::Always,
    };
    let written = client.put_if(&arguments.key, value, condition).await?;
    print(format!("{}\n", written.revision).as_bytes()).await
}

/// Prints the value as it is, with a line end behind it only on a terminal.
pub async fn get(arguments: GetArguments) -> Result<(), CommandError> {
    let consistency = if arguments.stale { Consistency::Stale } else { Consistency::Linearizable };
    let read = client(arguments.connection)?.read(&arguments.key, consistency).await?;
    let entry = read.found.ok_or(CommandError::NotFound { key: arguments.key })?;
    print(&entry.value).await?;
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) && !entry.value.ends_with(b"\n") {
        print(b"\n").await?;
    }
    Ok(())
}

/// Prints the revision of the change.
pub async fn delete(arguments: DeleteArguments) -> Result<(), CommandError> {
    let condition = arguments.if_revision.map_or(Condition::Always, Condition::RevisionIs);
    let deleted = client(arguments.connection)?.delete_if(&arguments.key, condition).await?;
    if !deleted.existed {
        return Err(CommandError::NotFound { key: arguments.key });
    }
    print(format!("{}\n", deleted.revision).as_bytes()).await
}

/// Prints the cluster as one node sees it.
pub async fn status(arguments: StatusArguments) -> Result<(), CommandError> {
    let status = client(arguments.connection)?.cluster().await?;
    print(describe(&status).as_bytes()).await
}

fn client(connection: ConnectionArguments) -> Result<Client, CommandError> {
    match ClientBuilder::new(connection.endpoints).timeout(connection.timeout).build() {
        // The timeout has been looked at with the flags.
        Err(ClientError::Settings(reason)) => Err(CommandError::Endpoints { reason }),
        built => Ok(built?),
    }
}

/// Reads a value to its end, but no further than any cluster would accept.
async fn read_value(input: impl AsyncRead + Unpin) -> Result<Vec<u8>, CommandError> {
    let mut value = Vec::new();
    input.take(VALUE_BYTES_MAX + 1).read_to_end(&mut value).await?;
    if value.len() as u64 > VALUE_BYTES_MAX {
        return Err(CommandError::ValueTooLong { bytes_max: VALUE_BYTES_MAX });
    }
    Ok(value)
}

async fn print(bytes: &[u8]) -> Result<(), CommandError> {
    let mut output = tokio::io::stdout();
    output.write_all(bytes).await?;
    output.flush().await?;
    Ok(())
}

/// A cluster's status for people.
fn describe(status: &ClusterStatus) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<12} {value}").expect("writing to a string cannot fail");
    };
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
    line("log", format!("applied {} of {}", status.applied_index, status.last_log_index));
    for member in &status.members {
        let part = if member.voter { "voter" } else { "learner" };
        let url = member.client_url.as_deref().unwrap_or("unknown URL");
        line("member", format!("{} {part} {url} (peers: {})", member.node.member, member.peer_address));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_input_that_no_cluster_accepts_is_not_read_to_its_end() {
        let longest = vec![7; VALUE_BYTES_MAX as usize];
        assert_eq!(read_value(&longest[..]).await.expect("is read").len(), longest.len());
        let refused = read_value(tokio::io::repeat(7)).await.expect_err("has no end");
        assert!(refused.to_string().contains("8388608"), "{refused}");
    }
}
