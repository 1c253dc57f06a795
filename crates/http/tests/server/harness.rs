//! A server on loopback, connections that speak raw bytes to it, and transcripts.

use std::pin::Pin;
use std::time::Duration;

use quorate_environment::{Environment, Listener, TokioEnvironment};
use quorate_http::{Dialect, HttpOptions, NodeServer, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::fake_store::FakeStore;

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Server {
    pub(crate) store: FakeStore,
    pub(crate) address: String,
    pub(crate) shutdown: CancellationToken,
    /// Hears when serving has ended in order.
    pub(crate) serving: oneshot::Receiver<()>,
}

/// Runs a server beside the test, and tells when it has ended in order.
fn spawn(serving: impl Future<Output = ()> + Send + 'static) -> oneshot::Receiver<()> {
    let (done, ended) = oneshot::channel();
    TokioEnvironment::new().spawn("server", async move {
        serving.await;
        // The test may be over.
        let _ = done.send(());
    });
    ended
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(HttpOptions::default()).await
    }

    pub(crate) async fn start_with(options: HttpOptions) -> Self {
        let environment = TokioEnvironment::new();
        let listener = environment.listen("127.0.0.1:0").await.expect("loopback can be bound");
        let address = listener.local_address().expect("a bound address");
        let store = FakeStore::new();
        let shutdown = CancellationToken::new();
        let serving = spawn(serve(environment, listener, store.clone(), options, shutdown.clone()));
        Self { store, address, shutdown, serving }
    }

    /// A node that is reached in two ways: by the API, and in a dialect.
    pub(crate) async fn start_speaking(dialect: Dialect, options: HttpOptions) -> (Self, Self) {
        let environment = TokioEnvironment::new();
        let (store, shutdown) = (FakeStore::new(), CancellationToken::new());
        let node = NodeServer::new(environment, store.clone(), options, shutdown.clone());
        let mut servers = Vec::new();
        for spoken in [None, Some(dialect)] {
            let listener = environment.listen("127.0.0.1:0").await.expect("loopback can be bound");
            let address = listener.local_address().expect("a bound address");
            let serving = match spoken {
                None => spawn(node.serve(listener)),
                Some(dialect) => spawn(node.speak(dialect, listener)),
            };
            servers.push(Self { store: store.clone(), address, shutdown: shutdown.clone(), serving });
        }
        let speaking = servers.pop().expect("there are two");
        (servers.pop().expect("there are two"), speaking)
    }

    /// A node that is reached in a dialect.
    pub(crate) async fn speaking(dialect: Dialect) -> Self {
        Self::start_speaking(dialect, HttpOptions::default()).await.1
    }

    pub(crate) async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).await.expect("the server accepts");
        stream.set_nodelay(true).expect("a socket takes the option");
        Connection { stream, unread: Vec::new() }
    }

    /// Sends one request on a connection of its own and compares the answer's transcript.
    #[track_caller]
    pub(crate) fn check(&self, request: &str, expected: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let request = request.to_owned();
        let expected = expected.to_owned();
        async move {
            let found = self.connect().await.ask(&request).await.transcript();
            assert_eq!(found, expected, "the answer to {request:?}, at {caller}");
        }
    }

    /// Sends one request on a connection of its own. Boxed: tests ask so often that their own futures would be
    /// too large for a stack.
    pub(crate) fn ask<'a>(&'a self, request: &'a str) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move { self.connect().await.ask(request).await })
    }
}

/// A request in short form, `METHOD path`, header lines, an empty line and a body, as it is sent.
pub(crate) fn full_request(short: &str) -> Vec<u8> {
    let (head, body) = short.split_once("\n\n").unwrap_or((short, ""));
    let mut lines = head.lines();
    let mut request = format!("{} HTTP/1.1\r\nhost: test\r\n", lines.next().expect("a request line"));
    for line in lines {
        request.push_str(line);
        request.push_str("\r\n");
    }
    if !body.is_empty() {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    request.into_bytes()
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server reads");
    }

    /// Sends bytes, or learns that the server does not want them any more.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Says that nothing more is to come.
    pub(crate) async fn finish_sending(&mut self) {
        // The server may have closed already.
        let _ = self.stream.shutdown().await;
    }

    /// Reads all that comes until the server closes.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        while self.read_some().await > 0 {}
        std::mem::take(&mut self.unread)
    }

    /// Sends a request in short form and reads its answer.
    pub(crate) async fn ask(&mut self, short: &str) -> Answer {
        self.send(&full_request(short)).await;
        let to_head = short.starts_with("HEAD ");
        self.answer(to_head).await.expect("the server answers")
    }

    /// The status of the answer to a request in short form; `None` if the server closes the connection.
    pub(crate) async fn ask_if_open(&mut self, short: &str) -> Option<u16> {
        self.try_send(&full_request(short)).await;
        self.answer(false).await.map(|answer| answer.status)
    }

    /// Reads an answer; `None` if the server closes the connection instead.
    pub(crate) async fn answer(&mut self, to_head: bool) -> Option<Answer> {
        let head_length = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if self.read_some().await == 0 {
                assert!(self.unread.is_empty(), "the server closed in the middle of a head");
                return None;
            }
        };
        let head: Vec<u8> = self.unread.drain(..head_length).collect();
        let mut answer = Answer::parse(std::str::from_utf8(&head).expect("the head is text"));
        if answer.header("transfer-encoding") == Some("chunked") && !to_head {
            answer.is_whole = self.read_chunks(&mut answer.body).await;
            return Some(answer);
        }
        let length = match answer.header("content-length") {
            Some(length) if !to_head => length.parse().expect("a length is a number"),
            _ => 0,
        };
        while self.unread.len() < length {
            assert_ne!(self.read_some().await, 0, "the server closed in the middle of a body");
        }
        answer.body = self.unread.drain(..length).collect();
        Some(answer)
    }

    /// Reads the chunks of a body. False if the server closes before the last one.
    async fn read_chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(line) = self.read_line().await else { return false };
            let length = usize::from_str_radix(&line, 16).expect("the length of a chunk");
            while self.unread.len() < length + 2 {
                if self.read_some().await == 0 {
                    return false;
                }
            }
            let chunk: Vec<u8> = self.unread.drain(..length + 2).collect();
            body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                return true;
            }
        }
    }

    async fn read_line(&mut self) -> Option<String> {
        let end = loop {
            if let Some(end) = self.unread.windows(2).position(|window| window == b"\r\n") {
                break end;
            }
            if self.read_some().await == 0 {
                return None;
            }
        };
        let line: Vec<u8> = self.unread.drain(..end + 2).collect();
        Some(String::from_utf8(line[..end].to_vec()).expect("a line is text"))
    }

    /// Waits until the server has closed the connection, and says whether it did so without another
    /// word.
    pub(crate) async fn is_closed_silently(&mut self) -> bool {
        while self.read_some().await > 0 {}
        self.unread.is_empty()
    }

    /// Waits until the whole head of an answer is there. False if the server closes instead.
    pub(crate) async fn head_has_arrived(&mut self) -> bool {
        while !self.unread.windows(4).any(|window| window == b"\r\n\r\n") {
            if self.read_some().await == 0 {
                return false;
            }
        }
        true
    }

    /// Reads what there is, but not more than `bytes_max`.
    pub(crate) async fn read_up_to(&mut self, bytes_max: usize) {
        let mut buffer = vec![0; bytes_max];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        let length = read.expect("the server goes on").expect("the connection stands");
        self.unread.extend_from_slice(&buffer[..length]);
    }

    async fn read_some(&mut self) -> usize {
        let mut buffer = [0; 65536];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer))
            .await
            .expect("the server answers or closes the connection");
        // A reset is an end too.
        let length = read.unwrap_or(0);
        self.unread.extend_from_slice(&buffer[..length]);
        length
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// False if the server closed the connection before the last chunk.
    pub(crate) is_whole: bool,
}

impl Answer {
    fn parse(head: &str) -> Self {
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().expect("a status line");
        let status = status_line.split(' ').nth(1).expect("a status").parse().expect("a number");
        let headers = lines
            .map(|line| line.split_once(": ").expect("a name and a value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { status, headers, body: Vec::new(), is_whole: true }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &value[..])
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body, read as JSON.
    #[track_caller]
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        assert!(self.is_whole, "the answer broke off");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status, headers and body, without what differs from run to run or only repeats the body.
    pub(crate) fn transcript(&self) -> String {
        let mut text = self.status.to_string();
        for (name, value) in &self.headers {
            if !matches!(&name[..], "date" | "content-length" | "quorate-request-id") {
                text.push_str(&format!("\n{name}: {value}"));
            }
        }
        if !self.body.is_empty() {
            text.push_str("\n\n");
            text.push_str(self.text());
        }
        text
    }
}
