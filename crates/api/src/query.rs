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

/// Reads a time limit: a whole number and `ms` or `s`, more than zero and at most [`TIMEOUT_MAX`].
pub fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit_ms) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let milliseconds = digits.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    let timeout = Duration::from_millis(milliseconds);
    (!timeout.is_zero() && timeout <= TIMEOUT_MAX).then_some(timeout)
}

/// Writes a time limit, rounded down to milliseconds, within what [`parse_timeout`] takes.
pub fn format_timeout(timeout: Duration) -> String {
    format!("{}ms", timeout.clamp(Duration::from_millis(1), TIMEOUT_MAX).as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_two_units() {
        assert_eq!(parse_timeout("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_timeout("2s"), Some(Duration::from_secs(2)));
        assert_eq!(parse_timeout("60s"), Some(TIMEOUT_MAX));
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
            "1m",
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
