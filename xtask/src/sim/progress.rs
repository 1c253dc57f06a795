//! How far many seeds are: a bar on a terminal, a line now and then in a log.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a log gets a line.
const LINE_INTERVAL: Duration = Duration::from_secs(15);

/// Shows how far many seeds are.
pub struct Progress {
    what: String,
    bar: ProgressBar,
    total: u64,
    done: u64,
    failed: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Nothing of `total` is done.
    pub fn new(what: &str, total: u64) -> Progress {
        let bar = ProgressBar::new(total);
        let style = ProgressStyle::with_template("{prefix} [{bar:40}] {pos}/{len} {msg} eta {eta}")
            .expect("the template is a constant that parses");
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(what.to_owned());
        let now = Instant::now();
        Progress { what: what.to_owned(), bar, total, done: 0, failed: 0, started: now, last_line: now }
    }

    /// One more seed is done.
    pub fn step(&mut self, passed: bool) {
        self.done += 1;
        self.failed += u64::from(!passed);
        let rate = self.done as f64 / self.started.elapsed().as_secs_f64();
        let message = format!("{rate:.1} seeds/s, {} failed", self.failed);
        if self.bar.is_hidden() && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            println!("{}: {}/{} {message}", self.what, self.done, self.total);
        }
        self.bar.set_message(message);
        self.bar.inc(1);
    }

    /// Prints without tearing the bar.
    pub fn print(&self, text: &str) {
        self.bar.suspend(|| println!("{text}"));
    }

    /// Takes the bar away and gives the time since the start.
    pub fn finish(self) -> Duration {
        self.bar.finish_and_clear();
        self.started.elapsed()
    }
}
