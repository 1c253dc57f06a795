//! Ranges and the history, page by page.

use futures::TryStreamExt;
use quorate_client::{Client, ClientBuilder, ClientError, ErrorCode, Keys};

use crate::nodes::*;

fn page(keys: &[&str], next_cursor: Option<&str>) -> Act {
    let item = |key: &&str| {
        format!(r#"{{"key":"{key}","value":"v","create_revision":"1","mod_revision":"1","version":"1"}}"#)
    };
    let items = keys.iter().map(item).collect::<Vec<_>>().join(",");
    let cursor = next_cursor.map(|cursor| format!(r#","next_cursor":"{cursor}""#)).unwrap_or_default();
    answer("200", &[], &format!(r#"{{"revision":"9","items":[{items}]{cursor}}}"#))
}

/// The queries of the requests, without their timeouts.
fn queries(node: &Node) -> Vec<String> {
    let query = |request: &String| {
        let line = request.lines().next().expect("a line");
        let end = line.find("timeout=").expect("has a timeout");
        line["GET /v1/kv?".len()..end].trim_end_matches('&').to_owned()
    };
    node.requests().iter().map(query).collect()
}

async fn keys(client: &Client, limit: Option<u64>) -> Result<Vec<String>, ClientError> {
    let range = client.range(Keys::prefix("f/")).page_keys(2);
    let range = match limit {
        Some(limit) => range.limit(limit),
        None => range,
    };
    range.stream().map_ok(|item| String::from_utf8_lossy(&item.key).into_owned()).try_collect().await
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let node = Node::start([
        page(&["f/a", "f/b"], Some("C1")),
        page(&["f/c", "f/d"], Some("C2")),
        page(&["f/e"], None),
    ])
    .await;
    let client = client_of(&[&node.url]);
    assert_eq!(
        keys(&client, None).await,
        Ok(["f/a", "f/b", "f/c", "f/d", "f/e"].map(str::to_owned).to_vec())
    );
    let bounds = "start=f%2F&end=f0";
    assert_eq!(
        queries(&node),
        ["", "&cursor=C1", "&cursor=C2"].map(|cursor| format!("{bounds}&limit=2{cursor}"))
    );
}

#[tokio::test]
async fn a_limit_ends_it() {
    let node = Node::start([page(&["f/a", "f/b"], Some("C1")), page(&["f/c"], Some("C2"))]).await;
    let client = client_of(&[&node.url]);
    assert_eq!(keys(&client, Some(3)).await.map(|keys| keys.len()), Ok(3));
    assert_eq!(queries(&node)[1], "start=f%2F&end=f0&limit=1&cursor=C1");
    assert_eq!(keys(&client, Some(0)).await, Ok(Vec::new()));
    assert_eq!(client.range(Keys::all()).limit(0).count().await, Ok(0));
    assert_eq!(node.requests().len(), 2);
}

#[tokio::test]
async fn a_page_that_is_too_long_is_asked_for_in_smaller_ones() {
    let long = answer("200", &[], &"x".repeat(2_000));
    let node = Node::start([long.clone(), long.clone(), page(&["f/a"], None), long]).await;
    let client = ClientBuilder::new([&node.url]).answer_bytes_max(1_000).build().expect("well formed");
    let items = client.range(Keys::prefix("f/")).page_keys(5).collect().await.expect("is read");
    assert_eq!(items.len(), 1);
    assert_eq!(queries(&node), ["5", "2", "1"].map(|limit| format!("start=f%2F&end=f0&limit={limit}")));
    let error = client.range(Keys::all()).page_keys(1).collect().await.expect_err("is too long");
    assert_eq!(error, ClientError::AnswerTooLong { bytes_max: 1_000 });
}

#[tokio::test]
async fn what_was_compacted_says_what_is_left() {
    let body = r#"{"code":"compacted","message":"gone"}"#;
    let node = Node::start([answer("410", &["quorate-oldest-revision: 6"], body)]).await;
    let error = client_of(&[&node.url]).range(Keys::all()).at(3).collect().await.expect_err("is gone");
    assert_eq!(error, ClientError::Compacted { message: "gone".to_owned(), oldest: Some(6) });
    assert_eq!(queries(&node), ["start=&limit=1000&revision=3"]);
}

#[tokio::test]
async fn a_delete_goes_on_while_there_is_more() {
    let chunk = |deleted: u64, more: bool| {
        answer("200", &[], &format!(r#"{{"revision":"9","deleted":"{deleted}","more":{more}}}"#))
    };
    let node =
        Node::start([chunk(5, true), chunk(2, false), chunk(5, true), refusal(ErrorCode::Damaged)]).await;
    let client = client_of(&[&node.url]);
    assert_eq!(client.delete_range(Keys::prefix("f/")).await.map(|done| done.deleted), Ok(7));
    let error = client.delete_range(Keys::prefix("f/")).await.expect_err("goes wrong on its way");
    assert!(matches!(error, ClientError::PartlyDone { deleted: 5, .. }), "{error}");
    assert!(error.to_string().contains("5 keys were deleted"), "{error}");
}

#[tokio::test]
async fn the_history_is_read_up_to_the_newest() {
    let changes = |revisions: &[u64], next_from: u64| {
        let change =
            |revision| format!(r#"{{"revision":"{revision}","sub_index":0,"type":"delete","key":"k"}}"#);
        let changes = revisions.iter().map(change).collect::<Vec<_>>().join(",");
        answer("200", &[], &format!(r#"{{"revision":"4","changes":[{changes}],"next_from":"{next_from}"}}"#))
    };
    let node =
        Node::start([changes(&[2, 3], 4), changes(&[4], 5), changes(&[], 5), changes(&[2, 3], 4)]).await;
    let client = client_of(&[&node.url]);
    let all: Vec<_> = client.history(2).stream().try_collect().await.expect("is read");
    assert_eq!(all.iter().map(|change| change.revision).collect::<Vec<_>>(), [2, 3, 4]);
    let two: Vec<_> = client.history(2).limit(2).stream().try_collect().await.expect("is read");
    assert_eq!(two.len(), 2);
    let line =
        |request: &String| request.split_once(" /v1/revisions?").expect("of the history").1[..7].to_owned();
    let asked: Vec<_> = node.requests().iter().map(line).collect();
    assert_eq!(asked, ["from=2&", "from=4&", "from=5&", "from=2&"]);
}
