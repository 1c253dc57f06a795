//! Query parameters.
//!
//! Values are plain: nothing in them needs percent-encoding, so none is undone.

use std::time::Duration;

/// How fresh a read has to be: a name of [`crate::Consistency`].
pub const CONSISTENCY: &str = "consistency";

/// How long the whole request may take: see [`parse_timeout`].
pub const TIMEOUT: &str = "timeout";

/// The time limit of a request that does not state one.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// The longest time limit that a request may state.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// Reads a time limit of a request: see [`parse_duration`]; at most [`TIMEOUT_MAX`].
pub fn parse_timeout(text: &str) -> Option<Duration> {
    parse_duration(text).filter(|timeout| *timeout <= TIMEOUT_MAX)
}

/// Reads a duration: a whole number, more than zero, and `ms`, `s` or `m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits_end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, unit) = text.split_at(digits_end);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return None,
    };
    let milliseconds = digits.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    (milliseconds > 0).then_some(Duration::from_millis(milliseconds))
}

/// Writes a time limit, rounded down to milliseconds, within what [`parse_timeout`] takes.
pub fn format_timeout(timeout: Duration) -> String {
    format!("{}ms", timeout.clamp(Duration::from_millis(1), TIMEOUT_MAX).as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_three_units() {
        assert_eq!(parse_timeout("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_timeout("2s"), Some(Duration::from_secs(2)));
        assert_eq!(parse_timeout("1m"), Some(TIMEOUT_MAX));
        assert_eq!(parse_duration("90m"), Some(Duration::from_secs(5400)));
    }

    #[test]
    fn other_timeouts_are_refused() {
        for text in [
            "",
            "5",
            "s",
            "ms",
            "0s",
            "0ms",
            "-1s",
            "+1s",
            "1.5s",
            "61s",
            "60001ms",
            "2m",
            "1h",
            "1 s",
            "1ss",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_timeout(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for timeout in [Duration::ZERO, Duration::from_micros(1500), TIMEOUT_MAX * 2] {
            assert!(parse_timeout(&format_timeout(timeout)).is_some());
        }
    }
}
