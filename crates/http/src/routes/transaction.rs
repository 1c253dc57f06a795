//! `/v1/txn`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use quorate_api::{ErrorCode, TransactionAnswer, TransactionBody};
use quorate_environment::Environment;
use quorate_kv::{Command, Outcome, Setting, Transaction};

use super::Answer;
use super::request::{JsonBody, JsonRequest, SessionHeaders, Times, json_request};
use super::writing::{self, Written, json, write};
use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

/// The longest body: a command of the greatest size in base64.
pub(crate) const BODY_BYTES_MAX: u64 = Command::ENCODED_BYTES_MAX as u64 / 3 * 4;

/// Answers a transaction.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_post(&request) {
        return response;
    }
    post(&application, request).await.unwrap_or_else(Failure::into_response)
}

async fn post<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let JsonRequest { times, session, body } =
        json_request(application, request, BODY_BYTES_MAX, None).await?;
    let JsonBody { content: TransactionBody(transaction), held } = body;
    let written = run(application, &times, transaction.clone(), session).await;
    drop(held);
    let answer = answer_to(&transaction, written?)?;
    let mut response = json(&answer);
    Written::mark(answer.replayed, &mut response);
    Ok(Answer::default().of(answer.revision, response))
}

/// Runs a transaction to its outcome, as a part of a session if it is one.
pub(crate) async fn run<E: Environment, S: Store>(
    application: &Application<E, S>,
    times: &Times,
    transaction: Transaction,
    session: Option<SessionHeaders>,
) -> Result<Written, Failure> {
    check(application, &transaction)?;
    let command = Command::Transaction(transaction);
    if command.encoded_bytes() > Command::ENCODED_BYTES_MAX {
        let message =
            format!("the transaction has more than the limit of {} bytes", Command::ENCODED_BYTES_MAX);
        return Err(Failure::new(ErrorCode::TransactionTooLarge, message));
    }
    write(application, times, command, session).await
}

/// Refuses what the log would refuse anyway, before it gets there. The log has the last word.
fn check<E: Environment, S: Store>(
    application: &Application<E, S>,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let maximum = application.store.settings()?.get(Setting::TransactionOperationsMax);
    if transaction.comparison_count() > maximum {
        return Err(writing::limit_exceeded(quorate_kv::Limit::TransactionComparisons, maximum));
    }
    if transaction.operation_count() > maximum {
        return Err(writing::limit_exceeded(quorate_kv::Limit::TransactionOperations, maximum));
    }
    transaction.check().map_err(|invalid| writing::invalid_transaction(&invalid))
}

fn answer_to(transaction: &Transaction, written: Written) -> Result<TransactionAnswer, Failure> {
    match written.outcome {
        Outcome::Transaction { revision, succeeded, .. } if written.replayed => {
            Ok(TransactionAnswer::replayed(revision, succeeded))
        }
        Outcome::Transaction { revision, succeeded, results } => {
            Ok(TransactionAnswer::new(transaction, revision, succeeded, results))
        }
        _ => Err(written.into_failure()),
    }
}
