//! `quorate history`.

use quorate_client::{Change, Client, ClientError, History};

use super::client;
use super::printing::{Table, cell, json, print, print_line};
use crate::client_arguments::{HistoryArguments, Output};
use crate::error::CommandError;

/// Prints what changed, up to the newest revision.
pub async fn history(arguments: HistoryArguments) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Table);
    let client = client(arguments.connection)?;
    let from = match arguments.from {
        Some(from) => from,
        None => oldest(&client).await?,
    };
    let mut history = client.history(from).freshness(arguments.freshness);
    if let Some(limit) = arguments.limit {
        history = history.limit(limit);
    }
    match output {
        Output::Json => print_json(history).await,
        Output::Table => print_table(history).await,
        Output::Raw => print_lines(history).await,
    }
}

/// The oldest revision whose changes are kept.
async fn oldest(client: &Client) -> Result<u64, CommandError> {
    match client.history(0).limit(1).next_page().await {
        Ok(_) => Ok(0),
        Err(ClientError::Compacted { oldest: Some(oldest), .. }) => Ok(oldest),
        Err(error) => Err(error.into()),
    }
}

/// One document, as the API gives it.
async fn print_json(mut history: History) -> Result<(), CommandError> {
    print(b"{\"changes\":[").await?;
    let mut separator = "";
    while let Some(changes) = history.next_page().await? {
        let mut text = String::new();
        for change in &changes {
            text.push_str(separator);
            separator = ",";
            text.push_str(&json(change));
        }
        print(text).await?;
    }
    print_line(format_args!("],\"next_from\":\"{}\"}}", history.next_from())).await
}

async fn print_table(mut history: History) -> Result<(), CommandError> {
    let mut is_first = true;
    while let Some(changes) = history.next_page().await? {
        let mut table = Table::new(["REVISION", "CHANGE", "KEY", "VALUE", "VERSION"]);
        for Change { revision, sub_index: _, key, put } in &changes {
            let (change, value, version) = match put {
                Some(put) => ("put", cell(&put.value), put.version.to_string()),
                None => ("delete", String::new(), String::new()),
            };
            table.row([revision.to_string(), change.to_owned(), cell(key), value, version]);
        }
        print(if is_first { table.with_titles() } else { table.without_titles() }).await?;
        is_first = false;
    }
    Ok(())
}

/// A line for each change: revision, what, key and, of a put, the value, with tabs between them.
async fn print_lines(mut history: History) -> Result<(), CommandError> {
    while let Some(changes) = history.next_page().await? {
        let mut bytes = Vec::new();
        for Change { revision, sub_index: _, key, put } in &changes {
            let what = if put.is_some() { "put" } else { "delete" };
            bytes.extend_from_slice(format!("{revision}\t{what}\t").as_bytes());
            bytes.extend_from_slice(key);
            if let Some(put) = put {
                bytes.push(b'\t');
                bytes.extend_from_slice(&put.value);
            }
            bytes.push(b'\n');
        }
        print(bytes).await?;
    }
    Ok(())
}
