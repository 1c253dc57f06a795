//! How busy the whole machine is, as Linux tells it in `/proc/stat`.

use crate::error::Error;

/// The file that says so.
const STAT: &str = "/proc/stat";
/// Which numbers of the line are not work: idle, and waiting for a disk.
const NOT_WORK: std::ops::RangeInclusive<usize> = 3..=4;
/// Numbers after these count guests a second time.
const TIMES: usize = 8;

/// Processor time that everything on this machine has used since it started, in seconds.
pub fn busy_seconds() -> Result<f64, Error> {
    let text = std::fs::read_to_string(STAT).map_err(Error::file("reading", STAT.as_ref()))?;
    let ticks = busy_ticks(&text).ok_or_else(|| Error::Malformed {
        what: STAT.to_owned(),
        reason: "no line of processor times".to_owned(),
    })?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn busy_ticks(stat: &str) -> Option<u64> {
    let times = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let mut busy = 0;
    for (index, time) in times.split_whitespace().take(TIMES).enumerate() {
        let ticks: u64 = time.parse().ok()?;
        busy += if NOT_WORK.contains(&index) { 0 } else { ticks };
    }
    Some(busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_no_work() {
        assert_eq!(busy_ticks("cpu  1 2 4 1000 1000 8 16 32 1000 1000\ncpu0 5 5 5 5\n"), Some(63));
        assert_eq!(busy_ticks("intr 5"), None);
    }
}
