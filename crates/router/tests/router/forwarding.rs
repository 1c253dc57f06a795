//! Where requests go to, and what is repeated.

use std::time::Duration;

use quorate_api::ErrorCode;

use crate::harness::{Router, lines, node};
use crate::nodes::*;

/// A write that the store knows again.
const NUMBERED: &str = "PUT /v1/kv/a\nidempotency-key: 7:1\n\nv";

#[tokio::test]
async fn writes_and_linearizable_reads_go_to_the_leader() {
    let (leader, follower) = (node(found()).await, node(found()).await);
    let router = Router::in_front_of(&[&leader, &follower]).await;
    for request in
        ["PUT /v1/kv/a\n\nv", "GET /v1/kv/a", "DELETE /v1/kv/a", "POST /v1/txn\n\n{}", "GET /v1/kv?prefix=a"]
    {
        assert_eq!(router.ask(request).await.status, 200, "{request}");
    }
    let expected = ["PUT /v1/kv/a", "GET /v1/kv/a", "DELETE /v1/kv/a", "POST /v1/txn", "GET /v1/kv"];
    assert_eq!((lines(&leader), lines(&follower)), (expected.map(str::to_owned).to_vec(), vec![]));
}

#[tokio::test]
async fn the_leader_is_followed() {
    let (first, second) = (node(found()).await, node(found()).await);
    let router = Router::in_front_of(&[&first, &second]).await;
    second.follows(2, &second.url);
    router.await_metric(&format!("quorate_router_node_leads{{node=\"{}\"}} 1", second.url)).await;
    assert_eq!(router.ask("PUT /v1/kv/a\n\nv").await.status, 200);
    assert_eq!((first.requests().len(), second.requests().len()), (0, 1));
}

#[tokio::test]
async fn stale_reads_go_to_the_node_that_answers_fastest() {
    let (leader, near, far) = (node(found()).await, node(found()).await, node(found()).await);
    leader.is_far(Duration::from_millis(150));
    far.is_far(Duration::from_millis(300));
    let router = Router::in_front_of(&[&leader, &near, &far]).await;
    for _ in 0..3 {
        assert_eq!(router.ask("GET /v1/kv/a?consistency=stale").await.status, 200);
    }
    assert_eq!((leader.requests().len(), near.requests().len(), far.requests().len()), (0, 3, 0));
}

#[tokio::test]
async fn what_is_safe_is_repeated_where_no_answer_comes() {
    for request in ["GET /v1/kv/a", "GET /v1/kv/a?consistency=stale", NUMBERED] {
        let (leader, follower) = (node(Act::Close).await, node(done()).await);
        // The follower is far, so that stale reads begin at the leader, too.
        follower.is_far(Duration::from_millis(300));
        let router = Router::in_front_of(&[&leader, &follower]).await;
        assert_eq!(router.ask(request).await.status, 200, "{request}");
        assert_eq!((leader.requests().len(), follower.requests().len()), (1, 1), "{request}");
    }
}

#[tokio::test]
async fn a_read_goes_on_where_a_node_hangs() {
    let (leader, follower) = (node(Act::Hang).await, node(found()).await);
    let router = Router::in_front_of(&[&leader, &follower]).await;
    assert_eq!(router.ask("GET /v1/kv/a?timeout=4s").await.status, 200);
}

#[tokio::test]
async fn a_plain_write_that_was_sent_is_not_repeated() {
    for act in [Act::Close, refusal(ErrorCode::OutcomeUnknown)] {
        let (leader, follower) = (node(act.clone()).await, node(done()).await);
        let router = Router::in_front_of(&[&leader, &follower]).await;
        let answer = router.ask("PUT /v1/kv/a\n\nv").await;
        assert_eq!((answer.status, answer.code().as_str()), (504, "outcome_unknown"), "{act:?}");
        assert!(follower.requests().is_empty(), "{act:?}");
    }
}

#[tokio::test]
async fn a_plain_write_goes_on_where_certainly_nothing_was_done() {
    for code in [ErrorCode::Unavailable, ErrorCode::ShuttingDown, ErrorCode::TooManyHops] {
        let (leader, follower) = (node(refusal(code)).await, node(done()).await);
        let router = Router::in_front_of(&[&leader, &follower]).await;
        assert_eq!(router.ask("PUT /v1/kv/a\n\nv").await.status, 200, "{code}");
        assert_eq!((leader.requests().len(), follower.requests().len()), (1, 1), "{code}");
    }
    let follower = node(done()).await;
    let gone = nobody().await;
    follower.knows("x", 1, &[&gone, &follower.url]);
    follower.follows(1, &gone);
    let router = Router::start(&[&gone, &follower.url]).await;
    assert_eq!(router.ask("PUT /v1/kv/a\n\nv").await.status, 200);
}

#[tokio::test]
async fn other_refusals_are_passed_as_they_are() {
    for code in ErrorCode::ALL {
        let is_tried_again =
            matches!(code, ErrorCode::Unavailable | ErrorCode::ShuttingDown | ErrorCode::TooManyHops);
        if is_tried_again || code.outcome_unknown() {
            continue;
        }
        let (leader, follower) = (node(refusal_for(code, 3)).await, node(done()).await);
        let router = Router::in_front_of(&[&leader, &follower]).await;
        let answer = router.ask(NUMBERED).await;
        assert_eq!((answer.status, answer.code()), (code.status(), code.name().to_owned()));
        assert_eq!(answer.header("retry-after"), Some("3"), "{code}");
        assert!(follower.requests().is_empty(), "{code}");
    }
}

#[tokio::test]
async fn after_a_doubt_only_the_outcome_of_the_number_is_passed() {
    for (code, status) in [(ErrorCode::SessionExpired, 504), (ErrorCode::PreconditionFailed, 412)] {
        let (leader, follower) = (node(Act::Close).await, node(refusal(code)).await);
        let router = Router::in_front_of(&[&leader, &follower]).await;
        assert_eq!(router.ask(NUMBERED).await.status, status, "{code}");
    }
    // Nobody says anything more before the time is up.
    let (leader, follower) = (node(Act::Close).await, node(refusal(ErrorCode::Unavailable)).await);
    let router = Router::in_front_of(&[&leader, &follower]).await;
    let answer = router.ask("PUT /v1/kv/a?timeout=1s\nidempotency-key: 7:1\n\nv").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "outcome_unknown"));
}

#[tokio::test]
async fn when_nobody_can_do_it_the_refusal_is_definite_and_in_time() {
    let began = std::time::Instant::now();
    let router = Router::start(&[&nobody().await]).await;
    for request in ["GET /v1/kv/a?timeout=1s", "PUT /v1/kv/a?timeout=1s\n\nv"] {
        let answer = router.ask(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"), "{request}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{request}");
    }
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_stale_read_goes_on_where_a_node_is_overloaded_until_all_are() {
    let (near, far) = (node(refusal(ErrorCode::Overloaded)).await, node(found()).await);
    far.is_far(Duration::from_millis(300));
    let router = Router::in_front_of(&[&near, &far]).await;
    assert_eq!(router.ask("GET /v1/kv/a?consistency=stale").await.status, 200);
    far.acts([refusal(ErrorCode::Overloaded)]);
    let answer = router.ask("GET /v1/kv/a?consistency=stale").await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "overloaded"));
}

#[tokio::test]
async fn members_are_followed_and_other_clusters_are_not() {
    let (old, new, foreign) = (node(found()).await, node(found()).await, node(found()).await);
    let router = Router::in_front_of(&[&old]).await;
    foreign.knows("y", 9, &[&foreign.url]);
    for member in [&old, &new] {
        member.knows("x", 2, &[&new.url, &foreign.url]);
        member.follows(2, &new.url);
    }
    router.await_metric(&format!("quorate_router_node_leads{{node=\"{}\"}} 1", new.url)).await;
    router.await_metric(&format!("quorate_router_node_up{{node=\"{}\"}} 1", new.url)).await;
    assert_eq!(router.ask("GET /v1/kv/a").await.status, 200);
    eventually("the other cluster's node to be asked", || foreign.times_asked() > 0).await;
    new.acts([Act::Close]);
    old.acts([Act::Close]);
    assert_eq!(router.ask("GET /v1/kv/a?timeout=1s").await.status, 503);
    assert!(foreign.requests().is_empty());
}
