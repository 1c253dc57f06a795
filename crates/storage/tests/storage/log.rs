//! The log: what is readable when, what is durable when.

use std::io;

use futures::StreamExt;
use openraft::entry::RaftEntry;
use openraft::impls::leader_id_std::LeaderId;
use openraft::storage::{LeaderBoundedStreamError, RaftLogReader, RaftLogStorage};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use quorate_consensus::{Entry, LogId, NodeId, Vote};
use tokio::task::JoinHandle;

use super::support::*;

fn vote(term: u64, committed: bool) -> Vote {
    let leader_id = LeaderId { term, voted_for: NodeId::new(1, 1) };
    if committed {
        Vote::new_committed(term, leader_id.voted_for)
    } else {
        Vote::new(term, leader_id.voted_for)
    }
}

/// Appends without waiting. The task ends when the entries are flushed.
async fn append_in_flight(node: &Running, entries: Vec<Entry>) -> JoinHandle<io::Result<()>> {
    let (callback, flushed) = flush_callback();
    node.storage.log_store().append(entries, callback).await.expect("append");
    flushed
}

#[tokio::test]
async fn entries_are_readable_before_they_are_flushed_and_reported_after() {
    let node = Node::new();
    let running = node.open();
    node.environment.hold_disk();
    let flushed = append_in_flight(&running, vec![blank(1, 0), blank(1, 1)]).await;
    assert_eq!(running.entries(0..9).await.expect("read"), [blank(1, 0), blank(1, 1)]);
    assert!(!flushed.is_finished(), "not flushed yet");
    assert_eq!(running.storage.status().flush_count, 0);
    node.environment.release_disk();
    flushed.await.expect("told").expect("flushed");
    assert_eq!(running.storage.status().flush_count, 1);
    running.close().await;
}

#[tokio::test]
async fn what_was_not_flushed_is_gone_after_a_crash() {
    let node = Node::new();
    let running = node.open();
    running.append([blank(1, 0), blank(1, 1)]).await;
    node.environment.hold_disk();
    let flushed = append_in_flight(&running, vec![blank(1, 2)]).await;
    // The future of the worker's round is dropped with its runtime in a real crash; here its directory is
    // taken as it is.
    let crashed = Node::new();
    copy_directory(&node.path(), &crashed.path());
    assert_eq!(crashed.open().entries(0..9).await.expect("read"), [blank(1, 0), blank(1, 1)]);
    node.environment.release_disk();
    flushed.await.expect("told").expect("flushed");
    running.close().await;
    assert_eq!(node.open().entries(0..9).await.expect("read").len(), 3);
}

#[tokio::test]
async fn queued_writes_are_flushed_together() {
    let node = Node::new();
    let running = node.open();
    node.environment.hold_disk();
    let mut receivers = Vec::new();
    for index in 0..50 {
        receivers.push(append_in_flight(&running, vec![blank(1, index)]).await);
    }
    node.environment.release_disk();
    for receiver in receivers {
        receiver.await.expect("told").expect("flushed");
    }
    assert!(running.storage.status().flush_count <= 2, "{}", running.storage.status().flush_count);
    running.close().await;
}

/// The lengths of the files of a node's log, longest first.
fn file_lengths(node: &Node) -> Vec<u64> {
    let files = std::fs::read_dir(node.path().join("log")).expect("read");
    let mut lengths: Vec<_> =
        files.map(|file| file.expect("read").metadata().expect("metadata").len()).collect();
    lengths.sort_unstable_by(|left, right| right.cmp(left));
    lengths
}

#[tokio::test]
async fn a_backlog_larger_than_a_segment_is_written_as_several_batches() {
    let node = Node::new();
    let running = node.open();
    node.environment.hold_disk();
    let entry = |index| proposal(1, index, vec![put("key", vec![b'v'; 1500])]);
    let mut receivers = Vec::new();
    // Some appends are larger than a segment themselves.
    for first in [0, 20, 40, 41] {
        receivers.push(append_in_flight(&running, (first..first + 20).map(entry).collect()).await);
        let last = log_id(1, if first == 40 { 40 } else { first + 19 });
        running.storage.log_store().truncate_after(Some(last)).await.expect("truncate");
    }
    let vote = vote(2, true);
    let mut log = running.storage.log_store();
    let mut saving = Box::pin(log.save_vote(&vote));
    assert!(node.run_while_held(&mut saving).await.is_none());
    node.environment.release_disk();
    saving.await.expect("saved");
    for receiver in receivers {
        receiver.await.expect("told").expect("flushed");
    }
    assert_eq!(running.entries(0..99).await.expect("read"), (0..61).map(entry).collect::<Vec<_>>());
    drop(log);
    running.close().await;
    let lengths = file_lengths(&node);
    assert!(lengths.len() > 5, "{lengths:?}");
    assert_eq!(lengths[0], node.options.log_segment_bytes, "none needs a file of its own: {lengths:?}");
    let running = node.open();
    assert_eq!(running.entries(0..99).await.expect("read"), (0..61).map(entry).collect::<Vec<_>>());
    assert_eq!(running.vote().await, Some(vote));
    running.close().await;
}

#[tokio::test]
async fn an_entry_that_replaced_a_truncated_one_is_the_one_that_is_read() {
    let mut node = Node::new();
    // Nothing flushed stays in memory.
    node.options.tail_bytes_max = 0;
    let running = node.open();
    let mut log = running.storage.log_store();
    running.append((0..5).map(|index| blank(1, index))).await;
    node.environment.hold_disk();
    log.truncate_after(Some(log_id(1, 2))).await.expect("truncate");
    assert_eq!(running.entries(0..9).await.expect("read").len(), 3);
    let first = append_in_flight(&running, vec![blank(2, 3), blank(2, 4), blank(2, 5)]).await;
    log.truncate_after(Some(log_id(2, 3))).await.expect("truncate");
    let second = append_in_flight(&running, vec![blank(3, 4)]).await;
    let expected = [blank(1, 0), blank(1, 1), blank(1, 2), blank(2, 3), blank(3, 4)];
    assert_eq!(running.entries(0..9).await.expect("read"), expected);
    node.environment.release_disk();
    first.await.expect("told").expect("flushed");
    second.await.expect("told").expect("flushed");
    assert_eq!(running.entries(0..9).await.expect("read"), expected);
    running.close().await;
    assert_eq!(node.open().entries(0..9).await.expect("read"), expected);
}

#[tokio::test]
async fn a_vote_is_durable_when_it_is_saved() {
    let node = Node::new();
    let running = node.open();
    assert_eq!(running.vote().await, None);
    running.storage.log_store().save_vote(&vote(7, false)).await.expect("save");
    let crashed = Node::new();
    copy_directory(&node.path(), &crashed.path());
    assert_eq!(crashed.open().vote().await, Some(vote(7, false)));
    assert_eq!(running.vote().await, Some(vote(7, false)));
}

#[tokio::test]
async fn committed_indexes_and_purges_cost_no_flush_and_ride_along() {
    let node = Node::new();
    let running = node.open();
    let mut log = running.storage.log_store();
    running.append((0..5).map(|index| counting(1, index))).await;
    running.apply((0..5).map(|index| counting(1, index))).await;
    running.storage.checkpoint().await.expect("checkpoint");
    let before = running.storage.status().flush_count;
    log.save_committed(Some(log_id(1, 4))).await.expect("save");
    assert_eq!(running.storage.status().flush_count, before);
    running.append([blank(1, 5)]).await;
    assert_eq!(running.storage.status().flush_count, before + 1);
    let crashed = Node::new();
    copy_directory(&node.path(), &crashed.path());
    let found = crashed.open().storage.log_store().read_committed().await.expect("read");
    assert_eq!(found, Some(log_id(1, 4)));
    log.save_committed(Some(log_id(1, 5))).await.expect("save");
    running.close().await;
    let found = node.open().storage.log_store().read_committed().await.expect("read");
    assert_eq!(found, Some(log_id(1, 5)), "closing writes what could wait");
}

#[tokio::test]
async fn a_committed_index_does_not_overtake_its_entries() {
    let node = Node::new();
    let running = node.open();
    let mut log = running.storage.log_store();
    running.append([blank(1, 0), blank(1, 1)]).await;
    node.environment.hold_disk();
    let first = append_in_flight(&running, vec![blank(1, 2)]).await;
    // The worker has a round at its door and may take both jobs; the record must not come without them.
    log.truncate_after(Some(log_id(1, 1))).await.expect("truncate");
    let second = append_in_flight(&running, vec![blank(2, 2), blank(2, 3)]).await;
    log.save_committed(Some(log_id(2, 3))).await.expect("save");
    node.environment.release_disk();
    first.await.expect("told").expect("flushed");
    second.await.expect("told").expect("flushed");
    running.append([blank(2, 4)]).await;
    let crashed = Node::new();
    copy_directory(&node.path(), &crashed.path());
    let reopened = crashed.open();
    assert_eq!(reopened.storage.log_store().read_committed().await.expect("read"), Some(log_id(2, 3)));
    assert_eq!(reopened.entries(2..4).await.expect("read"), [blank(2, 2), blank(2, 3)]);
}

#[tokio::test]
async fn a_purge_reaches_the_disk_though_nothing_else_is_written() {
    let node = Node::new();
    let running = node.open();
    running.append((0..100).map(|index| counting(1, index))).await;
    running.apply((0..100).map(|index| counting(1, index))).await;
    running.storage.log_store().purge(log_id(1, 49)).await.expect("purge");
    assert_eq!(running.entries(0..200).await.expect("read").len(), 50);
    let before = running.storage.status().flush_count;
    while running.storage.status().flush_count == before {
        tokio::task::yield_now().await;
    }
    let crashed = Node::new();
    copy_directory(&node.path(), &crashed.path());
    let state = crashed.open().storage.log_store().get_log_state().await.expect("state");
    assert_eq!(state.last_purged_log_id, Some(log_id(1, 49)));
}

#[tokio::test]
async fn the_log_is_not_purged_past_the_checkpoint() {
    let mut node = Node::new();
    node.options.checkpoint_interval = std::time::Duration::from_secs(3600);
    let running = node.open();
    running.append((0..100).map(|index| counting(1, index))).await;
    running.apply((0..40).map(|index| counting(1, index))).await;
    running.storage.checkpoint().await.expect("checkpoint");
    running.apply((40..80).map(|index| counting(1, index))).await;
    running.storage.log_store().purge(log_id(1, 69)).await.expect("purge");
    assert_eq!(running.entries(0..200).await.expect("read")[0], counting(1, 70));
    running.append([counting(1, 100)]).await;
    let crashed = Node::new();
    copy_directory(&node.path(), &crashed.path());
    let reopened = crashed.open();
    assert_eq!(reopened.storage.reader().applied().expect("applied").log_id, Some(log_id(1, 39)));
    let entries = reopened.entries(40..101).await.expect("read");
    assert_eq!(entries.len(), 61, "everything behind the checkpoint is there");
    reopened.apply(entries).await;
    assert_eq!(reopened.value("last").as_deref(), Some(&b"100"[..]));
    drop(reopened);
    running.storage.checkpoint().await.expect("checkpoint");
    running.append([counting(1, 101)]).await;
    let crashed = Node::new();
    copy_directory(&node.path(), &crashed.path());
    let state = crashed.open().storage.log_store().get_log_state().await.expect("state");
    assert_eq!(state.last_purged_log_id, Some(log_id(1, 69)), "the checkpoint has caught up");
}

#[tokio::test]
async fn readers_stop_at_their_limit_of_bytes() {
    let mut node = Node::new();
    node.options.read_batch_bytes_max = 1000;
    for tail_bytes_max in [0, u64::MAX] {
        node.options.tail_bytes_max = tail_bytes_max;
        let running = node.open();
        let first = running.storage.status().log_last.map_or(0, |last| last.index() + 1);
        let entries: Vec<_> =
            (first..first + 20).map(|index| proposal(1, index, vec![put("key", vec![b'v'; 300])])).collect();
        running.append(entries.clone()).await;
        let mut reader = running.storage.log_store().get_log_reader().await;
        let limited = |reader: &mut quorate_storage::LogReader, start, end| {
            let mut reader = reader.clone();
            async move {
                RaftLogReader::<Types>::limited_get_log_entries(&mut reader, start, end).await.expect("read")
            }
        };
        let batch = limited(&mut reader, first, first + 20).await;
        assert_eq!(batch, entries[..2]);
        let batch = limited(&mut reader, first + 19, first + 20).await;
        assert_eq!(batch, entries[19..]);
        let stream = RaftLogReader::<Types>::entries_stream(&mut reader, first + 3..first + 17).await;
        let found: Vec<_> = stream.map(|entry| entry.expect("read")).collect().await;
        assert_eq!(found, entries[3..17]);
        running.append([proposal(1, first + 20, vec![put("key", vec![b'v'; 5000])])]).await;
        assert_eq!(limited(&mut reader, first + 20, first + 21).await.len(), 1, "one is always read");
        running.close().await;
    }
}

#[tokio::test]
async fn a_leaders_stream_ends_when_its_leadership_does() {
    let mut node = Node::new();
    node.options.read_batch_bytes_max = 1;
    let running = node.open();
    let mut log = running.storage.log_store();
    running.append((0..5).map(|index| blank(1, index))).await;
    log.save_vote(&vote(1, true)).await.expect("save");
    let mut reader = log.get_log_reader().await;
    let leader = LeaderId { term: 1, voted_for: NodeId::new(1, 1) };
    let stream = RaftLogReader::<Types>::leader_bounded_stream(&mut reader, leader, 0..5).await;
    let mut stream = std::pin::pin!(stream);
    assert_eq!(stream.next().await.expect("an entry").expect("read"), blank(1, 0));
    log.save_vote(&vote(2, false)).await.expect("save");
    let mut last = None;
    while let Some(entry) = stream.next().await {
        last = Some(entry);
    }
    assert!(matches!(last, Some(Err(LeaderBoundedStreamError::LeaderChanged(_)))), "{last:?}");
}

/// Something to do to a log.
#[derive(Clone, Copy, Debug)]
enum Step {
    Append(u8),
    /// Truncate so many of the newest entries.
    Truncate(u8),
    /// Purge so many of the oldest entries, as far as they are applied.
    Purge(u8),
    Commit,
    Vote,
    Checkpoint,
    Hold,
    Release,
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..6u8).prop_map(Step::Append),
        2 => (1..8u8).prop_map(Step::Truncate),
        1 => (1..5u8).prop_map(Step::Purge),
        1 => Just(Step::Commit),
        1 => Just(Step::Vote),
        1 => Just(Step::Checkpoint),
        2 => Just(Step::Hold),
        2 => Just(Step::Release),
        1 => Just(Step::Restart),
    ]
}

/// What the log should be.
#[derive(Default)]
struct Model {
    term: u64,
    entries: Vec<Entry>,
    purged: Option<LogId>,
    applied: u64,
}

impl Model {
    fn next_index(&self) -> u64 {
        self.entries.last().map_or(self.purged.map_or(0, |it| it.index() + 1), |entry| entry.index() + 1)
    }
}

async fn check_log(running: &Running, model: &Model, last_vote: Option<Vote>) {
    let state = running.storage.log_store().get_log_state().await.expect("state");
    assert_eq!(state.last_purged_log_id, model.purged);
    assert_eq!(state.last_log_id, model.entries.last().map(|entry| entry.log_id).or(model.purged));
    assert_eq!(running.entries(0..u64::MAX).await.expect("read"), model.entries);
    assert_eq!(running.vote().await, last_vote);
}

async fn run_steps(steps: Vec<Step>, tail_bytes_max: u64) {
    let mut node = Node::new();
    node.options.tail_bytes_max = tail_bytes_max;
    let mut running = node.open();
    let (mut model, mut last_vote) = (Model { term: 1, ..Model::default() }, None);
    for step in steps {
        let mut log = running.storage.log_store();
        match step {
            Step::Append(count) => {
                let first = model.next_index();
                let entries: Vec<_> =
                    (first..first + u64::from(count)).map(|index| counting(model.term, index)).collect();
                drop(append_in_flight(&running, entries.clone()).await);
                model.entries.extend(entries);
            }
            Step::Truncate(count) => {
                let applied = model.entries.iter().take_while(|entry| entry.index() < model.applied).count();
                let keep = model.entries.len().saturating_sub(count.into()).max(applied);
                model.entries.truncate(keep);
                let last = model.entries.last().map(|entry| entry.log_id).or(model.purged);
                log.truncate_after(last).await.expect("truncate");
                model.term += 1;
            }
            Step::Purge(count) => {
                let applied = model.entries.iter().take_while(|entry| entry.index() < model.applied);
                if let Some(entry) = applied.take(count.into()).last().cloned() {
                    model.entries.retain(|it| it.index() > entry.index());
                    model.purged = Some(entry.log_id);
                    log.purge(entry.log_id).await.expect("purge");
                }
            }
            Step::Commit => {
                let waiting = model.entries.iter().filter(|entry| entry.index() >= model.applied);
                let entries: Vec<_> = waiting.cloned().collect();
                if let Some(last) = entries.last().map(|entry| entry.log_id) {
                    log.save_committed(Some(last)).await.expect("save");
                    running.apply(entries).await;
                    model.applied = last.index() + 1;
                }
            }
            Step::Vote => {
                model.term += 1;
                last_vote = Some(vote(model.term, false));
                node.environment.release_disk();
                log.save_vote(&vote(model.term, false)).await.expect("save");
            }
            Step::Checkpoint => {
                node.environment.release_disk();
                running.storage.checkpoint().await.expect("checkpoint");
            }
            Step::Hold => node.environment.hold_disk(),
            Step::Release => node.environment.release_disk(),
            Step::Restart => {
                node.environment.release_disk();
                drop(log);
                running.close().await;
                running = node.open();
                assert_eq!(running.storage.status().applied.map_or(0, |it| it.index() + 1), model.applied);
            }
        }
        check_log(&running, &model, last_vote).await;
    }
    node.environment.release_disk();
    running.close().await;
    let running = node.open();
    check_log(&running, &model, last_vote).await;
    running.storage.reader().verify().expect("the state is sound");
}

#[test]
fn the_log_agrees_with_a_plain_list_whatever_is_done_to_it() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = Config { failure_persistence: None, cases: 64, ..Config::default() };
    let strategy = (prop::collection::vec(any_step(), 0..40), prop_oneof![Just(0u64), Just(1 << 20)]);
    let result = TestRunner::new(config).run(&strategy, |(steps, tail_bytes_max)| {
        runtime.block_on(run_steps(steps, tail_bytes_max));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
