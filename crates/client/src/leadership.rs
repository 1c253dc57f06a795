//! Handing leadership over.

use bytes::Bytes;
use http::Method;
use quorate_api::{LEADER_PATH, TransferAnswer, TransferBody};
use quorate_environment::Environment;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

impl<E: Environment> Client<E> {
    /// Hands leadership to the member `to`, or to the one that is best suited, and gives the member that leads
    /// then. Nobody's requests fail because of it.
    ///
    /// That a certain member should lead can be asked again and again. If no member is named and the answer is
    /// lost, the outcome is unknown: leadership would go on to yet another member.
    pub async fn transfer_leadership(&self, to: Option<u64>) -> Result<u64, ClientError> {
        let body = serde_json::to_vec(&TransferBody { to }).expect("wire types can be written as JSON");
        let call = Call::new(Method::POST, LEADER_PATH, String::new(), Bytes::from(body));
        let answer: TransferAnswer = match to {
            Some(_) => self.ask(&call.repeatable()).await?.json()?,
            None => self.ask(&call).await?.json_of_write()?,
        };
        Ok(answer.leader)
    }
}
