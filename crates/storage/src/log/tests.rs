//! The log's files over interrupted writes, damage, and segments that are used again.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use openraft::EntryPayload;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use quorate_consensus::{CommittedLeaderId, Entry, GroupId, LogId, NodeId, ProposalBytes, Vote};
use quorate_environment::Worker;
use quorate_environment::worker::worker_channel;
use tempfile::TempDir;

use super::files::LogFiles;
use super::format::{BLOCK_BYTES, HEADER_BYTES, Records, render_batch};
use super::recovery::{self, OpenedLog};
use super::supply::{SegmentSupply, SupplyHandle, SupplyJob, SupplyWorker};
use super::writer::{LogEnd, LogWriter};
use crate::directory::DirectoryLock;
use crate::error::OpenError;
use crate::failure::FailureSignal;
use crate::options::StorageOptions;

const SALT: u64 = 0x5a17;
const SEGMENT_BYTES: u64 = 16 << 10;

/// A log that can be opened again and again.
struct Folder {
    folder: TempDir,
}

/// An open log.
struct Log {
    files: Arc<LogFiles>,
    supply: Arc<SegmentSupply>,
    writer: LogWriter,
    end: LogEnd,
    last: Option<LogId>,
}

fn node_id() -> NodeId {
    NodeId::new(1, 1)
}

fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1), index)
}

fn entry(index: u64, value_bytes: usize) -> Entry {
    let payload = EntryPayload::Normal(ProposalBytes(vec![index as u8; value_bytes].into()));
    Entry { log_id: log_id(index), payload }
}

fn entries_batch(entries: &[Entry]) -> Records {
    let mut records = Records::default();
    entries.iter().for_each(|entry| records.entry(entry));
    records
}

/// Where failures are told. None of the log's is noted in the directory.
fn no_failure() -> Arc<FailureSignal> {
    Arc::new(FailureSignal::new(PathBuf::new()))
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let it = Self { folder };
        recovery::create(&it.lock(), node_id(), GroupId::FIRST, SALT).expect("create");
        it
    }

    fn lock(&self) -> Arc<DirectoryLock> {
        Arc::new(DirectoryLock::acquire(self.folder.path()).expect("lock"))
    }

    fn try_open(&self) -> Result<Log, OpenError> {
        let options = StorageOptions {
            log_segment_bytes: SEGMENT_BYTES,
            log_bytes_max: u64::MAX,
            ..StorageOptions::default()
        };
        let opened = recovery::open(&self.lock(), node_id(), GroupId::FIRST, &options)?;
        let OpenedLog { files, supply, end, last } = opened;
        // Nobody works here but the test itself.
        let worker = SupplyWorker { supply: supply.clone(), failure: no_failure() };
        let (jobs, _, _) = worker_channel(worker);
        let handle = SupplyHandle { supply: supply.clone(), jobs };
        let writer = LogWriter::new(files.clone(), end.clone(), handle);
        Ok(Log { files, supply, writer, end, last })
    }

    fn open(&self) -> Log {
        self.try_open().expect("open")
    }

    /// The segments, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.folder.path().join("log")).expect("read");
        let mut paths: Vec<_> = names.map(|entry| entry.expect("read").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|it| it == "segment"));
        paths.sort();
        paths
    }

    fn newest(&self) -> PathBuf {
        self.segments().pop().expect("a segment")
    }

    #[track_caller]
    fn refused(&self) -> String {
        match self.try_open() {
            Err(error @ OpenError::Damaged { .. }) => error.to_string(),
            Err(other) => panic!("{other:?}"),
            Ok(log) => panic!("opened up to {:?}", log.last),
        }
    }
}

impl Log {
    fn append(&mut self, entries: &[Entry]) {
        self.writer.write(entries_batch(entries)).expect("write");
    }

    fn read(&self) -> Vec<Entry> {
        let (start, end) = {
            let contents = self.files.contents();
            let start = contents.purged().map_or(0, |log_id| log_id.index() + 1);
            (start, contents.next_index().unwrap_or(start))
        };
        let mut entries = Vec::new();
        let located = self.files.locate((start, end), u64::MAX).expect("locate");
        located.read(&mut entries).expect("read");
        entries
    }

    fn vote(&self) -> Option<Vote> {
        self.files.contents().vote()
    }

    /// Gives back what is purged, at once.
    fn retire(&self) -> usize {
        let dropped = self.files.contents().drop_purged();
        let failure = no_failure();
        let jobs: Vec<_> = dropped.into_iter().map(SupplyJob::Retire).collect();
        let count = jobs.len();
        SupplyWorker { supply: self.supply.clone(), failure: failure.clone() }.run(jobs);
        assert_eq!(failure.get(), None);
        count
    }
}

/// Writes a log of three batches. Gives where the last one begins and ends in the newest segment.
fn three_batches(folder: &Folder) -> (u64, u64) {
    let mut log = folder.open();
    log.append(&[entry(0, 10), entry(1, 600)]);
    log.append(&[entry(2, 10)]);
    drop(log);
    let start = folder.open().end.position;
    let mut log = folder.open();
    log.append(&[entry(3, 700), entry(4, 10)]);
    drop(log);
    (start, folder.open().end.position)
}

#[test]
fn a_log_is_found_as_it_was_left() {
    let folder = Folder::new();
    assert_eq!(folder.open().last, None);
    assert_eq!(folder.open().read(), []);
    three_batches(&folder);
    let mut log = folder.open();
    let expected = [entry(0, 10), entry(1, 600), entry(2, 10), entry(3, 700), entry(4, 10)];
    assert_eq!(log.read(), expected);
    assert_eq!(log.last, Some(log_id(4)));
    log.append(&[entry(5, 10)]);
    drop(log);
    assert_eq!(folder.open().read().len(), 6);
}

#[test]
fn a_last_batch_that_is_not_whole_was_never_acknowledged() {
    let folder = Folder::new();
    let (start, end) = three_batches(&folder);
    let path = folder.newest();
    let whole = fs::read(&path).expect("read");
    // The bytes that follow the padding do not matter.
    let batch = &whole[start as usize..end as usize];
    let used = batch.iter().rposition(|byte| *byte != 0).expect("not empty") + 1;
    for position in start as usize..start as usize + used {
        for torn in [true, false] {
            let mut changed = whole.clone();
            if torn {
                changed[position..].fill(0);
            } else {
                changed[position] ^= 1;
            }
            fs::write(&path, &changed).expect("write");
            let mut log = folder.open();
            assert_eq!((log.last, log.end.position), (Some(log_id(2)), start), "{position} {torn}");
            // Another batch takes its place, and is the last.
            log.append(&[entry(3, 1)]);
            drop(log);
            let log = folder.open();
            assert_eq!((log.last, log.read().len()), (Some(log_id(3)), 4), "{position} {torn}");
        }
    }
}

#[test]
fn damage_to_what_was_acknowledged_is_refused() {
    let folder = Folder::new();
    let (start, _) = three_batches(&folder);
    let path = folder.newest();
    let whole = fs::read(&path).expect("read");
    let first = HEADER_BYTES as usize;
    for batch in (first..start as usize).step_by(BLOCK_BYTES as usize) {
        for position in batch..batch + 60 {
            if whole[position] == 0 && whole[position..batch + 512].iter().all(|byte| *byte == 0) {
                continue;
            }
            let mut changed = whole.clone();
            changed[position] ^= 1;
            fs::write(&path, &changed).expect("write");
            assert!(folder.refused().contains("batch"), "{position}");
        }
    }
    fs::write(&path, &whole[..whole.len() - 1]).expect("write");
    assert!(folder.refused().contains("full length"));
    fs::write(&path, &whole).expect("write");
    assert_eq!(folder.open().read().len(), 5);
}

/// Appends entries of such a size, one batch each, until the log is in the segment with that number.
fn fill_until(log: &mut Log, folder: &Folder, first: u64, segment_count: usize) -> u64 {
    let mut index = first;
    while folder.segments().len() < segment_count {
        log.append(&[entry(index, 1000)]);
        index += 1;
    }
    index
}

#[test]
fn a_missing_or_damaged_segment_is_refused() {
    let folder = Folder::new();
    let mut log = folder.open();
    let next = fill_until(&mut log, &folder, 0, 5);
    drop(log);
    let paths = folder.segments();
    for path in &paths[1..4] {
        let whole = fs::read(path).expect("read");
        fs::remove_file(path).expect("remove");
        folder.refused();
        let mut changed = whole.clone();
        let last_batch = whole.iter().rposition(|byte| *byte != 0).expect("not empty");
        changed[last_batch] ^= 1;
        fs::write(path, &changed).expect("write");
        folder.refused();
        fs::write(path, &whole).expect("write");
    }
    assert_eq!(folder.open().read().len() as u64, next);
}

#[test]
fn a_segment_whose_first_batch_was_interrupted_is_begun_again() {
    let folder = Folder::new();
    let mut log = folder.open();
    let next = fill_until(&mut log, &folder, 0, 3);
    drop(log);
    let path = folder.newest();
    let mut content = fs::read(&path).expect("read");
    content[HEADER_BYTES as usize + 600..].fill(0xee);
    fs::write(&path, &content).expect("write");
    let mut log = folder.open();
    assert_eq!(log.last, Some(log_id(next - 2)));
    assert_eq!(folder.segments().len(), 2);
    log.append(&[entry(next - 1, 2000)]);
    log.append(&[entry(next, 10)]);
    drop(log);
    assert_eq!(folder.open().last, Some(log_id(next)));
}

#[test]
fn an_interrupted_batch_may_be_followed_by_one_that_does_not_fit() {
    let folder = Folder::new();
    let (start, _) = three_batches(&folder);
    let path = folder.newest();
    let mut content = fs::read(&path).expect("read");
    content[start as usize + 40] ^= 1;
    fs::write(&path, &content).expect("write");
    let mut log = folder.open();
    // Larger than any usual segment.
    log.append(&[entry(3, 3 * SEGMENT_BYTES as usize)]);
    log.append(&[entry(4, 10)]);
    drop(log);
    let log = folder.open();
    assert_eq!(log.last, Some(log_id(4)));
    assert_eq!(log.read()[3], entry(3, 3 * SEGMENT_BYTES as usize));
}

#[test]
fn votes_and_bounds_survive_the_segments_they_were_written_to() {
    let folder = Folder::new();
    let mut log = folder.open();
    let vote = Vote::new(3, node_id());
    let mut records = Records::default();
    records.vote(&vote);
    log.writer.write(records).expect("write");
    let next = fill_until(&mut log, &folder, 0, 4);
    let mut records = Records::default();
    records.committed(&log_id(next - 1));
    records.purge(&log_id(next - 2));
    log.writer.write(records).expect("write");
    assert!(log.retire() >= 2);
    drop(log);
    let log = folder.open();
    assert_eq!((log.vote(), log.last), (Some(vote), Some(log_id(next - 1))));
    assert_eq!(log.files.contents().committed(), Some(log_id(next - 1)));
    assert_eq!(log.read(), [entry(next - 1, 1000)]);
}

#[test]
fn what_a_segment_held_in_another_life_does_not_count() {
    let folder = Folder::new();
    let mut log = folder.open();
    let mut next = 0;
    for _ in 0..5 {
        let count = folder.segments().len() + 2;
        next = fill_until(&mut log, &folder, next, count);
        let mut records = Records::default();
        records.purge(&log_id(next - 3));
        log.writer.write(records).expect("write");
        log.retire();
    }
    let spares = fs::read_dir(folder.folder.path().join("log")).expect("read").count();
    assert!(spares > folder.segments().len(), "segments are kept to be used again");
    let expected = log.read();
    let content = fs::read(folder.newest()).expect("read");
    let end = folder.open_copy().end;
    let stale = &content[end.position as usize..];
    assert!(stale.iter().any(|byte| *byte != 0), "the newest segment was used before");
    drop(log);
    let log = folder.open();
    assert_eq!(log.read(), expected);
    assert_eq!(log.last, Some(log_id(next - 1)));
}

impl Folder {
    /// Opens a copy, as after a crash.
    fn open_copy(&self) -> Log {
        let copy = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(copy.path().join("log")).expect("create");
        for path in self.segments() {
            fs::copy(&path, copy.path().join("log").join(path.file_name().expect("a name"))).expect("copy");
        }
        Folder { folder: copy }.open()
    }
}

#[test]
fn a_segment_is_not_pulled_away_under_a_reader() {
    let folder = Folder::new();
    let mut log = folder.open();
    let next = fill_until(&mut log, &folder, 0, 4);
    let located = log.files.locate((0, next), u64::MAX).expect("locate");
    let mut records = Records::default();
    records.purge(&log_id(next - 1));
    log.writer.write(records).expect("write");
    log.retire();
    fill_until(&mut log, &folder, next, 4);
    let mut entries = Vec::new();
    located.read(&mut entries).expect("read");
    assert_eq!(entries, (0..next).map(|index| entry(index, 1000)).collect::<Vec<_>>());
}

#[test]
fn segments_left_over_in_front_of_a_hole_are_swept() {
    let folder = Folder::new();
    let mut log = folder.open();
    let next = fill_until(&mut log, &folder, 0, 5);
    let oldest = folder.segments()[1].clone();
    let content = fs::read(&oldest).expect("read");
    let mut records = Records::default();
    records.purge(&log_id(next - 2));
    log.writer.write(records).expect("write");
    log.retire();
    drop(log);
    fs::write(&oldest, content).expect("write");
    assert_eq!(folder.open().last, Some(log_id(next - 1)));
    assert!(!oldest.exists());
}

#[test]
fn a_full_disk_is_noticed_before_anything_is_written() {
    let folder = Folder::new();
    let log = folder.open();
    let names = || fs::read_dir(folder.folder.path().join("log")).expect("read").count();
    let before = (names(), log.supply.bytes_used());
    // No disk has that much left.
    let error = log.supply.take(2, 1 << 60).expect_err("no room");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!((names(), log.supply.bytes_used()), before);
}

#[test]
fn what_is_not_plausible_behind_the_end_does_not_count() {
    let folder = Folder::new();
    three_batches(&folder);
    let end = folder.open().end;
    let path = folder.newest();
    let content = fs::read(&path).expect("read");
    let seed = folder.open().supply.header().seed();
    // As close behind the end, only the very next sequences can be.
    for (ahead, refused) in [(0, true), (1, true), (2, true), (3, false), (1_000_000, false)] {
        let mut buffer = Vec::new();
        let batch = entries_batch(&[entry(9, 10)]);
        let sequence = end.sequence + ahead;
        render_batch(&mut buffer, seed, (end.segment.number, sequence), &[&batch.bytes]);
        let at = end.position as usize + 2 * BLOCK_BYTES as usize;
        let mut changed = content.clone();
        changed[at..at + buffer.len()].copy_from_slice(&buffer);
        fs::write(&path, &changed).expect("write");
        assert_eq!(folder.try_open().is_err(), refused, "{ahead}");
    }
}

/// Something that happens to a log.
#[derive(Clone, Debug)]
enum Step {
    Append {
        count: u8,
        value_bytes: u16,
    },
    Truncate(u8),
    Purge(u8),
    /// Purges past the end, as a snapshot does that is ahead of the log.
    Skip(u8),
    Vote,
    Reopen,
    /// The last batch is interrupted, and opened again.
    Tear(u16),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..5u8, 0..3000u16).prop_map(|(count, value_bytes)| Step::Append { count, value_bytes }),
        1 => (1..9u8).prop_map(Step::Truncate),
        2 => (1..20u8).prop_map(Step::Purge),
        1 => (0..9u8).prop_map(Step::Skip),
        1 => Just(Step::Vote),
        1 => Just(Step::Reopen),
        1 => any::<u16>().prop_map(Step::Tear),
    ]
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    entries: Vec<Entry>,
    purged: Option<LogId>,
    vote: Option<Vote>,
}

impl Model {
    fn first(&self) -> u64 {
        self.purged.map_or(0, |log_id| log_id.index() + 1)
    }

    fn purge(&mut self, log_id: LogId) {
        self.entries.retain(|entry| entry.log_id > log_id);
        self.purged = Some(log_id);
    }
}

fn run_steps(steps: &[Step]) {
    let folder = Folder::new();
    let mut log = folder.open();
    let mut model = Model::default();
    for step in steps {
        let before = model.clone();
        let end = model.first() + model.entries.len() as u64;
        let mut records = Records::default();
        match step {
            Step::Append { count, value_bytes } => {
                let new: Vec<_> =
                    (end..end + u64::from(*count)).map(|index| entry(index, (*value_bytes).into())).collect();
                records = entries_batch(&new);
                model.entries.extend(new);
            }
            Step::Truncate(count) => {
                model.entries.truncate(model.entries.len().saturating_sub((*count).into()));
                records.truncate(model.first() + model.entries.len() as u64);
            }
            Step::Purge(count) => {
                if let Some(last) = model.entries.iter().take((*count).into()).last().map(|it| it.log_id) {
                    records.purge(&last);
                    model.purge(last);
                }
            }
            Step::Skip(count) => {
                let bound = log_id(end + u64::from(*count));
                records.purge(&bound);
                model.purge(bound);
            }
            Step::Vote => {
                let vote = Vote::new(before.vote.map_or(1, |vote| vote.leader_id.term + 1), node_id());
                records.vote(&vote);
                model.vote = Some(vote);
            }
            Step::Reopen => {
                drop(log);
                log = folder.open();
            }
            Step::Tear(at) => {
                let start = log.writer.end().position;
                let number = log.writer.end().segment.number;
                log.append(&[entry(end, 2000)]);
                let torn = log.writer.end().clone();
                let start = if torn.segment.number == number { start } else { HEADER_BYTES };
                drop(log);
                let path = folder.newest();
                let mut content = fs::read(&path).expect("read");
                let kept = start as usize + usize::from(*at) % 2000;
                content[kept..torn.position as usize].fill(0xaa);
                fs::write(&path, content).expect("write");
                log = folder.open();
            }
        }
        if !records.is_empty() {
            log.writer.write(records).expect("write");
            log.retire();
        }
        let purged = log.files.contents().purged();
        let found = Model { entries: log.read(), purged, vote: log.vote() };
        assert_eq!(found, model);
    }
    drop(log);
    let log = folder.open();
    assert_eq!(log.read(), model.entries);
    assert_eq!(log.last, model.entries.last().map(|entry| entry.log_id).or(model.purged));
}

#[test]
fn the_files_agree_with_a_plain_list_whatever_is_done_to_them() {
    let config = Config { failure_persistence: None, cases: 24, ..Config::default() };
    let strategy = prop::collection::vec(any_step(), 0..50);
    let result = TestRunner::new(config).run(&strategy, |steps| {
        run_steps(&steps);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
