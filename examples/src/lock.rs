//! A lock: runs a command while holding it, as `flock` does on one machine.
//!
//! ```sh
//! quorate-lock NAME COMMAND [ARGUMENT…]
//! ```
//!
//! The lock is the key `lock/NAME`. Who creates it holds the lock, and writes it anew every second to show that it
//! is alive. Who waits looks at the key; if that has not changed for three seconds, the holder is taken for dead
//! and the key is removed, on the condition that it still has not changed. Only durations are measured, each on
//! one machine, so nobody's clock has to be right.
//!
//! **What it does not promise.** The holder may be alive all the same: paused, or cut off. The store never has two
//! holders at once, but the old one may not know yet that it was replaced. Nor does the command end with its holder: who
//! kills `quorate-lock` alone leaves it running, and when the lock is lost only the command itself is killed, not what
//! it has started. So whatever matters is *fenced*: the
//! revision at which the key was created is the holder's token. It grows from holder to holder, and a write that
//! depends on it, such as [`Lock::put`], is refused once the lock has gone to somebody else. The command finds the
//! token in the variable `LOCK_TOKEN`, and can pass it to other systems that keep the greatest one they have seen.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use quorate_client::{
    Client, ClientBuilder, ClientError, Condition, Operation, Relation, TransactionBuilder, compare,
    operation,
};
use tokio::process::Command;

/// The nodes of `quorate dev`.
const NODES: &str = "http://127.0.0.1:7801,http://127.0.0.1:7802,http://127.0.0.1:7803";
/// How long a lock lasts that nobody renews. The same for all who use it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often its holder renews it.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(1);
/// How often those who wait look at it.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// What keeps the command from being run to its end.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("usage: quorate-lock NAME COMMAND [ARGUMENT…]")]
    Usage,
    #[error(transparent)]
    Store(#[from] ClientError),
    #[error("running the command: {0}")]
    Command(#[from] std::io::Error),
    #[error("the lock was lost, and the command was killed")]
    Lost,
}

/// A lock that is held, or was.
struct Lock {
    client: Client,
    key: String,
    holder: String,
    /// The revision at which the key was created: greater than that of every earlier holder.
    token: u64,
    /// When the last renewal was asked for that is known to have been done.
    renewed: Instant,
}

impl Lock {
    /// Waits until the lock is ours.
    async fn acquire(client: &Client, key: &str, holder: &str) -> Result<Self, ClientError> {
        let mut seen: Option<(u64, Instant)> = None;
        loop {
            let renewed = Instant::now();
            match client.put_if(key, holder.to_owned(), Condition::Absent).await {
                Ok(written) => {
                    let (client, key, holder) = (client.clone(), key.to_owned(), holder.to_owned());
                    return Ok(Self { client, key, holder, token: written.revision, renewed });
                }
                Err(ClientError::Conflict { current: Some(revision) }) => {
                    let since = match seen {
                        Some((earlier, since)) if earlier == revision => since,
                        _ => Instant::now(),
                    };
                    seen = Some((revision, since));
                    if since.elapsed() >= PATIENCE {
                        remove_dead(client, key, revision).await?;
                    } else {
                        tokio::time::sleep(POLL_INTERVAL).await;
                    }
                }
                // Should it have been done after all, nobody renews that lock, and it goes as that of a dead holder.
                Err(error) if error.is_outcome_unknown() || error.is_retryable() => {
                    eprintln!("quorate-lock: {error}");
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Shows that the holder lives. False if the lock has gone to somebody else, or to nobody.
    async fn renew(&mut self) -> Result<bool, ClientError> {
        let asked = Instant::now();
        let is_ours = self.put(&self.key, &self.holder).await?;
        self.renewed = asked;
        Ok(is_ours)
    }

    /// How long the lock certainly is not taken for that of a dead holder. Counted from before the last renewal: those
    /// who wait count from when they see what it has written.
    fn time_left(&self) -> Duration {
        PATIENCE.saturating_sub(self.renewed.elapsed())
    }

    /// Puts a key if the lock is still ours, in one step. False if it is not.
    async fn put(&self, key: &str, value: &str) -> Result<bool, ClientError> {
        self.fenced(operation::put(key.to_owned(), value.to_owned())).await
    }

    async fn release(self) -> Result<bool, ClientError> {
        self.fenced(operation::delete(self.key.clone())).await
    }

    async fn fenced(&self, operation: Operation) -> Result<bool, ClientError> {
        let is_ours = compare::key(self.key.clone()).create_revision(Relation::Equal, self.token);
        let transaction = TransactionBuilder::new().when(is_ours).then(operation);
        self.client.transact(transaction).await.map(|done| done.succeeded)
    }
}

/// Removes a lock that has not changed for so long. If it has now, its holder lives: that is no failure.
async fn remove_dead(client: &Client, key: &str, revision: u64) -> Result<(), ClientError> {
    match client.delete_if(key, Condition::RevisionIs(revision)).await {
        Ok(_) => eprintln!("the holder of {key} was taken for dead"),
        Err(error) if error.is_conflict() || error.is_outcome_unknown() || error.is_retryable() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("quorate-lock: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<u8, Failure> {
    let mut arguments = std::env::args().skip(1);
    let (name, program) = arguments.next().zip(arguments.next()).ok_or(Failure::Usage)?;
    let nodes = std::env::var("QUORATE_ENDPOINTS").unwrap_or_else(|_| NODES.to_owned());
    // Short, so that a renewal that hangs is noticed while the lock is still held.
    let client = ClientBuilder::new(nodes.split(',')).timeout(RENEWAL_INTERVAL).build()?;
    let holder = format!("process {}", std::process::id());
    let mut lock = Lock::acquire(&client, &format!("lock/{name}"), &holder).await?;
    eprintln!("{} is held by {holder} with token {}", lock.key, lock.token);
    let mut command = Command::new(program);
    command.args(arguments).env("LOCK_KEY", &lock.key).env("LOCK_TOKEN", lock.token.to_string());
    let mut child = command.kill_on_drop(true).spawn()?;
    let status = loop {
        let pause = RENEWAL_INTERVAL.min(lock.time_left());
        if let Ok(ended) = tokio::time::timeout(pause, child.wait()).await {
            break ended?;
        }
        match tokio::time::timeout(lock.time_left(), lock.renew()).await {
            Ok(Ok(true)) => {}
            Ok(Err(error)) => eprintln!("quorate-lock: {error}"),
            // It is somebody else's, or may be from now on.
            Ok(Ok(false)) | Err(_) => return Err(Failure::Lost),
        }
    };
    match lock.release().await {
        Ok(true) => {}
        Ok(false) => eprintln!("quorate-lock: somebody else took the lock before the command had ended"),
        // How the command has ended counts more. Nobody renews the lock any more, and it goes as a dead holder's.
        Err(error) => eprintln!("quorate-lock: the lock is left to time out: {error}"),
    }
    if let Err(error) = client.close().await {
        eprintln!("quorate-lock: {error}");
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
