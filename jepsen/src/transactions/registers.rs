//! The order of the values of registers.
//!
//! A read of a register shows one value and nothing of those before it, so the order of the values has
//! to be inferred:
//!
//! - The initial value comes first.
//! - A transaction that reads a value and writes another one puts its own directly after it. Values that
//!   are tied so form a *block*, which no other value interrupts.
//! - If anything that wrote or read a value of one block ended before anything of another block began,
//!   the first block comes first as a whole. This needs the order of time.
//!
//! The last rule is a relation between pairs of blocks. With `lo` the least end and `hi` the greatest
//! beginning within a block, block A comes before block B if `lo(A) < hi(B)`. So the blocks before B are
//! a prefix of all blocks in the order of `lo`, and one chain of moments serves them all. Only B itself
//! must be left out of it, if it stands within its own prefix. (Gibbons and Korach, *Testing Shared
//! Memories*, 1997, convict by the same zones.)

use super::analysis::{Analysis, Source};
use super::anomaly::{AnomalyKind, Order};
use super::graph::{Link, Node};
use super::history::{Key, Seen, TransactionIndex, Value};

/// Blocks that are open at one moment and are linked one by one. Blocks of one moment belong to different
/// clients, so that more of them contradict each other, and are not needed to convict.
const OPEN_BLOCKS_MAX: usize = 1024;

/// One value of a register.
struct Version {
    /// The value; none for the initial one.
    value: Option<Value>,
    writer: Option<TransactionIndex>,
    /// Who found it, and did not replace it.
    readers: Vec<TransactionIndex>,
    /// The version that a transaction which found this one put in its place.
    next: Option<usize>,
    has_previous: bool,
}

/// Versions that follow each other directly.
struct Block {
    first: usize,
    last: usize,
    /// The least end of a transaction in it.
    lo: u64,
    /// The greatest beginning of a transaction in it.
    hi: u64,
}

/// Adds what follows from the reads of one register.
pub(super) fn order_register(analysis: &mut Analysis<'_>, key: Key) {
    let mut register = Register::new(analysis, key);
    register.place_reads(analysis);
    register.link_versions(analysis);
    let (initial, blocks) = register.blocks(analysis);
    register.link_initial(analysis, &initial, &blocks);
    if Order::RealTime.is_promised_by(analysis.guarantee) {
        register.link_blocks(analysis, blocks);
    }
}

struct Register {
    key: Key,
    /// The initial version, and then those that committed transactions left, by value.
    versions: Vec<Version>,
    /// Who left which version, by transaction.
    writers: Vec<(TransactionIndex, usize)>,
}

impl Register {
    fn new(analysis: &Analysis<'_>, key: Key) -> Self {
        let version =
            |value, writer| Version { value, writer, readers: Vec::new(), next: None, has_previous: false };
        let written = analysis.writes.of_key(key).iter();
        let written = written.filter(|written| written.is_final && analysis.committed[written.transaction]);
        let written = written.map(|written| version(Some(written.value), Some(written.transaction)));
        let versions: Vec<Version> = std::iter::once(version(None, None)).chain(written).collect();
        let writers = versions.iter().enumerate();
        let mut writers: Vec<_> =
            writers.filter_map(|(index, version)| version.writer.map(|writer| (writer, index))).collect();
        writers.sort_unstable();
        Self { key, versions, writers }
    }

    /// Finds the version that each read saw.
    fn place_reads(&mut self, analysis: &mut Analysis<'_>) {
        let observations = analysis.observations;
        for read in observations.of_key(self.key) {
            let reader = read.transaction;
            let Some(seen) = self.seen(analysis, read.seen, reader) else { continue };
            let own = self.writers.binary_search_by_key(&reader, |(writer, _)| *writer);
            let Ok(own) = own.map(|position| self.writers[position].1) else {
                self.versions[seen].readers.push(reader);
                continue;
            };
            match self.versions[seen].next {
                None => {
                    self.versions[seen].next = Some(own);
                    self.versions[own].has_previous = true;
                }
                Some(other) => self.report_lost_update(analysis, seen, other, own),
            }
        }
    }

    /// The version that a read saw; none if it should not have been seen, which is reported.
    fn seen(&self, analysis: &mut Analysis<'_>, seen: Seen, reader: TransactionIndex) -> Option<usize> {
        let value = match seen {
            Seen::Nothing => return Some(0),
            Seen::Value(value) => value,
            Seen::Unknown | Seen::List(_) => return None,
        };
        let Source::Committed(writer) = analysis.source(self.key, value, reader) else { return None };
        if writer == reader {
            let key = self.key;
            analysis.report(AnomalyKind::Internal, Order::Data, &[reader], |history| {
                let (key, value) = (history.key_name(key), history.value_text(value));
                format!("T{reader} read {value} in {key} before it wrote it.")
            });
            return None;
        }
        if analysis.check_intermediate(self.key, value, reader) {
            return None;
        }
        let version = self.versions.binary_search_by_key(&Some(value), |version| version.value);
        Some(version.expect("what was seen and not aborted was committed"))
    }

    /// Two transactions replaced the same version.
    fn report_lost_update(&self, analysis: &mut Analysis<'_>, seen: usize, first: usize, second: usize) {
        let [seen, first, second] = [seen, first, second].map(|version| &self.versions[version]);
        let (Some(one), Some(other)) = (first.writer, second.writer) else { return };
        let key = self.key;
        analysis.link(one, other, Link::Rw, key, (seen.value, second.value));
        analysis.link(other, one, Link::Rw, key, (seen.value, first.value));
        analysis.report(AnomalyKind::LostUpdate, Order::Data, &[one, other], |history| {
            let value = seen.value.map_or("nil", |value| history.value_text(value));
            let key = history.key_name(key);
            format!("T{one} and T{other} both read {value} in {key}, and both wrote {key}.")
        });
    }

    /// Links the transactions that wrote, read and replaced one version.
    fn link_versions(&self, analysis: &mut Analysis<'_>) {
        for version in &self.versions {
            let next = version.next.map(|next| &self.versions[next]);
            let next = next.and_then(|next| next.writer.map(|writer| (writer, next.value)));
            let same = (version.value, version.value);
            for reader in &version.readers {
                if let Some(writer) = version.writer {
                    analysis.link(writer, *reader, Link::Wr, self.key, same);
                }
                if let Some((next, value)) = next {
                    analysis.link(*reader, next, Link::Rw, self.key, (version.value, value));
                }
            }
            if let (Some(writer), Some((next, value))) = (version.writer, next) {
                analysis.link(writer, next, Link::Wr, self.key, same);
                analysis.link(writer, next, Link::Ww, self.key, (version.value, value));
            }
        }
    }

    /// The block that begins with the initial version, and all others.
    fn blocks(&self, analysis: &Analysis<'_>) -> (Block, Vec<Block>) {
        let initial = self.block(analysis, 0);
        let starts = (1..self.versions.len()).filter(|start| !self.versions[*start].has_previous);
        (initial, starts.map(|start| self.block(analysis, start)).collect())
    }

    fn block(&self, analysis: &Analysis<'_>, first: usize) -> Block {
        let mut block = Block { first, last: first, lo: u64::MAX, hi: 0 };
        let mut at = Some(first);
        while let Some(version) = at {
            block.last = version;
            for (transaction, _) in self.members(version) {
                let transaction = &analysis.history.transactions()[transaction];
                block.lo = block.lo.min(transaction.deadline().unwrap_or(u64::MAX));
                block.hi = block.hi.max(transaction.invoked);
            }
            at = self.versions[version].next;
        }
        block
    }

    /// Who wrote or read a version, with the dependency that whoever replaces it has on them.
    fn members(&self, version: usize) -> impl Iterator<Item = (TransactionIndex, Link)> + '_ {
        let version = &self.versions[version];
        let readers = version.readers.iter().map(|reader| (*reader, Link::Rw));
        version.writer.map(|writer| (writer, Link::Ww)).into_iter().chain(readers)
    }

    /// A moment after everything that concerns a block.
    fn end(&self, analysis: &mut Analysis<'_>, block: &Block, order: Order) -> Node {
        let moment = analysis.graph.moment();
        for (transaction, link) in self.members(block.last) {
            // Time orders two values only because of what was read, so it makes no dirty write.
            let link = if order == Order::RealTime { Link::Rw } else { link };
            let versions = (self.versions[block.last].value, None);
            analysis.link_node(transaction as Node, moment, link, order, self.key, versions);
        }
        moment
    }

    /// Says that a block begins after a moment.
    fn begin(&self, analysis: &mut Analysis<'_>, moment: Node, block: &Block, order: Order) {
        let first = &self.versions[block.first];
        let writer = first.writer.expect("only the initial version has no writer");
        analysis.link_node(moment, writer as Node, Link::Then, order, self.key, (None, first.value));
    }

    fn link_initial(&self, analysis: &mut Analysis<'_>, initial: &Block, blocks: &[Block]) {
        if self.members(initial.last).next().is_some() {
            let end = self.end(analysis, initial, Order::Data);
            blocks.iter().for_each(|block| self.begin(analysis, end, block, Order::Data));
        }
    }

    fn link_blocks(&self, analysis: &mut Analysis<'_>, mut blocks: Vec<Block>) {
        if blocks.len() < 2 {
            return;
        }
        blocks.sort_by_key(|block| (block.lo, block.first));
        let order = Order::RealTime;
        let then = |analysis: &mut Analysis<'_>, from, to| {
            analysis.graph.link(from, to, Link::Then, order, None);
        };
        let ends: Vec<Node> = blocks.iter().map(|block| self.end(analysis, block, order)).collect();
        // `prefixes[i]` is a moment after the blocks 0 to i.
        let prefixes: Vec<Node> = ends.iter().map(|_| analysis.graph.moment()).collect();
        for (rank, block) in blocks.iter().enumerate() {
            then(analysis, ends[rank], prefixes[rank]);
            if rank > 0 {
                then(analysis, prefixes[rank - 1], prefixes[rank]);
            }
            let before = blocks.partition_point(|other| other.lo < block.hi);
            if let Some(prefix) = before.min(rank).checked_sub(1) {
                self.begin(analysis, prefixes[prefix], block, order);
            }
            for end in ends.iter().take(before).skip(rank + 1).take(OPEN_BLOCKS_MAX) {
                self.begin(analysis, *end, block, order);
            }
        }
    }
}
