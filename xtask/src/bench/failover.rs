//! `cargo xtask bench failover`: how long writes fail after the leader is killed.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::bench::cluster::{Cluster, System};
use crate::bench::http_probe::request;
use crate::bench::spread::Spread;
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// How often another write is sent while none has succeeded.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(5);
/// After this long without a success the measurement is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);
/// How long one attempt may take.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);

/// How `cargo xtask bench failover` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many leaders to kill.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: u64,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Kills leaders, starts them again, and prints how long it took until a write succeeded.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let folder = bench_folder(workspace, "failover");
    let mut cluster = Cluster::start(&system, &folder, 3)?;
    let mut times_ms = Vec::new();
    for round in 1..=arguments.rounds {
        let leader = cluster.leader()?;
        let mut survivors = cluster.client_addresses();
        let killed_address = survivors.remove(leader);
        // A write before, so that a cluster that could not write anyhow is not blamed on the kill.
        wait_for_write(&survivors, &format!("before-{round}"), Instant::now())?;
        let killed = cluster.kill(leader)?;
        let elapsed = wait_for_write(&survivors, &format!("after-{round}"), killed)?;
        let milliseconds = elapsed.as_secs_f64() * 1000.0;
        println!(
            "round {round}: leader {killed_address} killed, a write succeeded after {milliseconds:.0} ms"
        );
        times_ms.push(milliseconds);
        cluster.spawn(leader)?;
        cluster.wait_ready(leader)?;
    }
    cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;
    let spread: Spread = times_ms.into_iter().collect();
    println!(
        "\nfrom kill -9 of the leader to the first acknowledged write: median (min..max) {spread:.0} ms"
    );
    Ok(())
}

/// The time from `since` until a write sent after it succeeds at any of `addresses`.
///
/// A new write is sent every few milliseconds and none is waited for, as many clients would do it. One
/// that the server holds until it knows a leader counts as well as one that came at the right time.
fn wait_for_write(addresses: &[SocketAddr], key: &str, since: Instant) -> Result<Duration, Error> {
    let (send, receive) = mpsc::channel();
    let path = format!("/v1/kv/failover-{key}");
    for &address in addresses.iter().cycle() {
        let (send, path) = (send.clone(), path.clone());
        // Left to itself: it ends by its own limit, and nobody needs its answer once one has succeeded.
        std::thread::spawn(move || {
            let answer = request(address, "PUT", &path, "value", ATTEMPT_LIMIT);
            if answer.is_ok_and(|answer| (200..300).contains(&answer.status)) {
                // The receiver is gone once a write has succeeded.
                let _ = send.send(Instant::now());
            }
        });
        if let Ok(succeeded) = receive.recv_timeout(ATTEMPT_INTERVAL) {
            return Ok(succeeded - since);
        }
        if since.elapsed() > GIVE_UP_AFTER {
            break;
        }
    }
    Err(Error::ChecksFailed(format!("no write succeeded within {GIVE_UP_AFTER:?}")))
}
