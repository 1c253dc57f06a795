//! What the HTTP layer costs a request, with a store that costs nothing.
//!
//! Prints the time a request takes in the handler alone, with axum's router around it, and over loopback
//! with hyper, where 64 connections are driven by the same process: there the client's own work and both
//! ends' system calls are included.
//!
//! `cargo run --release -p quorate-http --example cost_per_request`

use std::hint::black_box;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use quorate_consensus::{ClusterId, GroupId, NodeId};
use quorate_environment::{Environment, Listener, Moment, TokioEnvironment};
use quorate_http::{AtRevision, HttpOptions, Store, View, measure::Layers, serve};
use quorate_kv::{Budget, ChangesPage, Command, KeyValue, Outcome, RangePage, RangeQuery, Settings, Summary};
use quorate_replica::{
    Consistency, MemberChange, MemberError, MembersView, ReadAnswer, ReadError, RequestContext, Role, Status,
    TransferError, WriteError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

const VALUE_BYTES: usize = 256;
const CONNECTIONS: u64 = 64;

/// Answers at once, always the same.
#[derive(Clone, Debug)]
struct FreeStore {
    value: Bytes,
}

impl Store for FreeStore {
    async fn write(&self, _context: &RequestContext, command: Command) -> Result<Outcome, WriteError> {
        black_box(command);
        Ok(Outcome::Put { revision: 1_234_567, create_revision: 1_234_560, version: 7 })
    }

    async fn get(
        &self,
        _context: &RequestContext,
        key: &[u8],
        _consistency: Consistency,
    ) -> Result<ReadAnswer, ReadError> {
        black_box(key);
        let value = self.value.clone();
        let found = KeyValue { value, create_revision: 1_234_560, mod_revision: 1_234_567, version: 7 };
        Ok(ReadAnswer { found: Some(found), revision: 1_234_567, age: None })
    }

    async fn view(&self, _context: &RequestContext, _consistency: Consistency) -> Result<View, ReadError> {
        Ok(View { revision: 1_234_567, age: None })
    }

    fn get_at(&self, _key: &[u8], _revision: u64) -> AtRevision<Option<KeyValue>> {
        Ok(Ok(None))
    }

    fn range_page(&self, _query: &RangeQuery, _budget: Budget) -> AtRevision<RangePage> {
        Ok(Ok(RangePage { revision: 1_234_567, ..RangePage::default() }))
    }

    fn changes_page(&self, from_revision: u64, _budget: Budget) -> AtRevision<ChangesPage> {
        Ok(Ok(ChangesPage { changes: Vec::new(), next_revision: from_revision, newest: 1_234_567 }))
    }

    fn settings(&self) -> Result<Settings, ReadError> {
        Ok(Settings::DEFAULT)
    }

    async fn ready(&self, _deadline: Moment) -> Result<(), ReadError> {
        Ok(())
    }

    async fn transfer_leadership(
        &self,
        _context: &RequestContext,
        to: Option<u64>,
    ) -> Result<u64, TransferError> {
        Ok(to.unwrap_or(1))
    }

    fn members(&self) -> MembersView {
        MembersView::default()
    }

    async fn change_members(
        &self,
        _context: &RequestContext,
        _change: MemberChange,
    ) -> Result<MembersView, MemberError> {
        Ok(MembersView::default())
    }

    fn status(&self) -> Status {
        Status {
            cluster_id: ClusterId::NONE,
            node_id: NodeId::new(1, 1),
            group: GroupId::FIRST,
            role: Role::Leader,
            term: 1,
            leader: None,
            last_log_index: 0,
            committed_index: 0,
            applied_index: 0,
            snapshot_index: 0,
            staleness: None,
            members: Vec::new(),
            state: Summary::default(),
            ready: true,
            has_room: true,
            work: Default::default(),
            failure: None,
        }
    }

    fn value_bytes_max(&self) -> u64 {
        1 << 20
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let environment = TokioEnvironment::new();
    let store = FreeStore { value: Bytes::from(vec![b'v'; VALUE_BYTES]) };
    let layers = Layers::new(environment, store.clone());
    for method in ["PUT", "GET"] {
        let make = || request(method, &store.value);
        let building = per_request(|| async { black_box(make()) }).await;
        let handler = per_request(|| async { black_box(layers.without_router(make()).await) }).await;
        let router = per_request(|| async { black_box(layers.with_router(make()).await) }).await;
        println!(
            "{method} {VALUE_BYTES} bytes: handler {:.2} µs, with router {:.2} µs (making the request, {:.2} µs, taken off)",
            (handler - building).as_secs_f64() * 1e6,
            (router - building).as_secs_f64() * 1e6,
            building.as_secs_f64() * 1e6,
        );
    }
    let listener = environment.listen("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_address().expect("a bound address");
    let shutdown = CancellationToken::new();
    let serving = serve(environment, listener, store, HttpOptions::default(), shutdown.clone());
    let served = spawn("server", &environment, serving);
    for method in ["PUT", "GET"] {
        over_loopback(&environment, &address, method).await;
    }
    shutdown.cancel();
    served.await.expect("the server ends");
}

/// Runs a task beside this one, and tells when it has ended.
fn spawn(
    name: &'static str,
    environment: &TokioEnvironment,
    task: impl Future<Output = ()> + Send + 'static,
) -> oneshot::Receiver<()> {
    let (done, ended) = oneshot::channel();
    environment.spawn(name, async move {
        task.await;
        // Who waited may have gone.
        let _ = done.send(());
    });
    ended
}

fn request(method: &str, value: &Bytes) -> Request {
    let body = if method == "PUT" { Body::from(value.clone()) } else { Body::empty() };
    http::Request::builder()
        .method(method)
        .uri("/v1/kv/key/00001234")
        .header("host", "127.0.0.1:7001")
        .body(body)
        .expect("a valid request")
}

/// The mean time of one call, the best of five rounds.
async fn per_request<R, F: Future<Output = R>>(mut call: impl FnMut() -> F) -> Duration {
    const CALLS: u32 = 100_000;
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        for _ in 0..CALLS {
            black_box(call().await);
        }
        best = best.min(began.elapsed() / CALLS);
    }
    best
}

/// Closed loops over connections of their own, clients and server on the same two threads.
async fn over_loopback(environment: &TokioEnvironment, address: &str, method: &str) {
    const REQUESTS: u64 = 5_000;
    let body = if method == "PUT" { "v".repeat(VALUE_BYTES) } else { String::new() };
    let length = if body.is_empty() { String::new() } else { format!("content-length: {VALUE_BYTES}\r\n") };
    let request = format!("{method} /v1/kv/key/00001234 HTTP/1.1\r\nhost: {address}\r\n{length}\r\n{body}");
    let cpu_before = cpu_time();
    let began = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| spawn("client", environment, closed_loop(address.to_owned(), request.clone(), REQUESTS)))
        .collect();
    for client in clients {
        client.await.expect("a client ends");
    }
    let elapsed = began.elapsed().as_secs_f64();
    let cpu = (cpu_time() - cpu_before).as_secs_f64();
    let requests = (CONNECTIONS * REQUESTS) as f64;
    println!(
        "{method} over loopback, {CONNECTIONS} connections: {:.0} requests/s, {:.2} µs of processor each (client included)",
        requests / elapsed,
        cpu / requests * 1e6,
    );
}

async fn closed_loop(address: String, request: String, requests: u64) {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("a socket takes the option");
    let mut buffer = [0; 4096];
    for _ in 0..requests {
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        // Answers here are far smaller than a packet, so one read takes one whole.
        let length = stream.read(&mut buffer).await.expect("the server answers");
        assert!(buffer[..length].starts_with(b"HTTP/1.1 20"), "an unexpected answer");
    }
}

/// The processor time of this process so far, user and system.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let after_name = stat.rsplit_once(')').expect("a name in parentheses").1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number of ticks"))
        .sum();
    Duration::from_millis(ticks * 10)
}
