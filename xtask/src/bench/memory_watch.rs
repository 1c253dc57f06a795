//! How much memory processes take while something else is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::bench::cluster::Cluster;
use crate::bench::usage::usage_of;
use crate::error::Error;

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// Looks at the memory of a cluster's members now and then, until it is asked for the most that it saw.
#[derive(Debug)]
pub struct MemoryWatch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<u64>, Error>>,
}

impl MemoryWatch {
    /// Watches the members that run now; none of them may end before the watch does.
    pub fn start(cluster: &Cluster) -> MemoryWatch {
        let processes = cluster.processes();
        let over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let mut most = vec![0; processes.len()];
                loop {
                    let is_last = over.load(Ordering::Relaxed);
                    for (most, now) in most.iter_mut().zip(anonymous_kib(&processes)?) {
                        *most = now.max(*most);
                    }
                    if is_last {
                        return Ok(most);
                    }
                    std::thread::sleep(INTERVAL);
                }
            }
        });
        MemoryWatch { over, thread }
    }

    /// The most that each member had resident, without pages of files, in MiB.
    pub fn most_mib(self) -> Result<Vec<f64>, Error> {
        self.over.store(true, Ordering::Relaxed);
        let most = self.thread.join().expect("the watch does not panic")?;
        Ok(most.into_iter().map(mib).collect())
    }
}

/// What each member has resident now, without pages of files, in MiB.
pub fn anonymous_mib(cluster: &Cluster) -> Result<Vec<f64>, Error> {
    Ok(anonymous_kib(&cluster.processes())?.into_iter().map(mib).collect())
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn anonymous_kib(processes: &[u32]) -> Result<Vec<u64>, Error> {
    let of_one = |process: &u32| {
        let process = process.to_string();
        usage_of(&process).map(|usage| usage.anonymous_kib).map_err(|source| Error::Process {
            action: "measuring",
            process,
            source,
        })
    };
    processes.iter().map(of_one).collect()
}

/// Memory of several members in words.
pub fn in_words(mib: &[f64]) -> String {
    mib.iter().map(|mib| format!("{mib:.0}")).collect::<Vec<_>>().join(", ")
}
