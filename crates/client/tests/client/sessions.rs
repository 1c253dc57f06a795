//! Writes that are repeated, and what becomes of them.

use std::time::Duration;

use quorate_client::{
    ClientBuilder, ClientError, Condition, Deleted, ErrorCode, TransactionBuilder, operation,
};

use crate::nodes::*;
use crate::shifted_environment::ShiftedEnvironment;

fn numbers(node: &Node) -> Vec<String> {
    let number = |request: &String| header(request, "idempotency-key").expect("has a number").to_owned();
    node.requests().iter().map(number).collect()
}

#[tokio::test]
async fn the_first_write_opens_a_session_and_each_has_a_number() {
    let node = Node::start([found(), done()]).await;
    let client = client_of(&[&node.url]);
    client.get("a").await.expect("is answered");
    assert!(node.session_requests().is_empty(), "reads need none");
    assert_eq!(header(&node.requests()[0], "idempotency-key"), None);
    for _ in 0..3 {
        assert_eq!(client.put("a", "v").await, Ok(DONE));
    }
    assert_eq!(node.session_requests(), ["POST /v1/sessions"]);
    let writes = &node.requests()[1..];
    let headers: Vec<_> = writes
        .iter()
        .map(|request| (header(request, "idempotency-key"), header(request, "quorate-acknowledged-below")))
        .collect();
    let expected = [("7:1", "1"), ("7:2", "2"), ("7:3", "3")];
    assert_eq!(headers, expected.map(|(key, below)| (Some(key), Some(below))));
}

#[tokio::test]
async fn a_write_without_an_answer_is_repeated_under_its_number() {
    let gateway = answer("502", &[], "<html>");
    for act in [Act::Close, Act::Hang, refusal(ErrorCode::OutcomeUnknown), gateway] {
        let first = Node::start([act.clone()]).await;
        let second = Node::start([done()]).await;
        let client = hasty_client_of(&[&first.url, &second.url]);
        assert_eq!(client.put("a", "v").await, Ok(DONE), "{act:?}");
        assert_eq!((numbers(&first), numbers(&second)), (vec!["7:1".to_owned()], vec!["7:1".to_owned()]));
        assert_eq!(client.put("a", "v").await, Ok(DONE));
        assert_eq!(numbers(&second)[1], "7:2");
    }
}

#[tokio::test]
async fn a_session_that_has_expired_is_replaced_if_nothing_is_in_doubt() {
    let node = Node::start([done(), refusal(ErrorCode::SessionExpired), done()]).await;
    let client = client_of(&[&node.url]);
    for _ in 0..2 {
        assert_eq!(client.put("a", "v").await, Ok(DONE));
    }
    assert_eq!(numbers(&node), ["7:1", "7:2", "8:1"]);
}

#[tokio::test]
async fn when_every_session_expires_at_once_the_failure_is_definite() {
    let node = Node::start([refusal(ErrorCode::SessionExpired)]).await;
    let error = client_of(&[&node.url]).put("a", "v").await.expect_err("cannot be done");
    assert_eq!((error.code(), error.is_outcome_unknown()), (Some(ErrorCode::SessionExpired), false));
    assert_eq!(numbers(&node), ["7:1", "8:1", "9:1"]);
}

#[tokio::test]
async fn a_session_that_holds_too_much_is_asked_again_under_another_number_unless_in_doubt() {
    let node = Node::start([refusal(ErrorCode::TooManyOutcomes), done()]).await;
    assert_eq!(client_of(&[&node.url]).put("a", "v").await, Ok(DONE));
    assert_eq!(numbers(&node), ["7:1", "7:2"]);
    assert_eq!(header(&node.requests()[1], "quorate-acknowledged-below"), Some("2"));

    let node = Node::start([Act::Close, refusal(ErrorCode::TooManyOutcomes), done()]).await;
    assert_eq!(client_of(&[&node.url]).put("a", "v").await, Ok(DONE));
    assert_eq!(numbers(&node), ["7:1", "7:1", "7:1"]);

    let node = Node::start([refusal(ErrorCode::TooManyOutcomes)]).await;
    let error = hasty_client_of(&[&node.url]).put("a", "v").await.expect_err("is refused");
    assert_eq!((error.code(), error.is_outcome_unknown()), (Some(ErrorCode::TooManyOutcomes), false));
}

#[tokio::test]
async fn a_write_in_doubt_whose_session_has_expired_is_unknown_and_not_repeated() {
    let node = Node::start([Act::Close, refusal(ErrorCode::SessionExpired), done()]).await;
    let client = client_of(&[&node.url]);
    let error = client.put("a", "v").await.expect_err("is unknown");
    assert!(error.is_outcome_unknown(), "{error}");
    assert!(error.to_string().contains("expired"), "{error}");
    assert_eq!(numbers(&node), ["7:1", "7:1"]);
}

#[tokio::test]
async fn after_a_doubt_only_the_outcome_of_the_number_is_definite() {
    let replayed = |code: ErrorCode| {
        let body = format!("{{\"code\":\"{code}\",\"message\":\"because\"}}");
        answer(&code.status().to_string(), &["quorate-replayed: true"], &body)
    };
    for code in [ErrorCode::ValueTooLarge, ErrorCode::QuotaExceeded, ErrorCode::DiskFull] {
        let node = Node::start([Act::Close, refusal(code)]).await;
        let error = client_of(&[&node.url]).put("a", "v").await.expect_err("is unknown");
        assert!(error.is_outcome_unknown(), "{code}: {error}");
        let node = Node::start([Act::Close, replayed(code)]).await;
        let error = client_of(&[&node.url]).put("a", "v").await.expect_err("is refused");
        assert_eq!((error.code(), error.is_outcome_unknown()), (Some(code), false));
    }
    let node = Node::start([Act::Close, refusal(ErrorCode::PreconditionFailed)]).await;
    let error = client_of(&[&node.url]).put_if("a", "v", Condition::Exists).await.expect_err("is a conflict");
    assert_eq!(error, ClientError::Conflict { current: None });
    let node = Node::start([Act::Close, refusal(ErrorCode::KeyNotFound)]).await;
    let deleted = client_of(&[&node.url]).delete("a").await;
    assert_eq!(deleted, Ok(Deleted { existed: false, revision: 9 }));
}

#[tokio::test]
async fn a_write_in_doubt_until_the_time_is_up_is_unknown() {
    let node = Node::start([Act::Close, refusal(ErrorCode::Unavailable)]).await;
    let error = hasty_client_of(&[&node.url]).put("a", "v").await.expect_err("is unknown");
    assert!(error.is_outcome_unknown(), "{error}");
    assert!(numbers(&node).len() > 2, "it is tried while there is time");
    assert!(numbers(&node).iter().all(|number| number == "7:1"));
}

#[tokio::test]
async fn what_a_transaction_read_may_be_lost_but_not_what_it_did() {
    let whole = answer("200", &[], r#"{"revision":"5","succeeded":true,"results":[{"get":{"item":null}}]}"#);
    let replayed = answer("200", &[], r#"{"revision":"5","succeeded":true,"replayed":true}"#);
    let broken = Act::AnswerAndClose("HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{".to_owned());
    let node = Node::start([whole, broken, replayed]).await;
    let client = client_of(&[&node.url]);
    let transaction = TransactionBuilder::new().then(operation::get("a"));
    let done = client.transact(transaction.clone()).await.expect("is done");
    assert_eq!(
        (done.revision, done.succeeded, done.results.map(|results| results.len())),
        (5, true, Some(1))
    );
    let done = client.transact(transaction).await.expect("is done");
    assert_eq!((done.revision, done.succeeded, done.results), (5, true, None));
    assert_eq!(numbers(&node), ["7:1", "7:2", "7:2"]);
}

#[tokio::test]
async fn writes_that_begin_together_open_one_session() {
    let node = Node::start([done()]).await;
    let client = client_of(&[&node.url]);
    let writes = (0..30).map(|_| client.put("a", "v"));
    for written in futures::future::join_all(writes).await {
        assert_eq!(written, Ok(DONE));
    }
    assert_eq!(node.session_requests(), ["POST /v1/sessions"]);
    let mut numbers = numbers(&node);
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 30);
}

#[tokio::test]
async fn a_session_that_was_silent_gives_a_sign_of_life_before_it_is_used() {
    let node = Node::start([done()]).await;
    let environment = ShiftedEnvironment::default();
    let builder = ClientBuilder::new([&node.url]).follow_members(false).environment(environment.clone());
    let client = builder.build().expect("well formed");
    // The node's sessions live for a minute. A write within a third of that is a sign of life.
    for passed_s in [0, 15, 15, 25, 70] {
        environment.pass(Duration::from_secs(passed_s));
        client.put("a", "v").await.expect("is done");
    }
    let opened = "POST /v1/sessions";
    assert_eq!(node.session_requests(), [opened, "POST /v1/sessions/7", opened]);
    assert_eq!(numbers(&node), ["7:1", "7:2", "7:3", "7:4", "8:1"]);
}

#[tokio::test]
async fn a_client_that_is_closed_closes_its_session() {
    let node = Node::start([done()]).await;
    let client = client_of(&[&node.url]);
    assert_eq!(client.close().await, Ok(()));
    assert!(node.session_requests().is_empty());
    client.put("a", "v").await.expect("is done");
    assert_eq!(client.close().await, Ok(()));
    assert_eq!(client.close().await, Ok(()));
    assert_eq!(node.session_requests(), ["POST /v1/sessions", "DELETE /v1/sessions/7"]);
    client.put("a", "v").await.expect("is done");
    assert_eq!(numbers(&node), ["7:1", "8:1"]);
}
