//! A counter that any number of processes increment, none of whose increments is lost or done twice.
//!
//! ```sh
//! quorate-counter KEY TIMES
//! ```
//!
//! Each increment reads the value with its revision and writes it back on the condition that the key still has this
//! revision. If another process was faster, the condition does not hold, and it is done again with what is there
//! now: each refusal means that somebody else went on. An answer that gets lost on its way does no harm, because the
//! client repeats the write under the number that it has in the client's session.

use std::process::ExitCode;

use quorate_client::{Client, ClientError, Condition};

/// The nodes of `quorate dev`.
const NODES: &str = "http://127.0.0.1:7801,http://127.0.0.1:7802,http://127.0.0.1:7803";

/// Why there is no new value.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("usage: quorate-counter KEY TIMES")]
    Usage,
    #[error(transparent)]
    Store(#[from] ClientError),
    #[error("{key} is no counter: its value is no number that can grow")]
    NoCounter { key: String },
}

/// Adds one; gives the new value.
async fn increment(client: &Client, key: &str) -> Result<u64, Failure> {
    loop {
        let (value, condition) = match client.get(key).await? {
            Some(entry) => {
                let text = str::from_utf8(&entry.value).ok();
                (text.and_then(|text| text.parse().ok()), Condition::RevisionIs(entry.mod_revision))
            }
            None => (Some(0), Condition::Absent),
        };
        let next = value.and_then(|value: u64| value.checked_add(1));
        let next = next.ok_or_else(|| Failure::NoCounter { key: key.to_owned() })?;
        match client.put_if(key, next.to_string(), condition).await {
            Ok(_) => return Ok(next),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (key, times) = arguments.next().zip(arguments.next()).ok_or(Failure::Usage)?;
    let times: u64 = times.parse().map_err(|_| Failure::Usage)?;
    let nodes = std::env::var("QUORATE_ENDPOINTS").unwrap_or_else(|_| NODES.to_owned());
    let client = Client::new(nodes.split(','))?;
    for _ in 0..times {
        println!("{}", increment(&client, &key).await?);
    }
    client.close().await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quorate-counter: {failure}");
            ExitCode::FAILURE
        }
    }
}
