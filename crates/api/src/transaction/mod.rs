//! The body of `POST /v1/txn`, and its answer.
//!
//! What a transaction is, the state machine says: [`quorate_kv::Transaction`]. Here is how it looks in JSON:
//!
//! ```json
//! {
//!   "compare": [{"key": "stock", "value": {"equal": "3"}}],
//!   "success": [{"put": {"key": "stock", "value": "2"}}, {"get": {"key": "owner"}}],
//!   "failure": [{"range": {"prefix": "st", "limit": 10}}]
//! }
//! ```

mod answer;
mod comparison;
mod operation;

pub use answer::{OperationAnswer, RangeResult, TransactionAnswer};
pub use quorate_kv::{Comparison, Operation, Predicate, Relation, Target, Transaction};
use serde::{Deserialize, Serialize};

use comparison::ComparisonBody;
use operation::OperationBody;

/// A transaction as a request carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TransactionForm", into = "TransactionForm")]
pub struct TransactionBody(pub Transaction);

/// A transaction as it stands in JSON. What is left out is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Transaction))]
struct TransactionForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<comparison::ComparisonForm>))]
    compare: Vec<ComparisonBody>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<operation::OperationForm>))]
    success: Vec<OperationBody>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<operation::OperationForm>))]
    failure: Vec<OperationBody>,
}

#[cfg(feature = "openapi")]
crate::schema_of::schema_of!(TransactionBody, TransactionForm);

impl From<TransactionForm> for TransactionBody {
    fn from(form: TransactionForm) -> Self {
        let operations = |list: Vec<OperationBody>| list.into_iter().map(|body| body.0).collect();
        Self(Transaction {
            comparisons: form.compare.into_iter().map(|body| body.0).collect(),
            success: operations(form.success),
            failure: operations(form.failure),
        })
    }
}

impl From<TransactionBody> for TransactionForm {
    fn from(TransactionBody(transaction): TransactionBody) -> Self {
        let operations = |list: Vec<Operation>| list.into_iter().map(OperationBody).collect();
        Self {
            compare: transaction.comparisons.into_iter().map(ComparisonBody).collect(),
            success: operations(transaction.success),
            failure: operations(transaction.failure),
        }
    }
}

#[cfg(test)]
mod tests;
