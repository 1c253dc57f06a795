//! Numbers that a node tells of itself in its metrics.

use std::net::SocketAddr;
use std::time::Duration;

use crate::bench::http_probe::request;
use crate::error::Error;

/// How long a node may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// What a node says of one number, by its name.
pub fn gauge(address: SocketAddr, name: &str) -> Result<f64, Error> {
    let answer = request(address, "GET", "/metrics", "", LIMIT).map_err(|source| Error::Process {
        action: "asking for the metrics of",
        process: address.to_string(),
        source,
    })?;
    sample(&answer.body, name).ok_or_else(|| Error::Malformed {
        what: format!("the metrics of {address}"),
        reason: format!("{} without {name}", answer.status),
    })
}

/// The sample of this name that has no labels.
fn sample(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_whole_name() {
        let metrics = "# TYPE keys gauge\nkeys_of_all 7\nkeys{a=\"b\"} 2\nkeys 3\n";
        assert_eq!(sample(metrics, "keys"), Some(3.0));
        assert_eq!(sample(metrics, "of_all"), None);
    }
}
