//! Single requests, and where they go on.

use std::time::{Duration, Instant};

use quorate_client::{Client, ClientBuilder, ClientError, Condition, Consistency, Deleted, ErrorCode};

use crate::nodes::*;

#[tokio::test]
async fn requests_look_as_the_api_wants_them() {
    let node = Node::start([done(), done(), done(), found(), found(), refusal(ErrorCode::KeyNotFound)]).await;
    let client = client_of(&[&node.url]);
    assert_eq!(client.put("a b/c", "value").await, Ok(DONE));
    client.put_if("a", "v", Condition::RevisionIs(17)).await.expect("is done");
    client.delete_if("a", Condition::Exists).await.expect("is done");
    let entry = client.get(b"\xff").await.expect("is answered").expect("is there");
    assert_eq!(
        (&entry.value[..], entry.mod_revision, entry.create_revision, entry.version),
        (&b"value"[..], 5, 3, 2)
    );
    client.read("a", Consistency::Stale).await.expect("is answered");
    assert_eq!(client.get("missing").await, Ok(None));
    let requests = node.requests();
    let lines: Vec<&str> = requests.iter().map(|request| request.lines().next().expect("a line")).collect();
    // The node is asked to answer a little before the client gives up, 5 seconds after it began.
    assert!(lines[0].starts_with("PUT /v1/kv/a%20b/c?timeout=4"), "{}", lines[0]);
    assert!(requests[0].ends_with("\r\n\r\nvalue"));
    assert!(requests[1].contains("\r\nif-match: \"17\"\r\n"));
    assert_eq!(lines[2].split('?').next(), Some("DELETE /v1/kv/a"));
    assert!(requests[2].contains("\r\nif-match: *\r\n"));
    assert_eq!(lines[3].split('?').next(), Some("GET /v1/kv/%FF"));
    assert!(lines[4].starts_with("GET /v1/kv/a?consistency=stale&timeout="));
    assert_eq!(node.connections(), 1, "one connection serves one request after another");
}

#[tokio::test]
async fn a_read_tells_as_of_when() {
    let stale = answer(
        "200",
        &[
            "etag: \"5\"",
            "quorate-revision: 9",
            "quorate-create-revision: 3",
            "quorate-version: 2",
            "quorate-age-ms: 12",
        ],
        "value",
    );
    let node = Node::start([stale, refusal(ErrorCode::KeyNotFound)]).await;
    let client = client_of(&[&node.url]);
    let read = client.read("a", Consistency::Stale).await.expect("is answered");
    assert_eq!((read.revision, read.age), (9, Some(Duration::from_millis(12))));
    let read = client.read("a", Consistency::Stale).await.expect("is answered");
    assert_eq!((read.found, read.revision, read.age), (None, 9, None));
}

#[tokio::test]
async fn a_delete_tells_whether_there_was_a_key() {
    let node =
        Node::start([answer("204", &["quorate-revision: 8"], ""), refusal(ErrorCode::KeyNotFound)]).await;
    let client = client_of(&[&node.url]);
    assert_eq!(client.delete("a").await, Ok(Deleted { existed: true, revision: 8 }));
    assert_eq!(client.delete("a").await, Ok(Deleted { existed: false, revision: 9 }));
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_a_conflict() {
    let body = "{\"code\":\"precondition_failed\",\"message\":\"m\"}";
    let node = Node::start([answer("412", &["etag: \"7\""], body), answer("412", &[], body)]).await;
    let client = client_of(&[&node.url]);
    let error = client.put_if("a", "v", Condition::Absent).await.expect_err("is a conflict");
    assert_eq!(error, ClientError::Conflict { current: Some(7) });
    assert!(error.is_conflict() && !error.is_outcome_unknown());
    let error = client.delete_if("a", Condition::Exists).await.expect_err("is a conflict");
    assert_eq!(error, ClientError::Conflict { current: None });
}

#[tokio::test]
async fn writes_and_reads_go_on_where_nobody_listens() {
    let node = Node::start([done(), found()]).await;
    let client = client_of(&[&nobody().await, &nobody().await, &node.url]);
    assert_eq!(client.put("a", "v").await, Ok(DONE));
    assert!(client.get("a").await.expect("is answered").is_some());
}

#[tokio::test]
async fn a_write_goes_on_if_a_node_says_that_it_did_nothing() {
    for code in ErrorCode::ALL.into_iter().filter(|code| code.is_retryable()) {
        if code == ErrorCode::TooManyOutcomes {
            // No other node would know better: see the tests of sessions.
            continue;
        }
        let first = Node::start([refusal(code)]).await;
        let second = Node::start([done()]).await;
        let client = client_of(&[&first.url, &second.url]);
        assert_eq!(client.put("a", "v").await, Ok(DONE), "{code}");
        // The client stays with the node that answered.
        assert_eq!(client.put("a", "v").await, Ok(DONE));
        assert_eq!((first.requests().len(), second.requests().len()), (1, 2));
    }
}

#[tokio::test]
async fn other_refusals_are_final() {
    for code in ErrorCode::ALL {
        if code.is_retryable()
            || code.outcome_unknown()
            || matches!(code, ErrorCode::KeyNotFound | ErrorCode::PreconditionFailed)
        {
            continue;
        }
        let first = Node::start([refusal(code)]).await;
        let second = Node::start([done()]).await;
        let client = client_of(&[&first.url, &second.url]);
        let error = client.put("a", "v").await.expect_err("is refused");
        assert_eq!((error.code(), error.is_retryable()), (Some(code), false));
        assert!(second.requests().is_empty(), "{code}");
    }
}

#[tokio::test]
async fn without_a_session_a_write_without_an_answer_is_unknown_and_not_repeated() {
    let gateway = answer("502", &[], "<html>");
    for act in [Act::Close, refusal(ErrorCode::OutcomeUnknown), gateway, answer("200", &[], "")] {
        let first = Node::start([act.clone()]).await;
        let second = Node::start([done()]).await;
        let client = plain_client_of(&[&first.url, &second.url]);
        let error = client.put("a", "v").await.expect_err("is unknown");
        assert!(error.is_outcome_unknown() && !error.is_retryable(), "{act:?}: {error}");
        assert!(second.requests().is_empty(), "{act:?}");
    }
}

#[tokio::test]
async fn a_write_that_hangs_is_unknown_in_time() {
    let node = Node::start([Act::Hang]).await;
    let began = Instant::now();
    let error = hasty_client_of(&[&node.url]).put("a", "v").await.expect_err("is unknown");
    assert!(error.is_outcome_unknown(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_read_without_an_answer_goes_on() {
    let broken = Act::AnswerAndClose("HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nshort".to_owned());
    let damaged = refusal(ErrorCode::Damaged);
    for act in [Act::Close, Act::Hang, damaged, refusal(ErrorCode::Unavailable), broken] {
        let first = Node::start([act.clone()]).await;
        let second = Node::start([found()]).await;
        let client = hasty_client_of(&[&first.url, &second.url]);
        let entry = client.get("a").await.unwrap_or_else(|error| panic!("{act:?}: {error}"));
        assert!(entry.is_some(), "{act:?}");
    }
}

#[tokio::test]
async fn when_nobody_answers_the_error_is_definite_and_in_time() {
    let began = Instant::now();
    let client = hasty_client_of(&[&nobody().await, &nobody().await]);
    let error = client.put("a", "v").await.expect_err("nobody is there");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.is_retryable());
    let refusing = Node::start([refusal(ErrorCode::Unavailable)]).await;
    let error = hasty_client_of(&[&refusing.url]).put("a", "v").await.expect_err("is refused");
    assert_eq!((error.code(), error.is_outcome_unknown()), (Some(ErrorCode::Unavailable), false));
    assert!(refusing.requests().len() > 1, "it tries again while there is time");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_node_that_asks_for_patience_is_left_alone_for_that_long() {
    for code in [ErrorCode::Unavailable, ErrorCode::Overloaded] {
        let busy = Node::start([refusal_for(code, 1), done()]).await;
        let began = Instant::now();
        assert_eq!(client_of(&[&busy.url]).put("a", "v").await, Ok(DONE), "{code}");
        assert!(began.elapsed() >= Duration::from_secs(1), "{code}");
        assert_eq!(busy.requests().len(), 2, "{code}");
    }
}

#[tokio::test]
async fn an_overloaded_node_is_left_alone_by_all_requests_of_a_client() {
    let overloaded = Node::start([refusal_for(ErrorCode::Overloaded, 60)]).await;
    let other = Node::start([found(), Act::Close, found()]).await;
    let client = client_of(&[&overloaded.url, &other.url]);
    for _ in 0..2 {
        // The second read is not answered at first, and would go on at the node that is overloaded.
        assert!(client.get("a").await.expect("is answered").is_some());
    }
    assert_eq!((overloaded.requests().len(), other.requests().len()), (1, 3));
}

#[tokio::test]
async fn who_would_have_to_be_patient_for_too_long_is_told_at_once() {
    let busy = Node::start([refusal_for(ErrorCode::Unavailable, 3_600)]).await;
    let began = Instant::now();
    let error = client_of(&[&busy.url]).put("a", "v").await.expect_err("is refused");
    assert_eq!((error.code(), error.is_retryable()), (Some(ErrorCode::Unavailable), true));
    assert!(began.elapsed() < Duration::from_secs(4), "well before its deadline");
    assert_eq!(busy.requests().len(), 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let node = Node::start([done(), Act::Close, done()]).await;
    let client = plain_client_of(&[&node.url]);
    assert_eq!(client.put("a", "v").await, Ok(DONE));
    assert!(client.put("a", "v").await.expect_err("is unknown").is_outcome_unknown());
    assert_eq!(client.put("a", "v").await, Ok(DONE));
    assert_eq!(node.connections(), 2);
}

#[tokio::test]
async fn the_clusters_status_is_read() {
    let body = include_str!("cluster.json");
    let node = Node::start([answer("200", &[], body), answer("200", &[], "{}")]).await;
    let client = client_of(&[&node.url]);
    let status = client.cluster().await.expect("is answered");
    assert_eq!((status.node.member, status.revision, status.members.len()), (1, 9, 3));
    assert!(node.requests()[0].starts_with("GET /v1/cluster HTTP/1.1\r\n"));
    assert!(matches!(client.cluster().await, Err(ClientError::BadAnswer { .. })));
}

#[tokio::test]
async fn a_nodes_metrics_are_read() {
    let node = Node::start([answer("200", &[], "quorate_ready 1\n")]).await;
    let client = client_of(&[&node.url]);
    assert_eq!(client.metrics().await, Ok("quorate_ready 1\n".to_owned()));
    assert!(node.requests()[0].starts_with("GET /metrics HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_node_that_is_not_ready_yet_is_waited_for() {
    let starting =
        || answer("503", &["retry-after: 0"], "{\"code\":\"unavailable\",\"message\":\"because\"}");
    let node =
        Node::start([starting(), starting(), answer("200", &[], "ready\n"), answer("200", &[], "ok\n")])
            .await;
    let client = client_of(&[&node.url]);
    assert_eq!(client.await_ready().await, Ok(()));
    assert_eq!(client.await_alive().await, Ok(()));
    let paths: Vec<_> = node.requests().iter().map(|request| request[..12].to_owned()).collect();
    assert_eq!(paths, ["GET /readyz ", "GET /readyz ", "GET /readyz ", "GET /healthz"]);
}

#[test]
fn wrong_settings_are_refused() {
    assert!(matches!(Client::new(Vec::<String>::new()), Err(ClientError::Settings(_))));
    assert!(matches!(Client::new(["https://a:1"]), Err(ClientError::Settings(_))));
    for timeout in [Duration::ZERO, Duration::from_secs(61)] {
        assert!(ClientBuilder::new(["a:1"]).timeout(timeout).build().is_err());
    }
}
