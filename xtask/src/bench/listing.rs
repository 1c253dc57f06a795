//! Reading a list of all keys as it arrives, at full speed or slowly, without keeping it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long the server may be silent.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// With what an item begins.
const ITEM: &[u8] = b"{\"key\":\"";
/// With what an answer ends that is whole.
const END: &[u8] = b"]}";

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Items.
    pub keys: u64,
    /// Bytes, with the head of the answer.
    pub bytes: u64,
    /// Whether the answer had its end.
    pub is_whole: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Lists all keys. `bytes_per_second` bounds how fast they are read.
///
/// It speaks HTTP/1.0, because then the answer's body ends with the connection.
pub fn list_all(address: SocketAddr, bytes_per_second: Option<u64>) -> io::Result<Listing> {
    let began = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, READ_LIMIT)?;
    stream.set_read_timeout(Some(READ_LIMIT))?;
    stream.write_all(format!("GET /v1/kv HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut listing = Listing::default();
    let mut buffer = vec![0; 64 << 10];
    // What may be the beginning of an item, and stays in front of what is read next.
    let mut kept = 0;
    loop {
        let read = stream.read(&mut buffer[kept..])?;
        let text = &buffer[..kept + read];
        if read == 0 {
            listing.is_whole = text.ends_with(END);
            listing.elapsed = began.elapsed();
            return Ok(listing);
        }
        listing.bytes += read as u64;
        listing.keys += text.windows(ITEM.len()).filter(|window| window == &ITEM).count() as u64;
        let end = text.len();
        kept = (ITEM.len() - 1).min(end);
        buffer.copy_within(end - kept..end, 0);
        if let Some(rate) = bytes_per_second {
            let due = Duration::from_secs_f64(listing.bytes as f64 / rate as f64);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn items_are_counted_whatever_pieces_they_come_in() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = std::thread::spawn(move || {
            for end in ["]}", ""] {
                let (mut stream, _) = listener.accept().expect("a client");
                stream.set_nodelay(true).expect("a socket");
                assert_ne!(stream.read(&mut [0; 1024]).expect("a client that writes"), 0, "a request");
                let answer = format!("HTTP/1.0 200 OK\r\n\r\n[{}{end}", "{\"key\":\"a\"},".repeat(3));
                for byte in answer.as_bytes() {
                    stream.write_all(&[*byte]).expect("it reads");
                }
            }
        });
        let whole = list_all(address, None).expect("an answer");
        assert_eq!((whole.keys, whole.is_whole), (3, true));
        let broken_off = list_all(address, Some(1 << 20)).expect("an answer");
        assert_eq!((broken_off.keys, broken_off.is_whole), (3, false));
        server.join().expect("no panic");
    }
}
