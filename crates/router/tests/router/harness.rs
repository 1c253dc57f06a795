//! A router on loopback, and a client that speaks raw HTTP to it.

use std::time::Duration;

use quorate_client::Endpoint;
use quorate_environment::{Environment, Listener, TokioEnvironment};
use quorate_http::HttpOptions;
use quorate_router::{RouterOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::nodes::{Act, Node};

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running router.
pub struct Router {
    pub address: String,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<()>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::nodes::header(&self.head, name)
    }

    pub fn code(&self) -> String {
        let body: quorate_api::ErrorBody = serde_json::from_str(&self.body).expect("is an error body");
        body.code
    }
}

impl Router {
    /// In front of the nodes at `urls`.
    pub async fn start(urls: &[&str]) -> Self {
        Self::start_with(urls, HttpOptions::default()).await
    }

    pub async fn start_with(urls: &[&str], http: HttpOptions) -> Self {
        let environment = TokioEnvironment::new();
        let listener = environment.listen("127.0.0.1:0").await.expect("loopback can be bound");
        let address = listener.local_address().expect("a bound address");
        let cluster = urls.iter().map(|url| Endpoint::parse(url).expect("is an endpoint")).collect();
        let shutdown = CancellationToken::new();
        let options = RouterOptions { cluster, http };
        let serving = tokio::spawn(serve(environment, listener, options, shutdown.clone()));
        Self { address, shutdown, serving }
    }

    /// In front of these nodes, the first of which leads; with everything known of them.
    pub async fn in_front_of(nodes: &[&Node]) -> Self {
        let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
        for node in nodes {
            node.knows("x", 1, &urls);
            node.follows(1, urls[0]);
        }
        let router = Self::start(&urls).await;
        router.await_metric(&format!("quorate_router_node_leads{{node=\"{}\"}} 1", urls[0])).await;
        for url in urls {
            router.await_metric(&format!("quorate_router_node_up{{node=\"{url}\"}} 1")).await;
        }
        router
    }

    /// Waits until a line stands in the metrics.
    pub async fn await_metric(&self, line: &str) {
        let waiting = async {
            while !self.ask("GET /metrics").await.body.contains(line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("waited too long for {line}"));
    }

    /// Sends a request, `METHOD path`, header lines, an empty line and a body, on a connection of its own.
    pub async fn ask(&self, request: &str) -> Answer {
        self.try_ask(request).await.expect("the router answers")
    }

    /// The same; `None` if the answer breaks off.
    pub async fn try_ask(&self, request: &str) -> Option<Answer> {
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let mut lines = head.lines();
        let mut text = format!("{} HTTP/1.1\r\nhost: router\r\nconnection: close\r\n", lines.next()?);
        for line in lines {
            text.push_str(&format!("{line}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str(&format!("\r\n{body}"));
        let mut stream = TcpStream::connect(&self.address).await.expect("the router accepts");
        stream.write_all(text.as_bytes()).await.expect("the router reads");
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
        read.expect("the answer ends").ok()?;
        let text = String::from_utf8(bytes).expect("answers are text");
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let is_whole = match crate::nodes::header(head, "transfer-encoding") {
            Some(_) => body.ends_with("\r\n0\r\n\r\n") || body == "0\r\n\r\n",
            None => true,
        };
        is_whole.then(|| Answer { status, head: head.to_owned(), body: body.to_owned() })
    }
}

/// The first lines of the requests that a node got, without their queries.
pub fn lines(node: &Node) -> Vec<String> {
    node.requests()
        .iter()
        .map(|request| request.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" "))
        .collect()
}

/// A node with one act.
pub async fn node(act: Act) -> Node {
    Node::start([act]).await
}
