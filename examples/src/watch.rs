//! A watcher of a configuration: shows all keys with a prefix, and then every change of them, until it is
//! interrupted.
//!
//! ```sh
//! quorate-watch PREFIX
//! ```
//!
//! The whole configuration is read at one revision. From there on the watcher asks for the store's history since the
//! last revision that it has seen, which costs little while nothing changes, and misses nothing: each change comes
//! once and in order, however many there are between two looks. Only if it was away for so long that the history
//! was compacted meanwhile does it have to read everything again.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use quorate_client::{Client, ClientError, Keys};

/// The nodes of `quorate dev`.
const NODES: &str = "http://127.0.0.1:7801,http://127.0.0.1:7802,http://127.0.0.1:7803";
/// How often it looks.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Keys and values.
type Configuration = BTreeMap<String, String>;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Everything there is now, and the revision from which on changes are yet to be seen.
async fn load(client: &Client, prefix: &str) -> Result<(Configuration, u64), ClientError> {
    let mut range = client.range(Keys::prefix(prefix));
    let mut configuration = Configuration::new();
    let mut next_revision = 1;
    while let Some(page) = range.next_page().await? {
        next_revision = page.revision + 1;
        let items = page.items.iter();
        configuration
            .extend(items.map(|item| (text(&item.key), text(item.value.as_deref().unwrap_or_default()))));
    }
    Ok((configuration, next_revision))
}

/// Takes in what has changed from revision `from` on, which becomes the revision to go on from.
async fn follow(
    client: &Client,
    prefix: &str,
    from: &mut u64,
    configuration: &mut Configuration,
) -> Result<(), ClientError> {
    let mut history = client.history(*from);
    while let Some(changes) = history.next_page().await? {
        for change in changes.into_iter().filter(|change| change.key.starts_with(prefix.as_bytes())) {
            let key = text(&change.key);
            match change.put {
                Some(put) => {
                    println!("{}: {key} = {}", change.revision, text(&put.value));
                    configuration.insert(key, text(&put.value));
                }
                None => {
                    println!("{}: {key} is gone", change.revision);
                    configuration.remove(&key);
                }
            }
        }
        *from = history.next_from();
    }
    Ok(())
}

async fn watch(client: &Client, prefix: &str) -> Result<(), ClientError> {
    loop {
        let (mut configuration, mut from) = match load(client, prefix).await {
            Ok(loaded) => loaded,
            Err(error) if error.is_retryable() || matches!(error, ClientError::Compacted { .. }) => {
                eprintln!("quorate-watch: {error}");
                tokio::time::sleep(POLL_INTERVAL).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        println!("{} keys begin with {prefix:?} at revision {}", configuration.len(), from - 1);
        for (key, value) in &configuration {
            println!("{key} = {value}");
        }
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            match follow(client, prefix, &mut from, &mut configuration).await {
                Ok(()) => {}
                Err(ClientError::Compacted { .. }) => break,
                // The cluster may be back at the next look. What is in use stays in use until then.
                Err(error) if error.is_retryable() => eprintln!("quorate-watch: {error}"),
                Err(error) => return Err(error),
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(prefix) = std::env::args().nth(1) else {
        eprintln!("usage: quorate-watch PREFIX");
        return ExitCode::FAILURE;
    };
    let nodes = std::env::var("QUORATE_ENDPOINTS").unwrap_or_else(|_| NODES.to_owned());
    let watching = async { watch(&Client::new(nodes.split(','))?, &prefix).await };
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => ExitCode::SUCCESS,
        Err(error) = watching => {
            eprintln!("quorate-watch: {error}");
            ExitCode::FAILURE
        }
    }
}
