//! What can be read out of a node's metrics.

/// The share of requests that [`Latencies::percentile`] is to cover may be any; these are shown.
pub const MEDIAN: f64 = 0.5;
/// The slowest in a hundred.
pub const TAIL: f64 = 0.99;

/// The routes of requests about the node itself, such as ours.
const ABOUT_THE_NODE: [&str; 4] = ["cluster", "health", "metrics", "documentation"];

/// What a node has counted since it started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Requests that were answered, but for those about the node itself.
    pub requests: u64,
    /// Those of them that were answered with 429 or 5xx.
    pub failures: u64,
    /// How long they took.
    pub latencies: Latencies,
    /// Flushes of the log, and how long they took together, in seconds.
    pub flushes: (u64, f64),
}

/// How many requests took how long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    /// The bound of each bucket, in seconds and ascending, and how many requests were within it; the last bound is
    /// infinite.
    buckets: Vec<(f64, u64)>,
}

impl Counters {
    /// Reads the text that Prometheus would be given. What is not known is left out.
    ///
    /// Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>. Ours has neither timestamps nor
    /// braces or commas inside of labels.
    pub fn parse(text: &str) -> Self {
        let mut counters = Self::default();
        for sample in text.lines().filter_map(Sample::parse) {
            let is_about_the_node =
                sample.label("route").is_some_and(|route| ABOUT_THE_NODE.contains(&route));
            match sample.name {
                "quorate_http_requests_total" if !is_about_the_node => {
                    counters.requests += sample.count();
                    let status = sample.label("status").unwrap_or_default();
                    if status == "429" || status.starts_with('5') {
                        counters.failures += sample.count();
                    }
                }
                "quorate_http_request_duration_seconds_bucket" if !is_about_the_node => {
                    if let Some(bound) = sample.label("le").and_then(|bound| bound.parse().ok()) {
                        counters.latencies.add(bound, sample.count());
                    }
                }
                "quorate_log_flush_duration_seconds_count" => counters.flushes.0 = sample.count(),
                "quorate_log_flush_duration_seconds_sum" => counters.flushes.1 = sample.value,
                _ => {}
            }
        }
        counters
    }

    /// What was counted since `earlier`; None if the node was started anew meanwhile.
    pub fn since(&self, earlier: &Counters) -> Option<Counters> {
        Some(Counters {
            requests: self.requests.checked_sub(earlier.requests)?,
            failures: self.failures.checked_sub(earlier.failures)?,
            latencies: self.latencies.since(&earlier.latencies)?,
            flushes: (
                self.flushes.0.checked_sub(earlier.flushes.0)?,
                (self.flushes.1 - earlier.flushes.1).max(0.0),
            ),
        })
    }

    /// How long a flush of the log took on average, in seconds.
    pub fn flush_mean(&self) -> Option<f64> {
        (self.flushes.0 > 0).then(|| self.flushes.1 / self.flushes.0 as f64)
    }
}

impl Latencies {
    fn add(&mut self, bound: f64, count: u64) {
        match self.buckets.iter_mut().find(|(known, _)| *known == bound) {
            Some((_, sum)) => *sum += count,
            None => {
                self.buckets.push((bound, count));
                self.buckets.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            }
        }
    }

    fn since(&self, earlier: &Latencies) -> Option<Latencies> {
        let difference = self.buckets.iter().map(|(bound, count)| {
            let known = earlier.buckets.iter().find(|(known, _)| known == bound);
            let before = known.map_or(0, |(_, before)| *before);
            Some((*bound, count.checked_sub(before)?))
        });
        Some(Latencies { buckets: difference.collect::<Option<_>>()? })
    }

    /// Adds what another node has counted.
    pub fn merge(&mut self, other: &Latencies) {
        for (bound, count) in &other.buckets {
            self.add(*bound, *count);
        }
    }

    /// The bound within which this share of the requests was answered, in seconds: infinite if that is beyond the
    /// last bucket. None if there were none.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let (_, all) = self.buckets.last().filter(|(_, all)| *all > 0)?;
        let rank = (*all as f64 * share).ceil() as u64;
        self.buckets.iter().find(|(_, count)| *count >= rank).map(|(bound, _)| *bound)
    }
}

/// A line of the text.
struct Sample<'text> {
    name: &'text str,
    /// `a="b",c="d"`
    labels: &'text str,
    value: f64,
}

impl<'text> Sample<'text> {
    fn parse(line: &'text str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        Some(Self { name, labels: labels.trim_end_matches('}'), value: value.parse().ok()? })
    }

    fn label(&self, name: &str) -> Option<&'text str> {
        let mut labels = self.labels.split(',').filter_map(|label| label.split_once('='));
        labels.find(|(found, _)| *found == name).map(|(_, value)| value.trim_matches('"'))
    }

    fn count(&self) -> u64 {
        self.value as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP quorate_http_requests_total Answers.
quorate_http_requests_total{route="kv",method="put",status="200"} 8
quorate_http_requests_total{route="kv",method="get",status="503"} 2
quorate_http_requests_total{route="metrics",method="get",status="200"} 70
quorate_http_request_duration_seconds_bucket{route="kv",method="put",le="0.001"} 5
quorate_http_request_duration_seconds_bucket{route="kv",method="put",le="0.01"} 8
quorate_http_request_duration_seconds_bucket{route="kv",method="put",le="+Inf"} 8
quorate_http_request_duration_seconds_bucket{route="kv",method="get",le="0.001"} 0
quorate_http_request_duration_seconds_bucket{route="kv",method="get",le="0.01"} 1
quorate_http_request_duration_seconds_bucket{route="kv",method="get",le="+Inf"} 2
quorate_http_request_duration_seconds_bucket{route="metrics",method="get",le="+Inf"} 70
quorate_log_flush_duration_seconds_sum 0.5
quorate_log_flush_duration_seconds_count 10
what this is nobody knows
"#;

    #[test]
    fn requests_of_users_are_counted() {
        let counters = Counters::parse(TEXT);
        assert_eq!((counters.requests, counters.failures), (10, 2));
        assert_eq!(counters.latencies.percentile(MEDIAN), Some(0.001));
        assert_eq!(counters.latencies.percentile(0.9), Some(0.01));
        assert_eq!(counters.latencies.percentile(TAIL), Some(f64::INFINITY));
        assert_eq!(counters.flush_mean(), Some(0.05));
    }

    #[test]
    fn what_came_since_then_is_the_difference() {
        let earlier = Counters::parse(TEXT);
        let later = Counters::parse(&TEXT.replace("le=\"0.001\"} 0", "le=\"0.001\"} 1").replace(
            "le=\"0.01\"} 1\nquorate_http_request_duration_seconds_bucket{route=\"kv\",method=\"get\",le=\"+Inf\"} 2",
            "le=\"0.01\"} 2\nquorate_http_request_duration_seconds_bucket{route=\"kv\",method=\"get\",le=\"+Inf\"} 3",
        ));
        let between = later.since(&earlier).expect("it went on counting");
        assert_eq!(between.latencies.percentile(TAIL), Some(0.001));
        assert_eq!(between.requests, 0);
        assert_eq!(between.flush_mean(), None);
        // A node that was started anew begins to count again.
        assert_eq!(Counters::default().since(&earlier), None);
        assert_eq!(Latencies::default().percentile(MEDIAN), None);
    }
}
