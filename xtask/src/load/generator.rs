//! The clients' loops and what they measure.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use crate::load_report::LoadReport;
use crate::target::{Connection, RequestError};
use crate::usage::usage_of;
use crate::{Arguments, Operation};

/// The slowest operation that is told apart from slower ones.
const LATENCY_US_MAX: u64 = 600_000_000;
/// How long a client waits after a failure, so that it does not spin against a store that is down.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// Why the generator could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The asynchronous runtime did not start.
    #[error("starting the runtime: {0}")]
    Runtime(std::io::Error),
    /// No first connection could be made.
    #[error(transparent)]
    Connect(#[from] RequestError),
    /// Our own processor time could not be read.
    #[error("reading our own processor time: {0}")]
    Usage(std::io::Error),
    /// The report could not be written as JSON.
    #[error("writing the report: {0}")]
    Report(serde_json::Error),
}

/// What all clients share: they run on one thread.
struct Measurement {
    /// Operations that end before this are not counted.
    start: Instant,
    /// Operations that end after this are not counted, and no further one is sent.
    end: Instant,
    latencies_us: Histogram<u64>,
    errors: u64,
    first_error: Option<String>,
    /// The next key to load.
    next_key: u64,
}

impl Measurement {
    fn record(&mut self, began: Instant, result: Result<(), RequestError>) {
        let now = Instant::now();
        if now < self.start || now > self.end {
            return;
        }
        match result {
            Ok(()) => {
                let latency_us = u64::try_from((now - began).as_micros()).unwrap_or(u64::MAX);
                self.latencies_us.saturating_record(latency_us);
            }
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

/// Runs the clients and reports what they saw.
pub async fn generate(arguments: &Arguments) -> Result<LoadReport, LoadError> {
    let connections = connect(arguments).await?;
    let now = Instant::now();
    let is_load = arguments.operation == Operation::Load;
    // Loading is measured from its first key to its last, however long that is.
    let start = if is_load { now } else { now + arguments.warm_up() };
    let end = if is_load { now + Duration::from_secs(24 * 3600) } else { start + arguments.measured() };
    let latencies_us = Histogram::new_with_max(LATENCY_US_MAX, 3).expect("three digits of a valid range");
    let measurement = Rc::new(RefCell::new(Measurement {
        start,
        end,
        latencies_us,
        errors: 0,
        first_error: None,
        next_key: 0,
    }));

    let local = LocalSet::new();
    let mut clients = Vec::new();
    for (number, connection) in connections.into_iter().enumerate() {
        let client = Client::new(arguments, number as u64, connection, Rc::clone(&measurement));
        clients.push(local.spawn_local(client.run()));
    }
    let cpu_seconds = || usage_of("self").map(|usage| usage.cpu_seconds).map_err(LoadError::Usage);
    let mut cpu_before = cpu_seconds()?;
    local
        .run_until(async {
            if !is_load {
                tokio::time::sleep_until(start.into()).await;
                cpu_before = cpu_seconds()?;
            }
            for client in clients {
                client.await.expect("a client neither panics nor is cancelled");
            }
            Ok::<(), LoadError>(())
        })
        .await?;
    let generator_cpu_seconds = cpu_seconds()? - cpu_before;
    let seconds = if is_load { start.elapsed() } else { arguments.measured() }.as_secs_f64();
    let measurement = measurement.borrow();
    let latencies_us = &measurement.latencies_us;
    Ok(LoadReport {
        operations: latencies_us.len(),
        errors: measurement.errors,
        first_error: measurement.first_error.clone(),
        seconds,
        rate: latencies_us.len() as f64 / seconds,
        p50_us: latencies_us.value_at_quantile(0.5),
        p99_us: latencies_us.value_at_quantile(0.99),
        p999_us: latencies_us.value_at_quantile(0.999),
        max_us: latencies_us.max(),
        generator_cpu_seconds,
    })
}

/// One connection a client, or handles of fewer connections.
async fn connect(arguments: &Arguments) -> Result<Vec<Connection>, RequestError> {
    let mut connections: Vec<Connection> = Vec::new();
    let own = arguments.connections.unwrap_or(arguments.clients).min(arguments.clients) as usize;
    for number in 0..arguments.clients as usize {
        let shared = if number < own { None } else { connections[number % own].share() };
        let connection = match shared {
            Some(connection) => connection,
            None => Connection::open(arguments.target, endpoint(arguments, number)).await?,
        };
        connections.push(connection);
    }
    Ok(connections)
}

fn endpoint(arguments: &Arguments, number: usize) -> &str {
    &arguments.endpoints[number % arguments.endpoints.len()]
}

/// One closed-loop client.
struct Client {
    operation: Operation,
    keys: u64,
    value: Bytes,
    random: u64,
    connection: Connection,
    reopen: (crate::target::TargetKind, String),
    measurement: Rc<RefCell<Measurement>>,
}

impl Client {
    fn new(
        arguments: &Arguments,
        number: u64,
        connection: Connection,
        measurement: Rc<RefCell<Measurement>>,
    ) -> Client {
        // Any odd factor spreads the clients' generators; they need not be good, only different.
        let mut random = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let value = (0..arguments.value_bytes).map(|_| next_random(&mut random) as u8).collect();
        Client {
            operation: arguments.operation,
            keys: arguments.keys,
            value,
            random,
            connection,
            reopen: (arguments.target, endpoint(arguments, number as usize).to_owned()),
            measurement,
        }
    }

    async fn run(mut self) {
        while let Some(key) = self.next_key() {
            let key = format!("bench-{key:010}");
            let began = Instant::now();
            let mut result = self.send(&key).await;
            while let (Err(_), Operation::Load) = (&result, self.operation) {
                // A key that is to be there must be there, so loading tries again.
                self.measurement.borrow_mut().record(began, result);
                self.recover().await;
                result = self.send(&key).await;
            }
            let failed = result.is_err();
            self.measurement.borrow_mut().record(began, result);
            if failed {
                self.recover().await;
            }
        }
    }

    fn next_key(&mut self) -> Option<u64> {
        let mut measurement = self.measurement.borrow_mut();
        if self.operation == Operation::Load {
            let key = measurement.next_key;
            measurement.next_key += 1;
            return (key < self.keys).then_some(key);
        }
        (Instant::now() < measurement.end).then(|| next_random(&mut self.random) % self.keys)
    }

    async fn send(&mut self, key: &str) -> Result<(), RequestError> {
        match self.operation {
            Operation::Put | Operation::Load => self.connection.put(key, self.value.clone()).await,
            Operation::Get => {
                let bytes = self.connection.get(key).await?;
                if bytes == self.value.len() {
                    Ok(())
                } else {
                    Err(RequestError::Answer(format!("a value of {bytes} bytes")))
                }
            }
        }
    }

    /// Waits a little and connects again; if that fails, the next request will.
    async fn recover(&mut self) {
        tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        if let Ok(connection) = Connection::open(self.reopen.0, &self.reopen.1).await {
            self.connection = connection;
        }
    }
}

/// Marsaglia's xorshift: fast, and good enough to choose keys.
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
