//! `quorate get`, `put` and `delete`.

use std::ffi::OsStr;

use bytes::Bytes;
use quorate_client::{Condition, Entry, Item, Keys};
use serde_json::json;

use super::printing::{Table, cell, print, print_line};
use super::{client, finished, input};
use crate::client_arguments::{DeleteArguments, GetArguments, Output, PutArguments};
use crate::error::CommandError;

/// The bytes of an argument: on Unix, those that were typed.
pub(super) fn bytes(argument: &OsStr) -> &[u8] {
    argument.as_encoded_bytes()
}

/// Prints the value as it is, with a line end behind it only on a terminal.
pub async fn get(arguments: GetArguments) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Raw);
    let client = client(arguments.connection)?;
    let key = bytes(&arguments.key);
    let read = match arguments.revision {
        Some(revision) => client.read_at(key, revision).await?,
        None => client.read(key, arguments.freshness).await?,
    };
    let entry = read.found.ok_or_else(|| CommandError::NotFound { key: cell(key) })?;
    match output {
        Output::Raw => print_value(&entry.value).await,
        Output::Json => {
            let item = item(key, entry);
            print_line(super::printing::json(&quorate_api::KeyAnswer { item, revision: read.revision })).await
        }
        Output::Table => {
            let mut table = Table::new(ITEM_TITLES);
            table.row(item_cells(&item(key, entry)));
            print(table.with_titles()).await
        }
    }
}

async fn print_value(value: &[u8]) -> Result<(), CommandError> {
    print(value).await?;
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) && !value.ends_with(b"\n") {
        print(b"\n").await?;
    }
    Ok(())
}

fn item(key: &[u8], entry: Entry) -> Item {
    let Entry { value, mod_revision, create_revision, version } = entry;
    Item { key: Bytes::copy_from_slice(key), value: Some(value), create_revision, mod_revision, version }
}

/// The columns of a key.
pub(super) const ITEM_TITLES: [&str; 5] = ["KEY", "VALUE", "CREATED", "CHANGED", "VERSION"];

/// The cells of a key.
pub(super) fn item_cells(item: &Item) -> [String; 5] {
    [
        cell(&item.key),
        item.value.as_ref().map_or_else(String::new, |value| cell(value)),
        item.create_revision.to_string(),
        item.mod_revision.to_string(),
        item.version.to_string(),
    ]
}

/// Prints the revision of the change.
pub async fn put(arguments: PutArguments) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Raw);
    // First what may be wrong with the command: nobody wants to learn that after a long input.
    let client = client(arguments.connection)?;
    let value = match (&arguments.file, arguments.value.as_deref().map(bytes)) {
        (Some(file), _) => input::file(file).await?,
        (None, Some(b"-") | None) => input::standard_input().await?,
        (None, Some(value)) => value.to_vec(),
    };
    let condition = match (arguments.if_revision, arguments.if_absent) {
        (Some(revision), _) => Condition::RevisionIs(revision),
        (None, true) => Condition::Absent,
        (None, false) => Condition::Always,
    };
    let written = client.put_if(bytes(&arguments.key), value, condition).await;
    let written = finished(client, written).await?;
    match output {
        Output::Raw => print_line(written.revision).await,
        Output::Json => {
            let (create_revision, version) =
                (written.create_revision.to_string(), written.version.to_string());
            let revision = written.revision.to_string();
            let answer =
                json!({"revision": revision, "create_revision": create_revision, "version": version});
            print_line(answer).await
        }
        Output::Table => {
            let mut table = Table::new(["REVISION", "CREATED", "VERSION"]);
            table.row([written.revision, written.create_revision, written.version].map(|n| n.to_string()));
            print(table.with_titles()).await
        }
    }
}

/// Prints the revision of the change or, of a range, how many keys there were.
pub async fn delete(arguments: DeleteArguments) -> Result<(), CommandError> {
    match (&arguments.key, &arguments.prefix) {
        (Some(_), _) => delete_key(arguments).await,
        (None, Some(prefix)) if prefix.is_empty() => Err(CommandError::EmptyPrefix),
        (None, Some(prefix)) => {
            let keys = Keys::prefix(bytes(prefix));
            delete_range(arguments, keys).await
        }
        (None, None) => delete_range(arguments, Keys::all()).await,
    }
}

async fn delete_key(arguments: DeleteArguments) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Raw);
    let key = arguments.key.unwrap_or_default();
    let key = bytes(&key);
    let condition = arguments.if_revision.map_or(Condition::Always, Condition::RevisionIs);
    let client = client(arguments.connection)?;
    let deleted = client.delete_if(key, condition).await;
    let deleted = finished(client, deleted).await?;
    if !deleted.existed {
        return Err(CommandError::NotFound { key: cell(key) });
    }
    match output {
        Output::Raw => print_line(deleted.revision).await,
        Output::Json => print_line(json!({"revision": deleted.revision.to_string()})).await,
        Output::Table => print_line(format_args!("deleted at revision {}", deleted.revision)).await,
    }
}

async fn delete_range(arguments: DeleteArguments, keys: Keys) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Raw);
    let client = client(arguments.connection)?;
    let done = client.delete_range(keys).await;
    let done = finished(client, done).await?;
    let (deleted, revision) = (done.deleted.to_string(), done.revision.to_string());
    match output {
        Output::Raw => print_line(deleted).await,
        Output::Json => print_line(json!({"revision": revision, "deleted": deleted})).await,
        Output::Table => print_line(format_args!("{deleted} keys deleted, at revision {revision}")).await,
    }
}
