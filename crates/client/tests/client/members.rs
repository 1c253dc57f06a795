//! Members that come and go, and clients that follow them.

use std::time::Duration;

use quorate_client::{Client, ClientBuilder, ClientError};
use quorate_environment::{Environment, TokioEnvironment};

use crate::nodes::*;
use crate::shifted_environment::ShiftedEnvironment;

/// Longer than a list of members is good for.
const LONG: Duration = Duration::from_secs(11);

/// A client in a world in which time can be made to pass.
fn following_client_of(urls: &[&str]) -> (Client<ShiftedEnvironment>, ShiftedEnvironment) {
    let environment = ShiftedEnvironment::default();
    let builder = ClientBuilder::new(urls.iter().copied()).environment(environment.clone());
    (builder.build().expect("well formed"), environment)
}

async fn read(client: &Client<ShiftedEnvironment>) {
    assert!(client.get("a").await.expect("is answered").is_some());
}

/// Reads until the nodes are as they should be.
async fn read_until(client: &Client<ShiftedEnvironment>, what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if is_so() {
            return;
        }
        read(client).await;
        TokioEnvironment::new().sleep(Duration::from_millis(2)).await;
    }
    panic!("read too often until: {what}");
}

#[tokio::test]
async fn a_client_of_one_node_outlives_it() {
    // Answers the first read and none behind it.
    let first = Node::start([found(), Act::Close]).await;
    let second = Node::start([found()]).await;
    for node in [&first, &second] {
        node.knows("x", 1, &[&first.url, &second.url]);
    }
    let (client, _) = following_client_of(&[&first.url]);
    read(&client).await;
    eventually("the client to look at the other member", || second.times_asked() > 0).await;
    read(&client).await;
    assert_eq!(second.requests().len(), 1);
}

#[tokio::test]
async fn members_that_are_added_and_removed_are_followed() {
    let old = Node::start([found()]).await;
    let new = Node::start([found()]).await;
    for node in [&old, &new] {
        node.knows("x", 1, &[&old.url]);
    }
    let (client, environment) = following_client_of(&[&nobody().await, &old.url]);
    read(&client).await;
    eventually("the members to be asked for", || old.times_asked() > 0).await;
    for node in [&old, &new] {
        node.knows("x", 2, &[&new.url]);
    }
    // The one that answered last is asked first, until it does not answer.
    environment.pass(LONG);
    read_until(&client, "the new member is known", || new.times_asked() > 0).await;
    old.acts([Act::Close]);
    read_until(&client, "the new member is used", || !new.requests().is_empty()).await;
    let requests_of_old = old.requests().len();
    for _ in 0..10 {
        read(&client).await;
    }
    assert_eq!(old.requests().len(), requests_of_old);
}

#[tokio::test]
async fn what_a_node_knows_from_before_is_not_believed() {
    let present = Node::start([found()]).await;
    let past = Node::start([found()]).await;
    let ghost = Node::start([found()]).await;
    present.knows("x", 9, &[&present.url, &past.url]);
    past.knows("x", 8, &[&past.url, &ghost.url]);
    ghost.knows("x", 8, &[&past.url, &ghost.url]);
    let (client, environment) = following_client_of(&[&present.url]);
    read(&client).await;
    eventually("the members to be asked for", || past.times_asked() > 0).await;
    present.acts([Act::Close]);
    read_until(&client, "the node of the past answers", || !past.requests().is_empty()).await;
    for times in 2..5 {
        environment.pass(LONG);
        read_until(&client, "the members are asked for again", || past.times_asked() >= times).await;
    }
    assert_eq!((ghost.times_asked(), ghost.requests().len()), (0, 0));
}

#[tokio::test]
async fn a_client_does_not_go_over_to_another_cluster() {
    let ours = Node::start([found()]).await;
    let theirs = Node::start([found()]).await;
    let (client, _) = following_client_of(&[&ours.url, &theirs.url]);
    ours.knows("x", 1, &[&ours.url]);
    theirs.knows("y", 9, &[&theirs.url]);
    read(&client).await;
    eventually("both to be asked", || ours.times_asked() > 0 && theirs.times_asked() > 0).await;
    // Once the answer has been understood, the other node gets nothing, even where ours gives no answer.
    ours.acts([Act::Close, found()]);
    read(&client).await;
    ours.acts([Act::Close]);
    let error = client.get("a").await.expect_err("nobody answers");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(theirs.requests().is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_follow_stays_with_its_endpoints() {
    let balancer = Node::start([found()]).await;
    let member = Node::start([found()]).await;
    balancer.knows("x", 1, &[&member.url]);
    let environment = ShiftedEnvironment::default();
    let builder = ClientBuilder::new([&balancer.url]).follow_members(false);
    let client = builder.environment(environment.clone()).build().expect("well formed");
    for _ in 0..3 {
        read(&client).await;
        environment.pass(LONG);
    }
    assert_eq!((balancer.times_asked(), member.times_asked()), (0, 0));
}
