//! A connection on which anything may arrive: the server answers or closes it, and serves the next one.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/server/fake_store.rs"]
mod fake_store;

use std::cell::OnceCell;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use quorate_environment::{Environment, Listener, TokioEnvironment};
use quorate_http::{HttpOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use fake_store::FakeStore;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server, its runtime and its address.
struct Server {
    runtime: Runtime,
    address: String,
}

impl Server {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let address = runtime.block_on(async {
            let environment = TokioEnvironment::new();
            let listener = environment.listen("127.0.0.1:0").await.expect("loopback can be bound");
            let address = listener.local_address().expect("a bound address");
            let (store, never) = (FakeStore::new(), CancellationToken::new());
            environment.spawn("server", serve(environment, listener, store, HttpOptions::default(), never));
            address
        });
        Self { runtime, address }
    }

    /// Sends bytes and nothing behind them, and reads what comes until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).await.expect("the server accepts");
        let (mut reader, mut writer) = stream.split();
        let mut answer = Vec::new();
        let sending = async {
            // The server may have closed already.
            let _ = writer.write_all(bytes).await;
            let _ = writer.shutdown().await;
        };
        let reading = reader.read_to_end(&mut answer);
        // A reset is an end, too.
        let (_, _) = TokioEnvironment::new()
            .timeout(PATIENCE, async { tokio::join!(sending, reading) })
            .await
            .expect("the server answers or closes");
        answer
    }
}

thread_local! {
    static SERVER: OnceCell<Server> = const { OnceCell::new() };
}

fuzz_target!(|input: &[u8]| {
    SERVER.with(|server| {
        let server = server.get_or_init(Server::start);
        server.runtime.block_on(async {
            let answer = server.exchange(input).await;
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
            assert!(!answer.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answer));
            let healthy =
                server.exchange(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
            assert!(healthy.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&healthy));
        });
    });
});
