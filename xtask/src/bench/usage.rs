//! What a process uses, as Linux tells it in `/proc`. Both programs of this package compile this file.

use std::io;
use std::path::Path;

/// What a process uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Processor time since it started, in seconds.
    pub cpu_seconds: f64,
    /// Memory resident now, in KiB.
    pub resident_kib: u64,
    /// The part of that which is no page of a file, in KiB: what lies in LMDB's map is not in it, because the
    /// system takes that back when it needs the room.
    pub anonymous_kib: u64,
}

/// What the process, a number or `self`, uses now.
pub fn usage_of(process: &str) -> io::Result<Usage> {
    let folder = Path::new("/proc").join(process);
    let stat = std::fs::read_to_string(folder.join("stat"))?;
    let status = std::fs::read_to_string(folder.join("status"))?;
    let malformed = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let ticks = cpu_ticks(&stat).ok_or_else(|| malformed("no processor time in stat"))?;
    let resident_kib = kib(&status, "VmRSS:").ok_or_else(|| malformed("no VmRSS in status"))?;
    let anonymous_kib = kib(&status, "RssAnon:").ok_or_else(|| malformed("no RssAnon in status"))?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    Ok(Usage { cpu_seconds: ticks as f64 / ticks_per_second as f64, resident_kib, anonymous_kib })
}

/// User and system time from a line of `stat`; the program's name in it may hold anything but ends at
/// the last parenthesis.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    // The third field of the line is the first after the name; times are the 14th and 15th.
    let mut times = fields.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(user + system)
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "12 (a) b (c) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(kib("Name: x\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2048));
    }

    #[test]
    fn a_process_sees_itself() {
        let usage = usage_of("self").expect("Linux");
        assert!(usage.anonymous_kib > 0 && usage.resident_kib >= usage.anonymous_kib);
    }
}
