//! Transactions: compare, and then do one of two lists of operations, all of it at one moment.

use bytes::Bytes;
use http::Method;
use quorate_api::transaction::{Comparison, Operation, Transaction};
use quorate_api::{TRANSACTION_PATH, TransactionAnswer, TransactionBody};
use quorate_environment::Environment;

use crate::answers::TransactionDone;
use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// Puts a [`Transaction`] together.
///
/// ```
/// use quorate_client::{TransactionBuilder, compare, operation};
///
/// // Take one from the stock, if nobody else has meanwhile.
/// let transaction = TransactionBuilder::new()
///     .when(compare::key("stock").value_is("3"))
///     .then(operation::put("stock", "2"))
///     .then(operation::put("orders/17", "1"))
///     .otherwise(operation::get("stock"))
///     .build();
/// assert_eq!((transaction.success.len(), transaction.failure.len()), (2, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionBuilder {
    comparisons: Vec<Comparison>,
    success: Vec<Operation>,
    failure: Vec<Operation>,
}

impl TransactionBuilder {
    /// A transaction without comparisons and operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a comparison: see [`crate::compare`]. All of them have to hold.
    pub fn when(mut self, comparison: Comparison) -> Self {
        self.comparisons.push(comparison);
        self
    }

    /// Adds an operation to be done if all comparisons hold: see [`crate::operation`]. Operations are done in
    /// order, and see what the earlier ones did.
    pub fn then(mut self, operation: Operation) -> Self {
        self.success.push(operation);
        self
    }

    /// Adds an operation to be done if one of the comparisons does not hold.
    pub fn otherwise(mut self, operation: Operation) -> Self {
        self.failure.push(operation);
        self
    }

    /// The transaction.
    pub fn build(self) -> Transaction {
        let Self { comparisons, success, failure } = self;
        Transaction { comparisons, success, failure }
    }
}

impl From<TransactionBuilder> for Transaction {
    fn from(builder: TransactionBuilder) -> Self {
        builder.build()
    }
}

impl<E: Environment> Client<E> {
    /// Does a transaction. That a comparison does not hold is no error:
    /// [`succeeded`](TransactionDone::succeeded) says so.
    pub async fn transact(
        &self,
        transaction: impl Into<Transaction>,
    ) -> Result<TransactionDone, ClientError> {
        let body = serde_json::to_vec(&TransactionBody(transaction.into()));
        let body: Bytes = body.expect("wire types can be written as JSON").into();
        let answer = self.write(&Call::new(Method::POST, TRANSACTION_PATH, String::new(), body)).await?;
        let TransactionAnswer { revision, succeeded, results, replayed: _ } = answer.json_of_write()?;
        Ok(TransactionDone { revision, succeeded, results })
    }
}
