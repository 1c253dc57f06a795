//! `quorate txn`.

use quorate_api::{RangeResult, TransactionAnswer, TransactionBody};
use quorate_client::{Item, OperationAnswer, TransactionDone};

use super::printing::{Table, cell, json, print, print_line};
use super::{client, finished, input};
use crate::client_arguments::{Output, TransactionArguments};
use crate::error::CommandError;

/// Prints what the transaction did and found.
pub async fn transact(arguments: TransactionArguments) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Json);
    let client = client(arguments.connection)?;
    let body = match &arguments.file {
        Some(file) => input::file(file).await?,
        None => input::standard_input().await?,
    };
    let TransactionBody(transaction) = quorate_api::parse_body(&body)
        .map_err(|bad| CommandError::Transaction { reason: bad.to_string() })?;
    let done = client.transact(transaction).await;
    let TransactionDone { revision, succeeded, results } = finished(client, done).await?;
    match output {
        Output::Json | Output::Raw => {
            let replayed = results.is_none();
            print_line(json(&TransactionAnswer { revision, succeeded, results, replayed })).await?;
        }
        Output::Table => {
            let mut table = Table::new(["OPERATION", "RESULT"]);
            for result in results.iter().flatten() {
                describe(result, &mut table);
            }
            print_line(format_args!("revision {revision}")).await?;
            print(table.with_titles()).await?;
        }
    }
    match succeeded {
        true => Ok(()),
        false => Err(CommandError::ComparisonsFailed),
    }
}

fn describe(result: &OperationAnswer, table: &mut Table<2>) {
    let mut row = |operation: &str, result: String| table.row([operation.to_owned(), result]);
    match result {
        OperationAnswer::Put { create_revision, version } => {
            row("put", format!("version {version}, created at revision {create_revision}"));
        }
        OperationAnswer::Get { item: Some(item) } => row("get", found(item)),
        OperationAnswer::Get { item: None } => row("get", "no such key".to_owned()),
        OperationAnswer::Delete { deleted: true } => row("delete", "deleted".to_owned()),
        OperationAnswer::Delete { deleted: false } => row("delete", "no such key".to_owned()),
        OperationAnswer::Range(RangeResult::Count { count }) => row("range", format!("{count} keys")),
        OperationAnswer::Range(RangeResult::Items { items, more }) => {
            let more = if *more { ", and more" } else { "" };
            row("range", format!("{} keys{more}", items.len()));
            for item in items {
                row("", found(item));
            }
        }
        OperationAnswer::DeleteRange { deleted } => row("delete_range", format!("{deleted} keys deleted")),
        OperationAnswer::Txn { succeeded, results } => {
            let chosen = if *succeeded { "success" } else { "failure" };
            row("txn", format!("{chosen} was done"));
            for result in results {
                describe(result, table);
            }
        }
    }
}

fn found(item: &Item) -> String {
    match &item.value {
        Some(value) => format!("{} = {}", cell(&item.key), cell(value)),
        None => cell(&item.key),
    }
}
