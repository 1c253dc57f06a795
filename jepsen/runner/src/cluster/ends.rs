//! How a node's processes end by themselves, and whether something explains it.

use std::process::ExitStatus;
use std::time::Duration;

use crate::history::Conviction;
use crate::property::Property;

/// How long a node may take to end of what was done to it when that is over. Somebody has to look whether it runs at
/// least as often: when it ended is not known.
const END_LIMIT: Duration = Duration::from_secs(30);

/// The ends of one node's processes. Moments are nanoseconds of the run.
#[derive(Debug, Default)]
pub struct Ends {
    /// How the last process ended, if it was not told to.
    pub last: Option<ExitStatus>,
    /// Ends that nothing explains.
    pub unexplained: Vec<Conviction>,
    /// How much there is that processes may end of, however often they are started.
    reasons: u32,
    /// Until when the process that runs may end of what is over.
    may_end_until: u64,
}

impl Ends {
    /// There is something now that processes may end of.
    pub fn expect(&mut self) {
        self.reasons += 1;
    }

    /// That is over: if the process that runs ends of it, it does so soon.
    pub fn expect_soon(&mut self, now: u64) {
        self.reasons = self.reasons.saturating_sub(1);
        self.may_end_until = now + END_LIMIT.as_nanos() as u64;
    }

    /// Another process was started. What is over it has not met.
    pub fn forget_process(&mut self) {
        self.last = None;
        self.may_end_until = 0;
    }

    /// A process has ended by itself.
    pub fn note(&mut self, node: u8, status: ExitStatus, now: u64) {
        self.last = Some(status);
        if self.reasons == 0 && now > self.may_end_until {
            let what = format!("Node {node} ended by itself ({status}).");
            self.unexplained.push(Conviction { when: now, property: Property::NodesGoOn, what });
        }
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
}
