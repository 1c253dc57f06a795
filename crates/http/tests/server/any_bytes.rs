//! Anything may arrive on a connection: the server answers or closes it, in step, and serves the next one.
//!
//! `fuzz/` has the same as a target for a fuzzer, which looks much longer.

use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use quorate_http::{Dialect, HttpOptions};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::harness::{Server, full_request};

/// Requests that get somewhere, to be damaged.
const REQUESTS: [&str; 12] = [
    "GET /v1/kv/a",
    "GET /v1/kv/%ff?revision=1&timeout=1s\naccept: application/json",
    "PUT /v1/kv/a?timeout=2s\nif-match: \"1\"\nidempotency-key: 1:1\n\nvalue",
    "DELETE /v1/kv/a",
    "GET /v1/kv?prefix=a&limit=2&keys_only=true&order=descending",
    "DELETE /v1/kv?start=a&end=b",
    "POST /v1/txn\n\n{\"compare\":[{\"key\":\"a\",\"exists\":true}],\"success\":[{\"put\":{\"key\":\"a\",\"value_base64\":\"/w==\"}}]}",
    "POST /v1/compact\n\n{\"revision\":\"1\"}",
    "PUT /v1/settings\n\n{\"sessions_max\":5}",
    "POST /v1/sessions\n\n{\"ttl_ms\":60000}",
    "GET /v1/revisions?from=1&limit=5",
    "GET /v1/cluster",
];

/// The same in dialects.
const DIALECT_REQUESTS: [(Dialect, &str); 14] = [
    (Dialect::ClusterKv, "GET /a%2Fb?Timeout=1s"),
    (Dialect::ClusterKv, "POST /a\n\nvalue"),
    (Dialect::Simplekv, "PUT /a%ff\ncontent-type: text/plain\n\nvalue"),
    (Dialect::Simplekv, "GET /"),
    (Dialect::KvDb, "PUT /my-key\n\nvalue"),
    (Dialect::KvDb, "POST /4\n\nhttp://127.0.0.1:42379"),
    (Dialect::KvDb, "DELETE /3"),
    (Dialect::Memberlist, "PUT /put\n\n{\"key\":\"a\",\"value\":\"1\"}"),
    (Dialect::Memberlist, "GET /get?key=a+%20"),
    (Dialect::Memberlist, "GET /get/key=a"),
    (Dialect::Memberlist, "POST /set/a%2F/b%ff"),
    (Dialect::Keyval, "POST /key\n\n{\"a\":\"1\",\"b\\u00ff\":\"2\"}"),
    (Dialect::Keyval, "GET /key/a%ff"),
    (Dialect::Keyval, "POST /join\n\n{\"addr\":\"127.0.0.1:12001\",\"id\":\"node1\"}"),
];

/// What has a meaning in some place or other.
const TELLING: [&[u8]; 11] =
    [b"\r\n", b"\r\n\r\n", b"%", b"\"", b"{", b"[", b":", b"\0", b"\xff", b" ", b"0"];

/// One change to the bytes of a request.
#[derive(Clone, Debug)]
enum Damage {
    Set(Index, u8),
    Remove(Index),
    Insert(Index, Vec<u8>),
    Cut(Index),
    Repeat,
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            _ if bytes.is_empty() => {}
            Damage::Set(place, byte) => {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            Damage::Remove(place) => {
                bytes.remove(place.index(bytes.len()));
            }
            Damage::Insert(place, more) => {
                let place = place.index(bytes.len());
                bytes.splice(place..place, more.iter().copied());
            }
            Damage::Cut(place) => bytes.truncate(place.index(bytes.len())),
            Damage::Repeat => bytes.extend_from_within(..),
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Damage::Set(place, byte)),
        any::<Index>().prop_map(Damage::Remove),
        (any::<Index>(), select(&TELLING[..])).prop_map(|(place, more)| Damage::Insert(place, more.to_vec())),
        (any::<Index>(), vec(any::<u8>(), 1..20)).prop_map(|(place, more)| Damage::Insert(place, more)),
        any::<Index>().prop_map(Damage::Cut),
        Just(Damage::Repeat),
    ]
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime starts"))
}

async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(Server::start).await
}

/// A node's API, and its address of a dialect.
async fn speaking(dialect: Dialect) -> &'static (Server, Server) {
    static SERVERS: [OnceCell<(Server, Server)>; Dialect::ALL.len()] =
        [const { OnceCell::const_new() }; Dialect::ALL.len()];
    let start = || Server::start_speaking(dialect, HttpOptions::default());
    SERVERS[dialect as usize].get_or_init(start).await
}

/// Sends the bytes and nothing behind them to `server`, reads every answer, and asks `api`, which may be the same,
/// whether the node is well.
async fn exchange(api: &Server, server: &Server, bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut connection = server.connect().await;
    connection.try_send(bytes).await;
    connection.finish_sending().await;
    let answer = connection.read_to_end().await;
    let text = String::from_utf8_lossy(&answer);
    prop_assert!(answer.is_empty() || text.starts_with("HTTP/1.1 "), "{text}");
    prop_assert!(!text.contains("HTTP/1.1 500"), "{text}");
    let healthy = api.ask("GET /healthz").await;
    prop_assert_eq!(healthy.status, 200);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_requests_are_answered_or_cut_off(
        requests in vec(select(&REQUESTS[..]), 1..3),
        damages in vec(damage(), 0..6),
    ) {
        let mut bytes: Vec<u8> = requests.iter().flat_map(|request| full_request(request)).collect();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        runtime().block_on(async {
            let server = server().await;
            exchange(server, server, &bytes).await
        })?;
    }

    #[test]
    fn any_bytes_are_answered_or_cut_off(bytes in vec(any::<u8>(), 0..300)) {
        runtime().block_on(async {
            let server = server().await;
            exchange(server, server, &bytes).await
        })?;
    }

    #[test]
    fn damaged_requests_are_answered_or_cut_off_in_dialects(
        (dialect, request) in select(&DIALECT_REQUESTS[..]),
        damages in vec(damage(), 0..6),
    ) {
        let mut bytes = full_request(request);
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        runtime().block_on(async {
            let (api, server) = speaking(dialect).await;
            exchange(api, server, &bytes).await
        })?;
    }
}
