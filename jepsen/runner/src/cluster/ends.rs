//! How a node's processes end by themselves, and whether something explains it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;

use crate::history::Conviction;
use crate::property::Property;

/// How long a node may take to end of what was done to it when that is over. Somebody has to look whether it runs at
/// least as often: when it ended is not known.
const END_LIMIT: Duration = Duration::from_secs(30);

/// What a node's processes may end of, and for how long.
#[derive(Debug, Default)]
struct Licence {
    /// How much there is that processes may end of, however often they are started.
    reasons: u32,
    /// Until when the process that runs may end of what is over.
    until: u64,
}

impl Licence {
    fn begin(&mut self) {
        self.reasons += 1;
    }

    fn end(&mut self, now: u64) {
        self.reasons = self.reasons.saturating_sub(1);
        self.until = now + END_LIMIT.as_nanos() as u64;
    }

    fn holds(&self, now: u64) -> bool {
        self.reasons > 0 || now <= self.until
    }
}

/// The ends of one node's processes. Moments are nanoseconds of the run.
///
/// What a process may end of, it ends of in order, with an exit code: no fault explains an end by a signal. One that is
/// removed or told to stop does so with success, unless a fault may make it fail.
#[derive(Debug, Default)]
pub struct Ends {
    /// How the last process ended, if it was not told to.
    pub last: Option<ExitStatus>,
    /// Ends that nothing explains.
    pub unexplained: Vec<Conviction>,
    /// Faults of its disk.
    failure: Licence,
    /// Removals.
    departure: Licence,
}

impl Ends {
    /// There is something now that processes may end of.
    pub fn expect(&mut self) {
        self.failure.begin();
    }

    /// That is over: if the process that runs ends of it, it does so soon.
    pub fn expect_soon(&mut self, now: u64) {
        self.failure.end(now);
    }

    /// The node is to be removed: its processes may end, with success.
    pub fn expect_departure(&mut self) {
        self.departure.begin();
    }

    /// It is known whether it was removed: if the process that runs ends of that, it does so soon.
    pub fn expect_departure_soon(&mut self, now: u64) {
        self.departure.end(now);
    }

    /// Another process was started. What is over it has not met.
    pub fn forget_process(&mut self) {
        self.last = None;
        self.failure.until = 0;
        self.departure.until = 0;
    }

    /// A process has ended by itself.
    pub fn note(&mut self, node: u8, status: ExitStatus, now: u64) {
        self.last = Some(status);
        let is_explained = status.signal().is_none()
            && (self.failure.holds(now) || status.success() && self.departure.holds(now));
        if !is_explained {
            self.convict(now, format!("Node {node} ended by itself ({status})."));
        }
    }

    /// A process has ended that was told to.
    pub fn note_told(&mut self, node: u8, status: ExitStatus, now: u64) {
        // One that does not listen yet ends of the signal itself.
        let is_too_young = status.signal() == Some(Signal::TERM.as_raw());
        let has_failed_of_a_fault = status.signal().is_none() && self.failure.holds(now);
        if !(status.success() || is_too_young || has_failed_of_a_fault) {
            self.convict(now, format!("Node {node} was told to end and did so with {status}."));
        }
    }

    fn convict(&mut self, when: u64, what: String) {
        self.unexplained.push(Conviction { when, property: Property::NodesGoOn, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// A process is started and ends at that moment; how many ends nothing explains then.
    fn start(ends: &mut Ends, now: u64) -> usize {
        ends.forget_process();
        ends.note(1, ExitStatus::default(), now);
        ends.unexplained.len()
    }

    #[test]
    fn as_long_as_there_is_a_reason_a_node_may_end_whenever_it_is_started() {
        let mut ends = Ends::default();
        // A full disk, and one that refuses.
        ends.expect();
        ends.expect();
        assert_eq!(start(&mut ends, 1), 0);
        assert_eq!(start(&mut ends, 2), 0, "it was started while the reason was there");
        ends.expect_soon(3);
        assert_eq!(start(&mut ends, 4), 0, "there is another reason");
        ends.expect_soon(5);
        assert_eq!(start(&mut ends, 6), 1, "it was started after the last");
    }

    #[test]
    fn who_has_met_a_fault_may_end_of_it_for_a_while() {
        let after = |now| {
            let mut ends = Ends::default();
            ends.expect();
            ends.expect_soon(0);
            ends.note(1, ExitStatus::default(), now);
            ends.unexplained.len()
        };
        assert_eq!(after(29 * SECOND), 0);
        assert_eq!(after(31 * SECOND), 1);
    }

    /// How many ends nothing explains after one with this status, as `wait` gives it.
    fn unexplained(ends: &mut Ends, status: i32) -> usize {
        ends.note(1, ExitStatus::from_raw(status), SECOND);
        ends.unexplained.len()
    }

    const FAILURE: i32 = 1 << 8;
    const SEGV: i32 = 11;
    const TERM: i32 = 15;

    #[test]
    fn no_fault_explains_an_end_by_a_signal() {
        let mut ends = Ends::default();
        ends.expect();
        assert_eq!(unexplained(&mut ends, FAILURE), 0);
        assert_eq!(unexplained(&mut ends, SEGV), 1);
        ends.expect_soon(0);
        assert_eq!(unexplained(&mut ends, SEGV), 2);
    }

    #[test]
    fn who_is_removed_ends_with_success() {
        let mut ends = Ends::default();
        ends.expect_departure();
        assert_eq!(unexplained(&mut ends, 0), 0);
        assert_eq!(unexplained(&mut ends, FAILURE), 1);
        ends.expect();
        assert_eq!(unexplained(&mut ends, FAILURE), 1, "its disk fails, too");
        ends.expect_soon(0);
        ends.expect_departure_soon(0);
        ends.forget_process();
        assert_eq!(unexplained(&mut ends, 0), 2, "it has come back");
    }

    #[test]
    fn who_is_told_to_end_does_so_with_success() {
        let mut ends = Ends::default();
        let mut told = |status, has_fault| {
            if has_fault {
                ends.expect();
            }
            ends.note_told(1, ExitStatus::from_raw(status), SECOND);
            std::mem::take(&mut ends.unexplained).len()
        };
        assert_eq!((told(0, false), told(TERM, false)), (0, 0));
        assert_eq!((told(FAILURE, false), told(SEGV, false)), (1, 1));
        assert_eq!((told(FAILURE, true), told(SEGV, false)), (0, 1), "its disk fails");
    }
}
