//! What the Rust client reads, of real nodes.

mod processes;

use std::collections::BTreeMap;

use futures::TryStreamExt;
use processes::Cluster;
use quorate_client::{Client, ClientError, ErrorCode, Keys, TransactionBuilder, operation};

#[path = "../../client/examples/tour.rs"]
#[allow(dead_code, reason = "its main function is for those who run it by hand")]
mod tour;

#[tokio::test]
async fn the_tour_of_the_client_works() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    tour::tour(cluster.urls()).await.expect("the example works");
}

fn client(cluster: &Cluster) -> Client {
    Client::new(cluster.urls()).expect("the endpoints are well formed")
}

/// Puts 300 keys and gives them with their values.
async fn fill(client: &Client) -> BTreeMap<String, String> {
    let pairs: BTreeMap<_, _> =
        (0..300).map(|number| (format!("k/{number:03}"), format!("v{number}"))).collect();
    for chunk in pairs.iter().collect::<Vec<_>>().chunks(100) {
        let puts = chunk.iter().map(|(key, value)| operation::put((*key).clone(), (*value).clone()));
        let transaction = puts.fold(TransactionBuilder::new(), TransactionBuilder::then);
        client.transact(transaction).await.expect("is done");
    }
    pairs
}

#[tokio::test]
async fn a_range_shows_one_revision_whatever_is_written_meanwhile() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let client = client(&cluster);
    let pairs = fill(&client).await;
    let revision = 3;
    let mut range = client.range(Keys::prefix("k/")).page_keys(70).descending();
    let mut seen = Vec::new();
    for page_number in 0.. {
        let Some(page) = range.next_page().await.expect("is read") else { break };
        assert_eq!(page.revision, revision);
        seen.extend(page.items);
        client.put("k/150", "new").await.expect("is done");
        client.put(format!("k/0{page_number}x"), "added").await.expect("is done");
        client.delete("k/001").await.expect("is done");
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let found: Vec<_> = seen
        .iter()
        .map(|item| (text(&item.key), text(item.value.as_ref().expect("was asked for"))))
        .collect();
    assert_eq!(found, pairs.clone().into_iter().rev().collect::<Vec<_>>());

    let again = client.range(Keys::prefix("k/")).at(revision);
    assert_eq!(again.clone().count().await, Ok(300));
    let keys: Vec<_> = again.keys_only().stream().try_collect().await.expect("is read");
    assert!(keys.iter().all(|item| item.value.is_none()));
    assert_eq!(
        keys.iter().map(|item| text(&item.key)).collect::<Vec<_>>(),
        pairs.into_keys().collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_past_can_be_read_until_it_is_compacted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let client = client(&cluster);
    for number in 1..=9_u64 {
        client.put("k", number.to_string()).await.expect("is done");
    }
    client.delete("k").await.expect("is done");
    let changes: Vec<_> = client.history(4).stream().try_collect().await.expect("is read");
    let values: Vec<_> = changes.iter().map(|change| change.put.as_ref().map(|put| put.version)).collect();
    assert_eq!(values, [Some(4), Some(5), Some(6), Some(7), Some(8), Some(9), None]);
    let mut history = client.history(0).limit(2);
    let page = history.next_page().await.expect("is read").expect("there are changes");
    assert_eq!((page.len(), history.next_from(), history.next_page().await), (2, 3, Ok(None)));

    assert_eq!(client.compact(6).await, Ok(6));
    assert_eq!(client.compact(3).await, Ok(6), "it has been compacted further already");
    let read = client.read_at("k", 6).await.expect("is read");
    assert_eq!((read.found.expect("was there").version, read.revision), (6, 6));
    let oldest_of = |error: ClientError| match error {
        ClientError::Compacted { oldest, .. } => oldest,
        other => panic!("{other}"),
    };
    assert_eq!(oldest_of(client.read_at("k", 5).await.expect_err("is gone")), Some(6));
    assert_eq!(oldest_of(client.range(Keys::all()).at(5).count().await.expect_err("is gone")), Some(6));
    // What was is kept as of revision 6, but not all that changed then.
    assert_eq!(oldest_of(client.history(6).next_page().await.expect_err("is gone")), Some(7));
    let error = client.read_at("k", 99).await.expect_err("is yet to come");
    assert_eq!(error.code(), Some(ErrorCode::FutureRevision));
}

#[tokio::test]
async fn settings_and_sessions_are_what_the_cluster_says() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let client = client(&cluster);
    let changed = client.change_settings([("value_bytes_max", 3)]).await.expect("is changed");
    assert_eq!(client.settings().await, Ok(changed));
    let error = client.put("k", "long").await.expect_err("is too long");
    assert_eq!((error.code(), error.is_outcome_unknown()), (Some(ErrorCode::ValueTooLarge), false));
    let error = client.change_settings([("value_bytes_max", 0)]).await.expect_err("is no length");
    assert_eq!(error.code(), Some(ErrorCode::BadSetting));

    let session = client.open_session(None).await.expect("is opened");
    assert_eq!(client.keep_session(session.session).await, Ok(session));
    assert_eq!(client.close_session(session.session).await, Ok(()));
    let error = client.keep_session(session.session).await.expect_err("is closed");
    assert_eq!(error.code(), Some(ErrorCode::SessionExpired));
}
