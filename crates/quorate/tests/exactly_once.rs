//! A write through the client is done once, however often it had to be sent.

mod processes;

use processes::proxy::Proxy;
use processes::{Cluster, eventually};
use quorate_client::{
    Client, ClientBuilder, ClientError, Condition, Keys, TransactionBuilder, compare, operation,
};

fn client(urls: impl IntoIterator<Item = String>) -> Client {
    // Followed members would be reached without the proxies between.
    let builder = ClientBuilder::new(urls).timeout(processes::PATIENCE).follow_members(false);
    builder.build().expect("the endpoints are well formed")
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_done_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let proxy = Proxy::start(&cluster.url(0), 1_000);
    let client = client([proxy.url.clone()]);
    let first = client.put("k", "v").await.expect("is done");
    assert_eq!((proxy.lost(), first.version), (1, 1));
    let second = client.put("k", "v").await.expect("is done");
    assert_eq!((second.version, second.revision), (2, first.revision + 1));
    client.close().await.expect("the session is closed");

    // The same without a session is not known, and not repeated.
    let proxy = Proxy::start(&cluster.url(0), 1);
    let plain = ClientBuilder::new([&proxy.url])
        .follow_members(false)
        .without_sessions()
        .build()
        .expect("well formed");
    let written = plain.put("k", "v").await.expect("nothing is lost of a write without a number");
    assert_eq!((proxy.lost(), written.version), (0, 3));
}

#[tokio::test]
async fn conditions_deletes_ranges_and_transactions_are_done_once_too() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    // Every answer to a write is lost at one node, and every second one at the other.
    let proxies = [Proxy::start(&cluster.url(0), 1), Proxy::start(&cluster.url(1), 2)];
    let client = client(proxies.iter().map(|proxy| proxy.url.clone()));
    let absent = Condition::Absent;
    let created = client.put_if("k", "v", absent).await.expect("its repetition is no conflict with itself");
    assert!(created.created());
    let error = client.put_if("k", "w", absent).await.expect_err("exists");
    assert_eq!(error, ClientError::Conflict { current: Some(created.revision) });
    let count = TransactionBuilder::new()
        .when(compare::key("count").is_absent())
        .then(operation::put("count", "1"))
        .otherwise(operation::put("count", "many"));
    assert!(client.transact(count).await.expect("is done").succeeded);
    assert!(client.delete("k").await.expect("is done").existed, "its repetition finds that it was there");
    let done = client.delete_range(Keys::all()).await.expect("is done");
    assert_eq!((done.deleted, done.revision), (1, 4));
    assert!(proxies.iter().map(Proxy::lost).sum::<usize>() >= 5, "answers were lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_are_done_once_while_answers_are_lost_and_leaders_are_killed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    let proxies: Vec<_> = cluster.urls().iter().map(|url| Proxy::start(url, 3)).collect();
    let client = client(proxies.iter().map(|proxy| proxy.url.clone()));
    let killing = tokio::task::spawn_blocking(move || {
        for asked in 0..3 {
            let leader = cluster.leader(asked);
            cluster.kill(leader);
            let survivor = (leader + 1) % 3;
            eventually("another leader", || (cluster.leader(survivor) != leader).then_some(()));
            cluster.start_node(leader);
            processes::await_ready(&cluster.url(leader));
        }
        cluster
    });
    let (mut number, mut last_revision) = (0, 0);
    while !killing.is_finished() || number < 50 {
        number += 1;
        let written = client.put("count", number.to_string()).await.expect("is done");
        assert_eq!(written.version, number, "each put was done once");
        assert!(written.revision > last_revision);
        last_revision = written.revision;
    }
    let _cluster = killing.await.expect("nobody panicked");
    let lost: usize = proxies.iter().map(Proxy::lost).sum();
    assert!(lost as u64 > number / 4, "only {lost} answers to {number} puts were lost");
    let entry = client.get("count").await.expect("is read").expect("is there");
    assert_eq!((entry.version, entry.mod_revision), (number, last_revision));
}

#[tokio::test]
async fn many_writes_at_once_are_each_done_once() {
    const WRITES: usize = 300;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let proxies: Vec<_> = cluster.urls().iter().map(|url| Proxy::start(url, 5)).collect();
    let client = client(proxies.iter().map(|proxy| proxy.url.clone()));
    let puts = (0..WRITES).map(|number| client.put(format!("k{number}"), "v"));
    let written = futures::future::join_all(puts).await;
    let mut revisions: Vec<u64> = written
        .into_iter()
        .map(|written| written.expect("is done"))
        .map(|written| written.revision)
        .collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=WRITES as u64).collect::<Vec<_>>(), "no revision was spent twice on a put");
    assert!(proxies.iter().map(Proxy::lost).sum::<usize>() >= WRITES / 10);
}

#[tokio::test]
async fn a_large_delete_counts_right_though_answers_are_lost() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let proxies: Vec<_> = cluster.urls().iter().map(|url| Proxy::start(url, 2)).collect();
    let client = client(proxies.iter().map(|proxy| proxy.url.clone()));
    client.change_settings([("delete_range_keys_max", 30)]).await.expect("is changed");
    for batch in 0..5 {
        let puts = (0..100).map(|number| operation::put(format!("k/{batch}/{number}"), "v"));
        let transaction = puts.fold(TransactionBuilder::new(), TransactionBuilder::then);
        client.transact(transaction).await.expect("is done");
    }
    let done = client.delete_range(Keys::prefix("k/")).await.expect("is done");
    assert_eq!((done.deleted, client.range(Keys::all()).count().await), (500, Ok(0)));
}

#[tokio::test]
async fn a_cluster_that_allows_little_to_sessions_is_written_to_all_the_same() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let client = client(cluster.urls());
    let little = [("session_ttl_ms_max", 2_000), ("session_outcomes_max", 4)];
    client.change_settings(little).await.expect("is changed");
    let puts = (0..40).map(|number| client.put("k", number.to_string()));
    for written in futures::future::join_all(puts).await {
        written.expect("is done");
    }
    assert_eq!(client.get("k").await.expect("is read").expect("is there").version, 40);
}
