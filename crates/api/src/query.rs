//! Query parameters.
//!
//! Values are plain: nothing in them needs percent-encoding, so none is undone. The exceptions are bytes of
//! keys: see [`crate::range_parameters`].

use std::borrow::Cow;
use std::time::Duration;

use crate::consistency::Consistency;
use crate::decimal;

/// The revision to read at, of a read.
pub const REVISION: &str = "revision";

/// How fresh a read has to be: a name of [`crate::Consistency`].
pub const CONSISTENCY: &str = "consistency";

/// How old the state of a stale read may have been when the request arrived: see [`parse_duration`].
pub const MAX_STALENESS: &str = "max_staleness";

/// How long the whole request may take: see [`parse_timeout`].
pub const TIMEOUT: &str = "timeout";

/// Whether to do what is likely to be a mistake, of a `DELETE` of a member: `true` or `false`.
pub const FORCE: &str = "force";

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

/// Writes a duration, rounded down to milliseconds but not to none, as [`parse_duration`] reads it.
pub fn format_duration(duration: Duration) -> String {
    format!("{}ms", duration.as_millis().max(1))
}

/// Writes a time limit, rounded down to milliseconds, within what [`parse_timeout`] takes.
pub fn format_timeout(timeout: Duration) -> String {
    format!("{}ms", timeout.clamp(Duration::from_millis(1), TIMEOUT_MAX).as_millis())
}

/// A query that is not what the path takes; says which parameter is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadQuery {
    message: Cow<'static, str>,
}

impl BadQuery {
    /// With this message, which names the parameter.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into() }
    }

    /// The message.
    pub fn into_message(self) -> Cow<'static, str> {
        self.message
    }
}

/// The names and raw values in a raw query.
#[derive(Clone, Debug)]
pub struct Parameters<'query> {
    rest: std::str::Split<'query, char>,
}

impl<'query> Parameters<'query> {
    /// Those of `raw_query`.
    pub fn of(raw_query: &'query str) -> Self {
        Self { rest: raw_query.split('&') }
    }
}

impl<'query> Iterator for Parameters<'query> {
    type Item = (&'query str, &'query str);

    fn next(&mut self) -> Option<(&'query str, &'query str)> {
        let parameter = self.rest.by_ref().find(|parameter| !parameter.is_empty())?;
        Some(parameter.split_once('=').unwrap_or((parameter, "")))
    }
}

/// Keeps the value of a parameter that may be given once.
pub fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), BadQuery> {
    match place.replace(value) {
        Some(_) => Err(BadQuery::new(format!("the query parameter {name:?} is given twice"))),
        None => Ok(()),
    }
}

/// The error for a parameter that the path does not take.
pub fn unknown(name: &str) -> BadQuery {
    BadQuery::new(format!("the query parameter {name:?} is not known here"))
}

/// A value that is a name of [`Consistency`].
pub fn consistency(value: &str) -> Result<Consistency, BadQuery> {
    Consistency::from_name(value)
        .ok_or_else(|| BadQuery::new(format!("consistency is linearizable, lease or stale, not {value:?}")))
}

/// A value that is a bound on staleness: see [`MAX_STALENESS`].
pub fn max_staleness(value: &str) -> Result<Duration, BadQuery> {
    parse_duration(value).ok_or_else(|| {
        BadQuery::new(format!("max_staleness is like 500ms or 2s, more than 0, not {value:?}"))
    })
}

/// Refuses a bound on staleness of a read that is not stale: nobody can have meant that.
pub fn check_staleness(
    consistency: Option<Consistency>,
    max_staleness: Option<Duration>,
) -> Result<(), BadQuery> {
    match (consistency, max_staleness) {
        (Some(Consistency::Stale), _) | (_, None) => Ok(()),
        (_, Some(_)) => Err(BadQuery::new("max_staleness goes with consistency=stale")),
    }
}

/// A value that is a time limit: see [`parse_timeout`].
pub fn timeout(value: &str) -> Result<Duration, BadQuery> {
    parse_timeout(value).ok_or_else(|| {
        let maximum_s = TIMEOUT_MAX.as_secs();
        BadQuery::new(format!(
            "timeout is like 500ms or 2s, more than 0 and at most {maximum_s}s, not {value:?}"
        ))
    })
}

/// A value that is a whole number of 64 bits.
pub fn number(name: &str, value: &str) -> Result<u64, BadQuery> {
    let number = decimal::parse(value).filter(|_| !value.is_empty());
    number.ok_or_else(|| BadQuery::new(format!("{name} is a whole number of 64 bits, not {value:?}")))
}

/// A value that is `true` or `false`.
pub fn flag(name: &str, value: &str) -> Result<bool, BadQuery> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(BadQuery::new(format!("{name} is true or false, not {value:?}"))),
    }
}

/// A query that is being written.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    query: String,
}

impl Writer {
    /// Adds a parameter, whose value is encoded already.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(name);
        self.query.push('=');
        self.query.push_str(value);
    }

    pub(crate) fn finish(self) -> String {
        self.query
    }
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
    fn only_a_stale_read_may_bound_its_staleness() {
        let bound = Some(Duration::from_secs(2));
        assert_eq!(check_staleness(Some(Consistency::Stale), bound), Ok(()));
        assert_eq!(check_staleness(Some(Consistency::Lease), None), Ok(()));
        for consistency in [None, Some(Consistency::Linearizable), Some(Consistency::Lease)] {
            assert!(check_staleness(consistency, bound).is_err());
        }
        for value in ["", "2", "0s", "soon"] {
            assert!(max_staleness(value).is_err(), "{value}");
        }
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
        for duration in [Duration::ZERO, Duration::from_micros(1500), Duration::from_secs(86_400)] {
            assert!(parse_duration(&format_duration(duration)).is_some());
        }
        for timeout in [Duration::ZERO, Duration::from_micros(1500), TIMEOUT_MAX * 2] {
            assert!(parse_timeout(&format_timeout(timeout)).is_some());
        }
    }
}
