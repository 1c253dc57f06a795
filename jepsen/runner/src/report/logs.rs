//! What the nodes' logs say around a moment.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::NodeLog;

/// How much before and after a moment is shown.
const MARGIN: Duration = Duration::from_secs(3);
/// Lines of one node that are shown at most.
const LINES_MAX: usize = 120;
const SECONDS_PER_DAY: u64 = 86_400;

/// Some lines of a node's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// The node.
    pub node: u8,
    /// The lines.
    pub lines: Vec<String>,
}

/// What the logs say around a moment; if none is given, or nothing stands there (the node's clock may have been set),
/// the last that they say.
pub fn excerpts(logs: &[NodeLog], moment: Option<SystemTime>) -> Vec<Excerpt> {
    let excerpt = |log: &NodeLog| {
        let text = fs::read(&log.path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let lines = match text {
            Ok(text) => select(&text, moment),
            Err(error) => vec![format!("{} cannot be read: {error}", log.path.display())],
        };
        Excerpt { node: log.node, lines }
    };
    logs.iter().map(excerpt).collect()
}

fn select(text: &str, moment: Option<SystemTime>) -> Vec<String> {
    let lines: Vec<String> = text.lines().map(without_colours).collect();
    let around = moment.map(|moment| {
        let (from, until) = (timestamp(moment - MARGIN), timestamp(moment + MARGIN));
        let is_around =
            |line: &&String| line.get(..from.len()).is_some_and(|time| *time >= *from && *time <= *until);
        lines.iter().filter(is_around).take(LINES_MAX).cloned().collect::<Vec<_>>()
    });
    match around {
        Some(around) if !around.is_empty() => around,
        _ => lines[lines.len().saturating_sub(LINES_MAX)..].to_vec(),
    }
}

/// A line without the sequences that colour it in a terminal.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(escape) = rest.find('\u{1b}') {
        plain.push_str(&rest[..escape]);
        rest = rest[escape..].split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

/// A moment as lines of the log begin, to the second: `2026-11-22T05:05:30`. The order of such texts is that of time.
pub fn timestamp(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn moments_are_written_as_in_logs() {
        assert_eq!(timestamp(at(0)), "1970-01-01T00:00:00");
        assert_eq!(timestamp(at(951_782_400)), "2000-02-29T00:00:00");
        assert_eq!(timestamp(at(1_795_323_930)), "2026-11-22T05:05:30");
        assert_eq!(timestamp(at(1_798_761_599)), "2026-12-31T23:59:59");
    }

    #[test]
    fn lines_around_a_moment_are_selected_or_else_the_last() {
        let text = "2026-11-22T05:05:00.1Z early\n\u{1b}[2m2026-11-22T05:05:30.2Z\u{1b}[0m there\n2026-11-22T05:06:00Z late\n";
        assert_eq!(select(text, Some(at(1_795_323_930))), ["2026-11-22T05:05:30.2Z there"]);
        assert_eq!(select(text, Some(at(0))).len(), 3);
        assert_eq!(select(text, None).len(), 3);
    }
}
