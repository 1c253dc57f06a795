//! `quorate leader`.

use quorate_api::TransferAnswer;

use super::client;
use super::printing::{json, print_line};
use crate::client_arguments::{LeaderArguments, LeaderCommand, Output};
use crate::error::CommandError;

/// Does what is to be done about the leader.
pub async fn leader(arguments: LeaderArguments) -> Result<(), CommandError> {
    let LeaderCommand::Transfer { to, connection } = arguments.command;
    let output = connection.output.unwrap_or(Output::Raw);
    let leader = client(connection)?.transfer_leadership(to).await?;
    match output {
        Output::Json => print_line(json(&TransferAnswer { leader })).await,
        Output::Raw => print_line(leader).await,
        Output::Table => print_line(format_args!("member {leader} leads now")).await,
    }
}
