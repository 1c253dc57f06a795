//! Writes that wait to be proposed, in the order of their arrival.
//!
//! A write waits as long as somebody waits for it: its place is given up with its [`Ticket`]. Whoever
//! hangs up, for whatever reason, thereby takes the write back, and what is queued is never more than what
//! callers hold a share of the bytes in flight for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use quorate_environment::Moment;
use quorate_kv::Command;
use tokio::sync::{Notify, oneshot};

use crate::proposer::ProposeResult;

/// Commands in one proposal.
const PROPOSAL_COMMANDS_MAX: usize = 1024;
/// Bytes of keys and values after which a proposal takes no further command.
const PROPOSAL_BYTES_MAX: usize = 1 << 20;

/// A write in the queue.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// What to write.
    pub(crate) command: Command,
    /// After this moment it is not to be proposed any more.
    pub(crate) deadline: Moment,
    /// Where its end is told.
    pub(crate) result: oneshot::Sender<ProposeResult>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct ProposalQueue {
    places: Mutex<Places>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Places {
    next_number: u64,
    /// By number, which is the order of arrival.
    waiting: BTreeMap<u64, Waiting>,
    closed: bool,
}

/// A caller's place in the queue, given up when dropped.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    queue: &'a ProposalQueue,
    number: u64,
}

impl ProposalQueue {
    /// How many writes wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Puts a write at the end. Nothing if the queue is closed.
    pub(crate) fn join(&self, waiting: Waiting) -> Option<Ticket<'_>> {
        let number = {
            let mut places = self.lock();
            if places.closed {
                return None;
            }
            let number = places.next_number;
            places.next_number += 1;
            places.waiting.insert(number, waiting);
            number
        };
        self.arrived.notify_one();
        Some(Ticket { queue: self, number })
    }

    /// Waits until a write may have come.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes the writes of one proposal. Those whose deadline has come by `now` end here.
    pub(crate) fn take_batch(&self, now: Moment) -> Vec<Waiting> {
        let mut places = self.lock();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < PROPOSAL_COMMANDS_MAX && bytes < PROPOSAL_BYTES_MAX {
            let Some((_, first)) = places.waiting.pop_first() else { break };
            if first.deadline <= now {
                // Whoever waits may be giving up in this moment.
                let _ = first.result.send(ProposeResult::NotProposed);
                continue;
            }
            bytes += first.command.encoded_bytes();
            batch.push(first);
        }
        if !places.waiting.is_empty() {
            self.arrived.notify_one();
        }
        batch
    }

    /// Ends the wait of all, and takes no others in.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut places = self.lock();
            places.closed = true;
            std::mem::take(&mut places.waiting)
        };
        for (_, waiting) in waiting {
            // Whoever waits may be giving up in this moment.
            let _ = waiting.result.send(ProposeResult::NotProposed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().expect("no code panics while it holds the queue")
    }
}

impl Ticket<'_> {
    /// Gives up the place. False if the write is not in the queue any more.
    pub(crate) fn take_back(self) -> bool {
        self.queue.lock().waiting.remove(&self.number).is_some()
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.queue.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use quorate_kv::Condition;

    use super::*;

    const NOW: Moment = Moment::from_origin(Duration::from_secs(10));
    const LATER: Moment = Moment::from_origin(Duration::from_secs(20));

    fn write(key: &[u8], deadline: Moment) -> (Waiting, oneshot::Receiver<ProposeResult>) {
        let (result, answer) = oneshot::channel();
        let command = Command::Delete { key: Bytes::copy_from_slice(key), condition: Condition::Always };
        (Waiting { command, deadline, result }, answer)
    }

    fn keys(batch: Vec<Waiting>) -> Vec<Bytes> {
        let key = |waiting: Waiting| match waiting.command {
            Command::Delete { key, .. } => key,
            other => panic!("{other:?}"),
        };
        batch.into_iter().map(key).collect()
    }

    #[test]
    fn writes_are_taken_in_the_order_in_which_they_came() {
        let queue = ProposalQueue::default();
        let _tickets = [b"b", b"a", b"c"].map(|key| queue.join(write(key, LATER).0));
        assert_eq!(keys(queue.take_batch(NOW)), ["b", "a", "c"]);
        assert!(queue.take_batch(NOW).is_empty());
    }

    #[test]
    fn a_batch_ends_with_the_write_that_fills_it() {
        let queue = ProposalQueue::default();
        let long = vec![b'k'; PROPOSAL_BYTES_MAX / 2];
        let _tickets = [&long[..], &long, b"next"].map(|key| queue.join(write(key, LATER).0));
        assert_eq!(queue.take_batch(NOW).len(), 2);
        assert_eq!(keys(queue.take_batch(NOW)), ["next"]);
    }

    #[test]
    fn whoever_goes_takes_the_write_back() {
        let queue = ProposalQueue::default();
        // Nobody takes anything: Raft is stalled.
        for _ in 0..1_000 {
            drop(queue.join(write(b"gone", LATER).0));
        }
        assert!(queue.lock().waiting.is_empty());
        let stays = queue.join(write(b"stays", LATER).0);
        assert_eq!(keys(queue.take_batch(NOW)), ["stays"]);
        assert!(!stays.expect("the queue is open").take_back(), "it has been taken");
    }

    #[test]
    fn a_write_whose_deadline_has_come_is_not_proposed() {
        let queue = ProposalQueue::default();
        let (late, mut answer) = write(b"late", NOW);
        let _tickets = [queue.join(late), queue.join(write(b"in time", LATER).0)];
        assert_eq!(keys(queue.take_batch(NOW)), ["in time"]);
        assert!(matches!(answer.try_recv(), Ok(ProposeResult::NotProposed)));
    }

    #[test]
    fn a_closed_queue_ends_every_wait_and_takes_nobody_in() {
        let queue = ProposalQueue::default();
        let (waiting, mut answer) = write(b"a", LATER);
        let _ticket = queue.join(waiting);
        queue.close();
        assert!(matches!(answer.try_recv(), Ok(ProposeResult::NotProposed)));
        assert!(queue.join(write(b"b", LATER).0).is_none());
    }
}
