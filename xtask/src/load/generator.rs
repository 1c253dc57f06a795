//! Starts the clients, waits for their end, and reports what they measured.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::client::Client;
use crate::load_report::LoadReport;
use crate::measurement::Measurement;
use crate::target::{Connection, RequestError};
use crate::usage::usage_of;
use crate::{Arguments, Operation};

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

/// Runs the clients and reports what they saw.
pub async fn generate(arguments: &Arguments) -> Result<LoadReport, LoadError> {
    let connections = connect(arguments).await?;
    let now = Instant::now();
    let is_load = arguments.operation == Operation::Load;
    // Loading is measured from its first key to its last, however long that is.
    let start = if is_load { now } else { now + arguments.warm_up() };
    let end = if is_load { now + Duration::from_secs(24 * 3600) } else { start + arguments.measured() };
    let measurement = Rc::new(RefCell::new(Measurement::new(start, end)));
    if arguments.until_input_ends {
        end_with_input(measurement.borrow().early_end());
    }
    let next_key = Rc::new(Cell::new(arguments.first_key));

    let local = LocalSet::new();
    let mut clients = Vec::new();
    for (number, connection) in connections.into_iter().enumerate() {
        let (measurement, next_key) = (Rc::clone(&measurement), Rc::clone(&next_key));
        let endpoint = endpoint(arguments, number);
        let client = Client::new(arguments, number as u64, endpoint, connection, measurement, next_key);
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
    let ends_early = is_load || arguments.until_input_ends;
    let seconds = if ends_early { start.elapsed() } else { arguments.measured() }.as_secs_f64();
    Ok(measurement.borrow().report(seconds, generator_cpu_seconds))
}

/// Ends the measurement when the standard input does. The thread ends with the process.
fn end_with_input(early_end: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        // Whatever ends it, an error too, is its end.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        early_end.store(true, Ordering::Relaxed);
    });
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
