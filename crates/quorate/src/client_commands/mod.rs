//! The commands that talk to a cluster: what they ask for, and how they print the answer.

mod health;
mod history;
mod input;
mod keys;
mod leader;
mod list;
mod members;
mod printing;
mod sessions;
mod status;
mod store;
mod transaction;

use quorate_client::{Client, ClientBuilder, ClientError};

pub use health::health;
pub use history::history;
pub use keys::{delete, get, put};
pub use leader::leader;
pub use list::list;
pub use members::member;
pub use printing::{Table, json, print, print_line};
pub use sessions::session;
pub use status::status;
pub use store::{compact, settings};
pub use transaction::transact;

use crate::client_arguments::ConnectionArguments;
use crate::error::CommandError;

fn client(connection: ConnectionArguments) -> Result<Client, CommandError> {
    // One command asks the nodes that it was told to ask, in their order.
    let builder = ClientBuilder::new(connection.endpoints).follow_members(false);
    match builder.timeout(connection.timeout).build() {
        // The timeout has been looked at with the flags.
        Err(ClientError::Settings(reason)) => Err(CommandError::Endpoints { reason }),
        built => Ok(built?),
    }
}

/// Closes the client's session behind a write, unless the cluster could not be reached just now.
async fn finished<T>(client: Client, written: Result<T, ClientError>) -> Result<T, CommandError> {
    let is_reached = match &written {
        Ok(_) | Err(ClientError::Conflict { .. } | ClientError::Refused { .. }) => true,
        Err(_) => false,
    };
    if is_reached && let Err(error) = client.close().await {
        tracing::debug!(%error, "the session was not closed and will expire");
    }
    Ok(written?)
}
