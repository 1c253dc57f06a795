//! `quorate session`.

use quorate_client::SessionAnswer;

use super::client;
use super::printing::{Table, json, print, print_line};
use crate::client_arguments::{Output, SessionArguments, SessionCommand};
use crate::error::CommandError;

/// Opens a session, keeps it alive or closes it. The first two print its number.
pub async fn session(arguments: SessionArguments) -> Result<(), CommandError> {
    match arguments.command {
        SessionCommand::Open { ttl, connection } => {
            let output = connection.output;
            print_session(client(connection)?.open_session(ttl).await?, output).await
        }
        SessionCommand::KeepAlive { session, connection } => {
            let output = connection.output;
            print_session(client(connection)?.keep_session(session).await?, output).await
        }
        SessionCommand::Close { session, connection } => {
            let output = connection.output.unwrap_or(Output::Raw);
            client(connection)?.close_session(session).await?;
            match output {
                Output::Json => print_line("{}").await,
                Output::Table => print_line(format_args!("session {session} is closed")).await,
                Output::Raw => Ok(()),
            }
        }
    }
}

async fn print_session(answer: SessionAnswer, output: Option<Output>) -> Result<(), CommandError> {
    match output.unwrap_or(Output::Raw) {
        Output::Json => print_line(json(&answer)).await,
        Output::Raw => print_line(answer.session).await,
        Output::Table => {
            let mut table = Table::new(["SESSION", "EXPIRES AFTER"]);
            table.row([answer.session.to_string(), format!("{} ms of silence", answer.ttl_ms)]);
            print(table.with_titles()).await
        }
    }
}
