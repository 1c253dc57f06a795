//! Compaction, settings, and the history.

use quorate_api::{ChangesAnswer, ErrorCode, SettingsAnswer};

use crate::harness::Server;
use crate::refusals::assert_refused;

#[tokio::test]
async fn compaction_gives_up_the_past() {
    let server = Server::start().await;
    for value in ["1", "2", "3"] {
        server.ask(&format!("PUT /v1/kv/a\n\n{value}")).await;
    }
    let compact = async |body: &str| server.ask(&format!("POST /v1/compact\n\n{body}")).await;
    let json = "200\ncontent-type: application/json\ncache-control: no-store\n\n";
    assert_eq!(compact("{\"revision\":2}").await.transcript(), format!("{json}{{\"compacted\":\"2\"}}"));
    assert_eq!(compact("{\"revision\":\"1\"}").await.text(), "{\"compacted\":\"2\"}");
    let future = compact("{\"revision\":4}").await;
    assert_refused(&future, ErrorCode::FutureRevision, "the newest is 3");
    assert_eq!(future.header("quorate-revision"), Some("3"));
}

#[tokio::test]
async fn settings_are_shown_and_changed_all_or_none() {
    let server = Server::start().await;
    let value = |answer: &SettingsAnswer, name: &str| {
        answer.settings.iter().find(|setting| setting.name == name).expect(name).value
    };
    let before: SettingsAnswer = server.ask("GET /v1/settings").await.json();
    assert_eq!(before.settings.len(), quorate_kv::Setting::ALL.len());
    assert_eq!(value(&before, "sessions_max"), 10_000);
    let changed = server.ask("PUT /v1/settings\n\n{\"sessions_max\":5,\"quota_bytes\":\"0\"}").await;
    let changed: SettingsAnswer = changed.json();
    assert_eq!((value(&changed, "sessions_max"), value(&changed, "quota_bytes")), (5, 0));
    for (body, mention) in [
        ("{\"sessions_max\":7,\"no_such\":1}", "\"no_such\""),
        (
            "{\"sessions_max\":7,\"quota_warn_percent\":101}",
            "quota_warn_percent can be 1 to 100 percent, not 101",
        ),
    ] {
        let answer = server.ask(&format!("PUT /v1/settings\n\n{body}")).await;
        assert_refused(&answer, ErrorCode::BadSetting, mention);
    }
    assert_eq!(server.ask("GET /v1/settings").await.json::<SettingsAnswer>(), changed);
    assert_eq!(server.ask("PUT /v1/settings\n\n{}").await.json::<SettingsAnswer>(), changed);
}

#[tokio::test]
async fn the_changes_of_each_revision_are_listed() {
    let server = Server::start().await;
    server.ask("PUT /v1/kv/a\n\n1").await;
    server
        .ask("POST /v1/txn\n\n{\"success\":[{\"put\":{\"key\":\"b\",\"value\":\"2\"}},{\"delete\":{\"key\":\"a\"}}]}")
        .await;
    server.ask("PUT /v1/kv/c\n\n3").await;
    let first = r#"{"revision":"1","sub_index":0,"type":"put","key":"a","value":"1","create_revision":"1","version":"1"},"#;
    let second = concat!(
        r#"{"revision":"2","sub_index":0,"type":"put","key":"b","value":"2","create_revision":"2","version":"1"},"#,
        r#"{"revision":"2","sub_index":1,"type":"delete","key":"a"}"#
    );
    let listed = server.ask("GET /v1/revisions?limit=2").await;
    assert_eq!(
        listed.transcript(),
        format!(
            "200\ncontent-type: application/json\ncache-control: no-store\nquorate-revision: 3\n\n\
             {{\"revision\":\"3\",\"changes\":[{first}{second}],\"next_from\":\"3\"}}"
        )
    );
    let list = async |query: &str| -> ChangesAnswer {
        server.ask(&format!("GET /v1/revisions?{query}")).await.json()
    };
    let rest = list("from=2").await;
    assert_eq!((rest.changes.len(), rest.next_from), (3, 4));
    let end = list("from=4").await;
    assert_eq!((end.changes.len(), end.next_from), (0, 4));
    assert_refused(&server.ask("GET /v1/revisions?from=5").await, ErrorCode::FutureRevision, "3");
    server.ask("POST /v1/compact\n\n{\"revision\":2}").await;
    let gone = server.ask("GET /v1/revisions").await;
    assert_refused(&gone, ErrorCode::Compacted, "");
    assert_eq!(gone.header("quorate-oldest-revision"), Some("3"));
}

#[tokio::test]
async fn a_long_history_is_listed_in_pieces_up_to_where_it_was() {
    let server = Server::start().await;
    for number in 0..3000 {
        let key = bytes::Bytes::from(format!("key/{number}"));
        let condition = quorate_kv::Condition::Always;
        let value = bytes::Bytes::from(vec![b'v'; 100]);
        server.store.state().apply(quorate_kv::Command::Put { key, value, condition });
    }
    let answer = server.ask("GET /v1/revisions?from=2").await;
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let answer: ChangesAnswer = answer.json();
    assert_eq!((answer.changes.len(), answer.next_from), (2999, 3001));
    let some: ChangesAnswer = server.ask("GET /v1/revisions?from=10&limit=2000").await.json();
    assert_eq!((some.changes.len(), some.next_from), (2000, 2010));
    server.store.state().pages_left = Some(2);
    assert!(!server.ask("GET /v1/revisions").await.is_whole);
}
