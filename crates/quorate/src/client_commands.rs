//! `quorate put`, `get`, `delete`, `status`: one request each, its answer on standard output.

use std::fmt::Write as _;

use quorate_client::{Client, ClientBuilder, ClusterStatus, Condition, Consistency};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::arguments::{ConnectionArguments, DeleteArguments, GetArguments, PutArguments, StatusArguments};
use crate::error::CommandError;

/// Prints the revision of the change.
pub async fn put(arguments: PutArguments) -> Result<(), CommandError> {
    let value = match arguments.value.as_deref() {
        Some("-") | None => read_standard_input().await?,
        Some(value) => value.as_bytes().to_vec(),
    };
    let condition = match (arguments.if_revision, arguments.if_absent) {
        (Some(revision), _) => Condition::RevisionIs(revision),
        (None, true) => Condition::Absent,
        (None, false) => Condition::Always,
    };
    let written = client(arguments.connection)?.put_if(&arguments.key, value, condition).await?;
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
    Ok(ClientBuilder::new(connection.endpoints).timeout(connection.timeout).build()?)
}

async fn read_standard_input() -> Result<Vec<u8>, CommandError> {
    let mut value = Vec::new();
    tokio::io::stdin().read_to_end(&mut value).await?;
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
