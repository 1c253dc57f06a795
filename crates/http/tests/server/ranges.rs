//! Ranges: pages, cursors, counts, the past, long answers, deletes.

use std::time::Duration;

use bytes::Bytes;
use quorate_api::{CountAnswer, DeleteRangeAnswer, ErrorCode, KeyAnswer, RangeAnswer};
use quorate_environment::{Environment, TokioEnvironment};
use quorate_http::HttpOptions;
use quorate_kv::{Command, Condition};

use crate::harness::{Answer, PATIENCE, Server, full_request};
use crate::refusals::assert_refused;

async fn put(server: &Server, key: &str, value: &str) {
    let answer = server.ask(&format!("PUT /v1/kv/{key}\n\n{value}")).await;
    assert_eq!(answer.status / 100, 2, "{key}");
}

/// `a=1 b=2`, in the order of the answer.
fn summary(answer: &Answer) -> String {
    let answer: RangeAnswer = answer.json();
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let items = answer.items.iter().map(|item| match &item.value {
        Some(value) => format!("{}={}", text(&item.key), text(value)),
        None => text(&item.key),
    });
    items.collect::<Vec<_>>().join(" ")
}

async fn server_with_letters() -> Server {
    let server = Server::start().await;
    for (key, value) in [("a", "1"), ("b", "2"), ("b/x", "3"), ("b/y", "4"), ("c", "5")] {
        put(&server, key, value).await;
    }
    server
}

#[tokio::test]
async fn ranges_are_read_by_prefix_and_bounds_in_both_orders() {
    let server = server_with_letters().await;
    for (query, expected) in [
        ("", "a=1 b=2 b/x=3 b/y=4 c=5"),
        ("?prefix=b", "b=2 b/x=3 b/y=4"),
        ("?prefix=b%2F", "b/x=3 b/y=4"),
        ("?prefix=", "a=1 b=2 b/x=3 b/y=4 c=5"),
        ("?start=b/y", "b/y=4 c=5"),
        ("?end=b", "a=1"),
        ("?start=b&end=b/y&keys_only=true", "b b/x"),
        ("?order=descending&limit=2", "c=5 b/y=4"),
        ("?prefix=nothing", ""),
        ("?start=z&end=a", ""),
    ] {
        assert_eq!(summary(&server.ask(&format!("GET /v1/kv{query}")).await), expected, "{query}");
    }
    server
        .check(
            "GET /v1/kv?prefix=b/&limit=1&keys_only=true&consistency=stale",
            "200\ncontent-type: application/json\ncache-control: no-store\nquorate-revision: 5\n\
             quorate-age-ms: unknown\n\n\
             {\"revision\":\"5\",\"items\":[{\"key\":\"b/x\",\"create_revision\":\"3\",\"mod_revision\":\"3\",\
             \"version\":\"1\"}],\"next_cursor\":\"AQAAAAAAAAAAAAAABZO55q4mRGo6Yi943sNVSQ\"}",
        )
        .await;
}

#[tokio::test]
async fn pages_show_one_revision_whatever_happens_between_them() {
    for order in ["ascending", "descending"] {
        let server = server_with_letters().await;
        let mut query = format!("order={order}&limit=2");
        let mut pages = Vec::new();
        loop {
            let answer = server.ask(&format!("GET /v1/kv?{query}")).await;
            pages.push(summary(&answer));
            let answer: RangeAnswer = answer.json();
            assert_eq!(answer.revision, 5);
            let Some(cursor) = answer.next_cursor else { break };
            query = format!("order={order}&limit=2&cursor={cursor}");
            put(&server, "b", "changed").await;
            put(&server, "b/xx", "new").await;
            server.ask("DELETE /v1/kv/c").await;
            server.ask("DELETE /v1/kv/a").await;
        }
        match order {
            "ascending" => assert_eq!(pages, ["a=1 b=2", "b/x=3 b/y=4", "c=5"]),
            _ => assert_eq!(pages, ["c=5 b/y=4", "b/x=3 b=2", "a=1"]),
        }
    }
}

#[tokio::test]
async fn a_limit_that_cuts_nothing_gives_no_cursor() {
    let server = server_with_letters().await;
    // Keys that are there no more are none that were cut.
    server.ask("DELETE /v1/kv/c").await;
    for (query, has_more) in [("limit=4", false), ("limit=3", true), ("prefix=b&limit=3", false)] {
        let answer: RangeAnswer = server.ask(&format!("GET /v1/kv?{query}")).await.json();
        assert_eq!(answer.next_cursor.is_some(), has_more, "{query}");
    }
}

#[tokio::test]
async fn keys_are_counted() {
    let server = server_with_letters().await;
    for (query, count) in [("", 5), ("&prefix=b", 3), ("&prefix=b&limit=2", 2), ("&revision=2", 2)] {
        let answer: CountAnswer = server.ask(&format!("GET /v1/kv?count_only=true{query}")).await.json();
        assert_eq!(answer.count, count, "{query}");
    }
    for number in 0..5000 {
        let key = Bytes::from(format!("many/{number}"));
        server.store.state().apply(Command::Put { key, value: Bytes::new(), condition: Condition::Always });
    }
    let answer: CountAnswer = server.ask("GET /v1/kv?count_only=true&prefix=many").await.json();
    assert_eq!(answer, CountAnswer { revision: 5005, count: 5000 });
}

#[tokio::test]
async fn the_past_stays_readable_until_it_is_compacted() {
    let server = Server::start().await;
    put(&server, "a", "one").await;
    put(&server, "a", "two").await;
    server.ask("DELETE /v1/kv/a").await;
    put(&server, "a", "three").await;
    let read = async |revision| server.ask(&format!("GET /v1/kv/a?revision={revision}")).await;
    assert_eq!((read(1).await.text(), read(2).await.text(), read(4).await.text()), ("one", "two", "three"));
    let first = read(1).await;
    assert_eq!((first.header("etag"), first.header("quorate-revision")), (Some("\"1\""), Some("1")));
    for revision in [0, 3] {
        let missing = read(revision).await;
        assert_refused(&missing, ErrorCode::KeyNotFound, "");
        assert_eq!(missing.header("quorate-revision"), Some(&revision.to_string()[..]));
    }
    assert_eq!(summary(&server.ask("GET /v1/kv?revision=2").await), "a=two");
    let future = read(5).await;
    assert_refused(&future, ErrorCode::FutureRevision, "the newest is 4");
    assert_eq!(future.header("quorate-revision"), Some("4"));
    assert_refused(&server.ask("GET /v1/kv?revision=5").await, ErrorCode::FutureRevision, "4");

    let limited: RangeAnswer = server.ask("GET /v1/kv?revision=2&limit=1").await.json();
    assert_eq!(limited.next_cursor, None);
    put(&server, "b", "x").await;
    let limited: RangeAnswer = server.ask("GET /v1/kv?limit=1").await.json();
    let cursor = limited.next_cursor.expect("b is cut off");
    put(&server, "c", "x").await;
    server.ask("POST /v1/compact\n\n{\"revision\":6}").await;
    for request in
        ["GET /v1/kv/a?revision=5", "GET /v1/kv?revision=5", &format!("GET /v1/kv?limit=1&cursor={cursor}")]
    {
        let gone = server.ask(request).await;
        assert_refused(&gone, ErrorCode::Compacted, "oldest that can be read is 6");
        assert_eq!(gone.header("quorate-oldest-revision"), Some("6"));
    }
    assert_eq!(read(6).await.text(), "three");
}

#[tokio::test]
async fn the_json_form_has_its_own_tag() {
    let server = Server::start().await;
    put(&server, "a", "value").await;
    put(&server, "other", "x").await;
    server
        .check(
            "GET /v1/kv/a\naccept: application/json",
            "200\ncontent-type: application/json\netag: \"1+json\"\ncache-control: no-cache\nvary: accept\n\
             quorate-revision: 2\nquorate-create-revision: 1\nquorate-version: 1\n\n\
             {\"key\":\"a\",\"value\":\"value\",\"create_revision\":\"1\",\"mod_revision\":\"1\",\
             \"version\":\"1\",\"revision\":\"2\"}",
        )
        .await;
    let status = async |accept: &str, tag: &str| {
        server.ask(&format!("GET /v1/kv/a\naccept: {accept}\nif-none-match: {tag}")).await.status
    };
    assert_eq!(status("application/json", "\"1+json\"").await, 304);
    assert_eq!(status("application/json", "\"1\"").await, 200);
    assert_eq!(status("*/*", "\"1+json\"").await, 200);
    assert_eq!(status("*/*", "\"1\"").await, 304);
    let written = server.ask("PUT /v1/kv/a\nif-match: \"1+json\"\n\n\u{1}\\").await;
    assert_eq!((written.status, written.header("etag")), (200, Some("\"3\"")));
    let answer: KeyAnswer = server.ask("GET /v1/kv/a\naccept: application/json").await.json();
    assert_eq!(answer.item.value, Some(Bytes::from("\u{1}\\")));
    server.store.state().apply(Command::Put {
        key: Bytes::from("bytes"),
        value: Bytes::from_static(b"\xff\0"),
        condition: Condition::Always,
    });
    let answer = server.ask("GET /v1/kv/bytes\naccept: application/json").await;
    assert!(answer.text().contains("\"value_base64\":\"/wA=\""), "{}", answer.text());
    let head = server.ask("HEAD /v1/kv/bytes\naccept: application/json").await;
    assert_eq!(head.header("content-length"), Some(&answer.body.len().to_string()[..]));
}

/// A server with more than a page holds, and the keys' number.
async fn server_with_many_keys(options: HttpOptions) -> (Server, usize) {
    let server = Server::start_with(options).await;
    for number in 0..20_000 {
        let key = Bytes::from(format!("key/{number:05}"));
        let value = Bytes::from(vec![b'v'; 1000]);
        server.store.state().apply(Command::Put { key, value, condition: Condition::Always });
    }
    (server, 20_000)
}

#[tokio::test]
async fn long_answers_are_sent_in_pieces() {
    let (server, count) = server_with_many_keys(HttpOptions::default()).await;
    let mut connection = server.connect().await;
    let answer = connection.ask("GET /v1/kv?prefix=key/").await;
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let answer: RangeAnswer = answer.json();
    assert_eq!((answer.items.len(), answer.next_cursor), (count, None));
    assert!(answer.items.is_sorted_by(|one, other| one.key < other.key));
    let head = connection.ask("HEAD /v1/kv?prefix=key/").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let limited: RangeAnswer = connection.ask("GET /v1/kv?limit=19999&keys_only=true").await.json();
    assert_eq!(limited.items.len(), 19_999);
    let cursor = limited.next_cursor.expect("one is missing");
    let last = connection.ask(&format!("GET /v1/kv?keys_only=true&cursor={cursor}")).await;
    assert_eq!(summary(&last), "key/19999");
}

#[tokio::test]
async fn a_long_answer_shows_one_revision_and_breaks_off_when_that_is_compacted() {
    let (server, count) = server_with_many_keys(HttpOptions::default()).await;
    let mut connection = server.connect().await;
    // 20 MB are more than the sockets take, so most of the answer is read after the changes.
    connection.send(&full_request("GET /v1/kv")).await;
    let began = connection.head_has_arrived().await;
    assert!(began, "the answer begins");
    put(&server, "key/19999", "changed").await;
    put(&server, "key/x", "new").await;
    let answer: RangeAnswer = connection.answer(false).await.expect("an answer").json();
    assert_eq!((answer.items.len(), answer.revision), (count, 20_000));
    assert_eq!(answer.items[count - 1].value.as_ref().map(Bytes::len), Some(1000));

    connection.send(&full_request("GET /v1/kv")).await;
    assert!(connection.head_has_arrived().await, "the answer begins");
    put(&server, "key/y", "new").await;
    let compacted = server.ask("POST /v1/compact\n\n{\"revision\":20003}").await;
    assert_eq!(compacted.status, 200);
    let answer = connection.answer(false).await.expect("an answer");
    assert!(!answer.is_whole, "the answer has {} bytes", answer.body.len());
    assert!(connection.is_closed_silently().await);
}

#[tokio::test]
async fn a_read_that_fails_in_the_middle_breaks_the_answer_off() {
    let (server, _) = server_with_many_keys(HttpOptions::default()).await;
    server.store.state().pages_left = Some(3);
    let answer = server.ask("GET /v1/kv").await;
    assert_eq!((answer.status, answer.is_whole), (200, false));
    server.store.state().pages_left = Some(0);
    assert_refused(&server.ask("GET /v1/kv").await, ErrorCode::Damaged, "seen on a page");
    assert_refused(&server.ask("GET /v1/kv?count_only=true").await, ErrorCode::Damaged, "seen on a page");
}

#[tokio::test]
async fn a_client_may_take_its_time_for_a_long_answer_but_not_stop() {
    let options = HttpOptions { answer_timeout: Duration::from_secs(3), ..HttpOptions::default() };
    let (server, count) = server_with_many_keys(options).await;
    let mut slow = server.connect().await;
    slow.send(&full_request("GET /v1/kv")).await;
    // In all this takes longer than the time limit of any single piece.
    let began = std::time::Instant::now();
    let tick = Duration::from_millis(10);
    while began.elapsed() < Duration::from_secs(4) {
        TokioEnvironment::new().sleep(tick).await;
        slow.read_up_to(32 << 10).await;
    }
    let answer: RangeAnswer = slow.answer(false).await.expect("an answer").json();
    assert_eq!(answer.items.len(), count);

    let mut stuck = server.connect().await;
    stuck.send(&full_request("GET /v1/kv")).await;
    let cut = "quorate_http_connections_cut_total{reason=\"slow_reader\"} 1";
    let began = std::time::Instant::now();
    while !server.ask("GET /metrics").await.text().contains(cut) {
        assert!(began.elapsed() < PATIENCE, "the connection is not cut");
        TokioEnvironment::new().sleep(tick).await;
    }
}

#[tokio::test]
async fn long_answers_are_bounded_in_number() {
    let (server, _) = server_with_many_keys(HttpOptions { listings_max: 1, ..HttpOptions::default() }).await;
    let mut first = server.connect().await;
    first.send(&full_request("GET /v1/kv")).await;
    assert!(first.head_has_arrived().await, "the answer begins");
    let refused = server.ask("GET /v1/kv").await;
    assert_refused(&refused, ErrorCode::Overloaded, "long answers");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(server.ask("GET /v1/kv?limit=10").await.status, 200);
    assert!(first.answer(false).await.expect("an answer").is_whole);
    assert_eq!(server.ask("GET /v1/kv").await.status, 200);
}

#[tokio::test]
async fn ranges_are_deleted_in_chunks() {
    let server = server_with_letters().await;
    server.ask("PUT /v1/settings\n\n{\"delete_range_keys_max\":2}").await;
    let answer = server.ask("DELETE /v1/kv?prefix=b").await;
    assert_eq!(answer.text(), "{\"revision\":\"7\",\"deleted\":\"3\"}");
    assert_eq!(answer.header("quorate-revision"), Some("7"));
    assert_eq!(summary(&server.ask("GET /v1/kv").await), "a=1 c=5");
    assert_eq!(server.ask("DELETE /v1/kv?prefix=b").await.text(), "{\"revision\":\"7\",\"deleted\":\"0\"}");
    assert_eq!(server.ask("DELETE /v1/kv?prefix=").await.text(), "{\"revision\":\"8\",\"deleted\":\"2\"}");
}

#[tokio::test]
async fn with_a_session_one_chunk_is_deleted_and_once() {
    let server = server_with_letters().await;
    server.ask("PUT /v1/settings\n\n{\"delete_range_keys_max\":2}").await;
    server.ask("POST /v1/sessions").await;
    let delete =
        async |sequence| server.ask(&format!("DELETE /v1/kv?prefix=b\nidempotency-key: 1:{sequence}")).await;
    let first: DeleteRangeAnswer = delete(1).await.json();
    assert_eq!(first, DeleteRangeAnswer { revision: 6, deleted: 2, more: Some(true) });
    let again = delete(1).await;
    assert_eq!(again.header("quorate-replayed"), Some("true"));
    assert_eq!(again.json::<DeleteRangeAnswer>(), first);
    let second: DeleteRangeAnswer = delete(2).await.json();
    assert_eq!(second, DeleteRangeAnswer { revision: 7, deleted: 1, more: Some(false) });
}

#[tokio::test]
async fn a_delete_that_stops_half_way_does_not_claim_that_nothing_was_done() {
    let server = server_with_letters().await;
    server.ask("PUT /v1/settings\n\n{\"delete_range_keys_max\":2}").await;
    let (begun, admitted) = (&server.store.writes_begun, &server.store.writes_admitted);
    admitted.forget_permits(usize::MAX >> 3);
    begun.forget_permits(usize::MAX >> 3);
    let mut connection = server.connect().await;
    connection.send(&full_request("DELETE /v1/kv?prefix=")).await;
    begun.acquire().await.expect("is never closed").forget();
    admitted.add_permits(1);
    begun.acquire().await.expect("is never closed").forget();
    server.store.state().write_errors.push_back(quorate_replica::WriteError::ShuttingDown);
    admitted.add_permits(1);
    let answer = connection.answer(false).await.expect("an answer");
    assert_refused(&answer, ErrorCode::OutcomeUnknown, "2 keys were deleted, and then: ");
}
