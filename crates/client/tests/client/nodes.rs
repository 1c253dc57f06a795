//! Nodes that follow a script.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate_client::{Client, ClientBuilder, ClusterMember, ClusterStatus, ErrorCode, Written};
use quorate_environment::{Environment, TokioEnvironment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a scripted node does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends these bytes.
    Answer(String),
    /// Sends these bytes and closes the connection.
    AnswerAndClose(String),
    /// Closes the connection.
    Close,
    /// Says nothing.
    Hang,
}

/// A node that takes one act after another, over any number of connections; the last act repeats. What is about
/// sessions it does without regard to them: it opens sessions 7, 8 and so on, and each lives for a minute. Nor are
/// there acts for telling who the members are, if the node knows: see [`Node::knows`].
pub struct Node {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    acts: Arc<Mutex<Vec<Act>>>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
    session_requests: Vec<String>,
    sessions: u64,
    /// What it says of the cluster, and how long it takes for that.
    status: Option<ClusterStatus>,
    status_delay: Duration,
    times_asked: usize,
}

impl Node {
    pub async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let url = format!("http://{}", listener.local_addr().expect("is bound"));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let acts = Arc::new(Mutex::new(acts.into_iter().collect::<Vec<_>>()));
        let node = Self { url, seen: Arc::clone(&seen), acts: Arc::clone(&acts) };
        TokioEnvironment::new().spawn("scripted-node", async move {
            loop {
                let (stream, _) = listener.accept().await.expect("loopback accepts");
                seen.lock().expect("not poisoned").connections += 1;
                TokioEnvironment::new()
                    .spawn("scripted-node-connection", serve(stream, Arc::clone(&seen), Arc::clone(&acts)));
            }
        });
        node
    }

    /// From now on these are its acts.
    pub fn acts(&self, acts: impl IntoIterator<Item = Act>) {
        *self.acts.lock().expect("not poisoned") = acts.into_iter().collect();
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").requests.clone()
    }

    /// The requests about sessions, without their timeouts.
    pub fn session_requests(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("not poisoned");
        let line = |request: &String| request.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" ");
        seen.session_requests.iter().map(line).collect()
    }

    /// From now on the node says that these are the members of this cluster.
    pub fn knows(&self, cluster_id: &str, applied_index: u64, members: &[&str]) {
        let mut status: ClusterStatus =
            serde_json::from_str(include_str!("cluster.json")).expect("is a status");
        let template = status.members[0].clone();
        let member = |url: &&str| ClusterMember { client_url: Some((*url).to_owned()), ..template.clone() };
        status.cluster_id = Some(cluster_id.to_owned());
        status.applied_index = applied_index;
        status.members = members.iter().map(member).collect();
        self.seen.lock().expect("not poisoned").status = Some(status);
    }

    /// From now on the node, which knows the members, says that the one at this URL leads in this term.
    pub fn follows(&self, term: u64, leader: &str) {
        let mut seen = self.seen.lock().expect("not poisoned");
        let status = seen.status.as_mut().expect("it knows the members");
        (status.term, status.leader_client_url) = (term, Some(leader.to_owned()));
    }

    /// From now on the node takes so long to say who the members are.
    pub fn is_far(&self, status_delay: Duration) {
        self.seen.lock().expect("not poisoned").status_delay = status_delay;
    }

    /// How often it has said who the members are.
    pub fn times_asked(&self) -> usize {
        self.seen.lock().expect("not poisoned").times_asked
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().expect("not poisoned").connections
    }
}

impl Seen {
    /// Notes a request, and gives the answer if it is about a session or the members.
    fn note(&mut self, request: String) -> Option<Act> {
        if let (true, Some(status)) = (request.starts_with("GET /v1/cluster "), &self.status) {
            self.times_asked += 1;
            let status = serde_json::to_string(status).expect("can be written as JSON");
            return Some(answer("200", &[], &status));
        }
        let Some((_, path)) = request.split_once(" /v1/sessions") else {
            self.requests.push(request);
            return None;
        };
        let is_delete = request.starts_with("DELETE");
        let opens = !path.starts_with('/');
        self.session_requests.push(request);
        self.sessions += u64::from(opens);
        let session = 6 + self.sessions;
        Some(match (is_delete, opens) {
            (true, _) => answer("204", &[], ""),
            (false, true) => {
                answer("201", &[], &format!("{{\"session\":\"{session}\",\"ttl_ms\":\"60000\"}}"))
            }
            (false, false) => {
                answer("200", &[], &format!("{{\"session\":\"{session}\",\"ttl_ms\":\"60000\"}}"))
            }
        })
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Seen>>, acts: Arc<Mutex<Vec<Act>>>) {
    while let Some(request) = read_request(&mut stream).await {
        let is_about_members = request.starts_with("GET /v1/cluster ");
        let delay = seen.lock().expect("not poisoned").status_delay;
        if is_about_members && !delay.is_zero() {
            TokioEnvironment::new().sleep(delay).await;
        }
        let without_act = seen.lock().expect("not poisoned").note(request);
        let act = if let Some(answer) = without_act {
            answer
        } else {
            let mut acts = acts.lock().expect("not poisoned");
            if acts.len() > 1 { acts.remove(0) } else { acts[0].clone() }
        };
        match act {
            Act::Answer(bytes) => stream.write_all(bytes.as_bytes()).await.expect("the client reads"),
            Act::AnswerAndClose(bytes) => {
                stream.write_all(bytes.as_bytes()).await.expect("the client reads");
                return;
            }
            Act::Close => return,
            Act::Hang => std::future::pending().await,
        }
    }
}

/// Reads one request, head and body.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned))
                .map_or(0, |length| length.parse().expect("a number"));
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
        }
    }
}

pub fn answer(status: &str, headers: &[&str], body: &str) -> Act {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    Act::Answer(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
}

pub fn done() -> Act {
    answer(
        "200",
        &["etag: \"5\"", "quorate-revision: 5", "quorate-create-revision: 3", "quorate-version: 2"],
        "",
    )
}

pub fn found() -> Act {
    answer(
        "200",
        &["etag: \"5\"", "quorate-revision: 9", "quorate-create-revision: 3", "quorate-version: 2"],
        "value",
    )
}

/// A refusal by a node that asks for this many seconds of patience.
pub fn refusal_for(code: ErrorCode, retry_after_s: u64) -> Act {
    let body = format!("{{\"code\":\"{code}\",\"message\":\"because\"}}");
    answer(&code.status().to_string(), &[&format!("retry-after: {retry_after_s}")], &body)
}

pub fn refusal(code: ErrorCode) -> Act {
    let body = format!("{{\"code\":\"{code}\",\"message\":\"because\"}}");
    answer(&code.status().to_string(), &["quorate-revision: 9", "quorate-request-id: 00ff"], &body)
}

pub const DONE: Written = Written { revision: 5, create_revision: 3, version: 2 };

/// A client that stays with its nodes.
fn builder_of(urls: &[&str]) -> ClientBuilder {
    ClientBuilder::new(urls.iter().copied()).follow_members(false)
}

pub fn client_of(urls: &[&str]) -> Client {
    builder_of(urls).build().expect("the endpoints are well formed")
}

/// A client that writes without sessions.
pub fn plain_client_of(urls: &[&str]) -> Client {
    builder_of(urls).without_sessions().build().expect("well formed")
}

/// A client that gives up soon, but not so soon that a busy machine would make it.
pub fn hasty_client_of(urls: &[&str]) -> Client {
    builder_of(urls).timeout(Duration::from_secs(3)).build().expect("well formed")
}

/// Waits until something is so.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool + Send) {
    let environment = TokioEnvironment::new();
    let waiting = async {
        while !is_so() {
            environment.sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = environment.timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("waited too long for: {what}"));
}

/// The value of a header of a request.
pub fn header<'request>(request: &'request str, name: &str) -> Option<&'request str> {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A URL at which nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    format!("http://{}", listener.local_addr().expect("is bound"))
}
