//! Real `quorate` processes on loopback, and a plain HTTP client to talk to them.

// Each test binary uses the part that it needs.
#![allow(dead_code, reason = "every test file compiles this module for itself")]

pub mod machines;
pub mod proxy;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything here may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a command's error has in it that asked for a leader while a member was silent for a moment, which may
/// happen on a busy machine. Nothing was done then.
pub const SILENCE_CODES: [&str; 3] = ["(member_unreachable)", "(member_lagging)", "(no_successor)"];

/// The binary under test.
pub fn quorate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    // What the developer's shell has set must not reach the tests.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("QUORATE_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command of the binary to its end.
pub fn run(arguments: &[&str]) -> Output {
    quorate().args(arguments).stdin(Stdio::null()).output().expect("the binary runs")
}

/// Polls until `condition` gives something, or fails the test.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(result) = condition() {
            return result;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where the ports of tests lie: below those that the kernel gives to outgoing connections (from 32,768 on
/// Linux), so that none of them is taken while a node that was killed is to come back to it.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Ports that were free a moment ago. Each is given out once in a process.
pub fn free_ports(count: usize) -> Vec<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let width = u32::from(PORTS.end - PORTS.start);
    // Test binaries that run side by side begin far apart.
    let first = std::process::id().wrapping_mul(7919);
    let mut ports = Vec::new();
    while ports.len() < count {
        let offset = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % width;
        let port = PORTS.start + u16::try_from(offset).expect("the range is one of ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            ports.push(port);
        }
    }
    ports
}

/// A port for `quorate dev`: its two neighbours, and the three a hundred above, are free too. No other test of
/// this process is given any port near it.
pub fn free_dev_port() -> u16 {
    loop {
        let ports = free_ports(103);
        let first = ports[0];
        if [1, 2, 100, 101, 102].iter().all(|step| ports.contains(&(first + step))) {
            return first;
        }
    }
}

/// A process that is killed when the test ends.
pub struct Process(pub Child);

impl Process {
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(status.expect("kill runs").success(), "kill {signal}");
    }

    pub fn kill(&mut self) {
        self.0.kill().expect("the process can be killed");
        self.0.wait().expect("the process ends");
    }

    pub fn await_exit(&mut self) -> ExitStatus {
        eventually("the process to exit", || self.0.try_wait().expect("the process can be waited for"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a process's standard output until a line satisfies `wanted`; gives all lines so far.
pub fn read_until(process: &mut Process, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let output = process.0.stdout.take().expect("standard output is piped");
    let mut lines = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line.expect("the process writes text");
        let done = wanted(&line);
        lines.push(line);
        if done {
            return lines;
        }
    }
    panic!("the process ended its output early: {lines:#?}");
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

/// One request on a connection of its own. `Err` if the connection or the answer broke.
pub fn request(
    url: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &[u8],
) -> std::io::Result<Answer> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| std::io::Error::other("the answer ended early"))?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("the answer has no status"))?;
    let answer = Answer { status, body: bytes[end + 4..].to_vec(), head };
    match answer.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if method != "HEAD" && length != answer.body.len() => {
            Err(std::io::Error::other("the body ended early"))
        }
        _ => Ok(answer),
    }
}

pub fn put(url: &str, key: &str, value: &[u8]) -> std::io::Result<Answer> {
    request(url, "PUT", &format!("/v1/kv/{key}"), &[], value)
}

pub fn get(url: &str, key: &str) -> std::io::Result<Answer> {
    request(url, "GET", &format!("/v1/kv/{key}"), &[], b"")
}

/// Waits until the node can serve.
pub fn await_ready(url: &str) {
    eventually(&format!("{url} to be ready"), || {
        request(url, "GET", "/readyz", &[], b"").ok().filter(|answer| answer.status == 200)
    });
}

/// Three `quorate serve` processes.
pub struct Cluster {
    directory: PathBuf,
    client_ports: Vec<u16>,
    peer_ports: Vec<u16>,
    nodes: Vec<Option<Process>>,
}

impl Cluster {
    /// Starts a cluster of three with its data below `directory` and waits until every node serves.
    pub fn start(directory: &Path) -> Self {
        let ports = free_ports(6);
        let (client_ports, peer_ports) = (ports[..3].to_vec(), ports[3..].to_vec());
        let mut cluster = Self { directory: directory.to_owned(), client_ports, peer_ports, nodes: vec![] };
        for index in 0..3 {
            cluster.nodes.push(None);
            cluster.start_node(index);
        }
        for index in 0..3 {
            await_ready(&cluster.url(index));
        }
        cluster
    }

    pub fn url(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}", self.client_ports[index])
    }

    pub fn peer_address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.peer_ports[index])
    }

    pub fn urls(&self) -> Vec<String> {
        (0..3).map(|index| self.url(index)).collect()
    }

    pub fn data_directory(&self, index: usize) -> PathBuf {
        self.directory.join(format!("n{}", index + 1))
    }

    /// The command that runs node `index`.
    pub fn command(&self, index: usize) -> Command {
        self.command_as(index, index + 1, self.client_ports[index], self.peer_ports[index])
    }

    /// The command that runs a node in the directory of node `index`, but as `member` and on other ports.
    pub fn command_as(&self, index: usize, member: usize, client_port: u16, peer_port: u16) -> Command {
        let members: Vec<_> =
            (0..3).map(|index| format!("{}={}", index + 1, self.peer_address(index))).collect();
        let mut command = quorate();
        command
            .args(["--log", "warn", "serve", "--id", &member.to_string()])
            .arg("--data-dir")
            .arg(self.data_directory(index))
            .args(["--listen", &format!("127.0.0.1:{client_port}")])
            .args(["--peer-listen", &format!("127.0.0.1:{peer_port}")])
            .args(["--initial-cluster", &members.join(",")])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    pub fn start_node(&mut self, index: usize) {
        let child = self.command(index).spawn().expect("the node starts");
        self.nodes[index] = Some(Process(child));
    }

    pub fn kill(&mut self, index: usize) {
        self.nodes[index].take().expect("the node runs").kill();
    }

    /// Waits until the process of node `index` ends by itself.
    pub fn await_exit(&mut self, index: usize) -> ExitStatus {
        let mut process = self.nodes[index].take().expect("the node runs");
        process.await_exit()
    }

    pub fn terminate(&mut self, index: usize) -> ExitStatus {
        let mut process = self.nodes[index].take().expect("the node runs");
        process.signal("-TERM");
        process.await_exit()
    }

    /// The index of the node that leads, as node `asked` sees it.
    pub fn leader(&self, asked: usize) -> usize {
        eventually("a leader", || {
            let answer = request(&self.url(asked), "GET", "/v1/cluster", &[], b"").ok()?;
            let status: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
            let member = status["leader"]["member"].as_str()?.parse::<usize>().ok()?;
            Some(member - 1)
        })
    }
}

/// A router that is told of the first of these nodes, which says who the others are.
pub fn start_router(nodes: &[String]) -> (Process, String) {
    let address = format!("127.0.0.1:{}", free_ports(1)[0]);
    let child = quorate()
        .args(["--log", "warn", "route", "--cluster", &nodes[0], "--listen", &address])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the router starts");
    let (process, url) = (Process(child), format!("http://{address}"));
    await_ready(&url);
    for node in nodes {
        await_metric(&url, &format!("quorate_router_node_up{{node=\"{node}\"}} 1"));
    }
    (process, url)
}

/// Waits until a node or a router has this line in its metrics.
pub fn await_metric(router: &str, line: &str) {
    eventually(line, || {
        let metrics = request(router, "GET", "/metrics", &[], b"").ok()?;
        metrics.text().contains(line).then_some(())
    });
}
