//! Questions of the harness itself, which are few: one connection for each.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer to a question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Asks, in HTTP/1.0, so that an answer ends with its connection. None if no whole one came within `limit`.
pub async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
    limit: Duration,
) -> Option<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.ok()?;
        parse(&String::from_utf8_lossy(&bytes))
    };
    tokio::time::timeout(limit, exchange).await.ok()?
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_none_or(|length| body.len() >= length).then(|| Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let answer = parse("HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\nno").expect("it is whole");
        assert_eq!((answer.status, answer.body.as_str()), (404, "no"));
    }

    #[test]
    fn half_an_answer_is_none() {
        assert!(parse("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nno").is_none());
        assert!(parse("HTTP/1.0 200 OK\r\ncontent").is_none());
    }
}
