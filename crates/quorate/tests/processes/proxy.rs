//! A network that loses answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Something between client and node that passes requests on, and loses some of the answers to writes.
pub struct Proxy {
    pub url: String,
    lost: Arc<AtomicUsize>,
}

impl Proxy {
    /// In front of the node at `url`; loses the answer to the first write, and to every `period`-th behind it.
    pub fn start(url: &str, period: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let node = url.trim_start_matches("http://").to_owned();
        let proxy = Self {
            url: format!("http://{}", listener.local_addr().expect("is bound")),
            lost: Arc::new(AtomicUsize::new(0)),
        };
        let (lost, writes) = (Arc::clone(&proxy.lost), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (node, lost, writes) = (node.clone(), Arc::clone(&lost), Arc::clone(&writes));
                std::thread::spawn(move || {
                    // A node that is down ends the connection, as if it had been asked itself.
                    let _ = pass(client?, TcpStream::connect(node)?, period, &lost, &writes);
                    std::io::Result::Ok(())
                });
            }
        });
        proxy
    }

    /// How many answers were lost.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Passes one request after the other on. The connection ends where an answer is lost.
fn pass(
    mut client: TcpStream,
    mut node: TcpStream,
    period: usize,
    lost: &AtomicUsize,
    writes: &AtomicUsize,
) -> std::io::Result<()> {
    while let Some(request) = read_message(&mut client)? {
        node.write_all(&request)?;
        let Some(answer) = read_message(&mut node)? else { return Ok(()) };
        let is_write = request.windows(16).any(|window| window == b"idempotency-key:");
        if is_write && writes.fetch_add(1, Ordering::SeqCst).is_multiple_of(period) {
            lost.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        client.write_all(&answer)?;
    }
    Ok(())
}

/// Reads a head and as much of a body as it states.
fn read_message(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().expect("a number"));
            if bytes.len() >= end + 4 + length {
                return Ok(Some(bytes));
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}
