//! `quorate list`: page by page, so that a list may be longer than memory.

use quorate_client::{Item, Keys, Range, RangePage};
use serde_json::json;

use super::client;
use super::keys::{ITEM_TITLES, bytes, item_cells};
use super::printing::{Table, json, print, print_line};
use crate::client_arguments::{ListArguments, Output};
use crate::error::CommandError;

/// Prints the keys of a range, or how many there are.
pub async fn list(arguments: ListArguments) -> Result<(), CommandError> {
    let keys = match (&arguments.prefix, &arguments.start, &arguments.end) {
        (Some(prefix), ..) => Keys::prefix(bytes(prefix)),
        (None, None, None) => Keys::all(),
        (None, start, None) => Keys::from(start.as_deref().map_or(&b""[..], bytes)),
        (None, start, Some(end)) => Keys::between(start.as_deref().map_or(&b""[..], bytes), bytes(end)),
    };
    let output = arguments.connection.output.unwrap_or(Output::Table);
    let mut range =
        client(arguments.connection)?.range(keys).order(arguments.order).freshness(arguments.freshness);
    if let Some(limit) = arguments.limit {
        range = range.limit(limit);
    }
    if let Some(revision) = arguments.revision {
        range = range.at(revision);
    }
    if arguments.count {
        let count = range.count().await?;
        return match output {
            Output::Json => print_line(json!({"count": count.to_string()})).await,
            Output::Raw | Output::Table => print_line(count).await,
        };
    }
    if arguments.keys_only {
        range = range.keys_only();
    }
    match output {
        Output::Json => print_json(range).await,
        Output::Table => print_table(range).await,
        Output::Raw => print_lines(range).await,
    }
}

/// One document, as the API gives it.
async fn print_json(mut range: Range) -> Result<(), CommandError> {
    let (mut is_first_page, mut separator) = (true, "");
    while let Some(RangePage { revision, items }) = range.next_page().await? {
        let mut text = String::new();
        if is_first_page {
            text.push_str(&format!("{{\"revision\":\"{revision}\",\"items\":["));
        }
        is_first_page = false;
        for item in &items {
            text.push_str(separator);
            separator = ",";
            text.push_str(&json(item));
        }
        print(text).await?;
    }
    print_line("]}").await
}

async fn print_table(mut range: Range) -> Result<(), CommandError> {
    let mut is_first = true;
    while let Some(page) = range.next_page().await? {
        let mut table = Table::new(ITEM_TITLES);
        for item in &page.items {
            table.row(item_cells(item));
        }
        print(if is_first { table.with_titles() } else { table.without_titles() }).await?;
        is_first = false;
    }
    Ok(())
}

/// A line for each key; the value is behind a tab.
async fn print_lines(mut range: Range) -> Result<(), CommandError> {
    while let Some(page) = range.next_page().await? {
        let mut bytes = Vec::new();
        for Item { key, value, .. } in &page.items {
            bytes.extend_from_slice(key);
            if let Some(value) = value {
                bytes.push(b'\t');
                bytes.extend_from_slice(value);
            }
            bytes.push(b'\n');
        }
        print(bytes).await?;
    }
    Ok(())
}
