//! The order of the elements of lists.
//!
//! A read of a list shows every append before it, in order. So the longest read of a key orders all that
//! it shows, every other read must be a prefix of it, and each is placed exactly: after the append of
//! its last element, before the append of the next. Committed appends that the longest read does not
//! show come after all that it shows.

use super::analysis::{Analysis, Source};
use super::anomaly::{AnomalyKind, Order};
use super::graph::{Link, Node};
use super::history::{Ending, Key, TransactionIndex, Value};
use super::observations::ExternalRead;

/// Adds what follows from the reads of one list.
pub(super) fn order_list(analysis: &mut Analysis<'_>, key: Key) {
    let observations = analysis.observations;
    let reads = observations.of_key(key);
    let longest_read = reads.iter().rev().max_by_key(|read| analysis.elements(read).len());
    let longest = longest_read.map_or(&[][..], |read| analysis.elements(read));
    if let Some(read) = longest_read
        && has_duplicates(analysis, key, longest, read.transaction)
    {
        return;
    }
    let mut list = ListOrder { key, longest, writers: Vec::new(), reads: Vec::new() };
    list.compare_reads(analysis, reads);
    list.find_writers(analysis);
    list.link_appends(analysis);
    list.link_reads(analysis);
    list.check_own(analysis);
    list.link_unseen(analysis);
}

fn has_duplicates(
    analysis: &mut Analysis<'_>,
    key: Key,
    elements: &[Value],
    reader: TransactionIndex,
) -> bool {
    let mut sorted = elements.to_vec();
    sorted.sort_unstable();
    let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]) else {
        return false;
    };
    analysis.report(AnomalyKind::DuplicateElements, Order::Data, &[reader], |history| {
        let (key, value) = (history.key_name(key), history.value_text(twice));
        format!("T{reader} read {value} in {key} more than once, but it was appended once.")
    });
    true
}

struct ListOrder<'a> {
    key: Key,
    /// The longest list that was read.
    longest: &'a [Value],
    /// For each of its elements who appended it; none if it should not have been seen.
    writers: Vec<Option<TransactionIndex>>,
    /// The reads that agree with the longest, each with the number of elements that it found.
    reads: Vec<(ExternalRead, usize)>,
}

impl ListOrder<'_> {
    fn compare_reads(&mut self, analysis: &mut Analysis<'_>, reads: &[ExternalRead]) {
        let longest_reader = reads.iter().find(|read| analysis.elements(read) == self.longest);
        for read in reads {
            let elements = analysis.elements(read);
            if self.longest.starts_with(elements) {
                self.reads.push((*read, elements.len() - read.own));
                continue;
            }
            let reader = read.transaction;
            if has_duplicates(analysis, self.key, elements, reader) {
                continue;
            }
            let agreed = self.longest.iter().zip(elements).take_while(|(one, other)| one == other).count();
            for value in &elements[agreed..] {
                analysis.source(self.key, *value, reader);
            }
            let other = longest_reader.expect("somebody read the longest list").transaction;
            let key = self.key;
            analysis.report(AnomalyKind::IncompatibleOrder, Order::Data, &[other, reader], |history| {
                let (mine, theirs) = (elements[agreed], self.longest[agreed]);
                let (mine, theirs) = (history.value_text(mine), history.value_text(theirs));
                let (key, place) = (history.key_name(key), agreed + 1);
                format!("Element {place} of {key} was {theirs} for T{other} and {mine} for T{reader}.")
            });
        }
    }

    fn find_writers(&mut self, analysis: &mut Analysis<'_>) {
        let mut first_reads: Vec<(usize, TransactionIndex)> =
            self.reads.iter().map(|(read, found)| (found + read.own, read.transaction)).collect();
        first_reads.sort_unstable();
        for (position, value) in self.longest.iter().enumerate() {
            // The shortest read that shows the element is the easiest to understand.
            let shown_to = first_reads.partition_point(|(length, _)| *length <= position);
            let (_, reader) = first_reads[shown_to];
            self.writers.push(match analysis.source(self.key, *value, reader) {
                Source::Committed(writer) => Some(writer),
                Source::Wrong => None,
            });
        }
    }

    /// The elements that were rightly seen, with their positions.
    fn appends(&self) -> impl DoubleEndedIterator<Item = (usize, TransactionIndex)> + '_ {
        let writers = self.writers.iter().enumerate();
        writers.filter_map(|(position, writer)| writer.map(|writer| (position, writer)))
    }

    fn link_appends(&self, analysis: &mut Analysis<'_>) {
        for ((position, writer), (next_position, next)) in self.appends().zip(self.appends().skip(1)) {
            let versions = (Some(self.longest[position]), Some(self.longest[next_position]));
            analysis.link(writer, next, Link::Ww, self.key, versions);
        }
    }

    fn link_reads(&self, analysis: &mut Analysis<'_>) {
        // For each length of a read the first element that it does not show.
        let mut next_appends = vec![None; self.longest.len() + 1];
        for (position, writer) in self.appends().rev() {
            next_appends[position] = Some((position, writer));
        }
        for position in (0..self.longest.len()).rev() {
            if next_appends[position].is_none() {
                next_appends[position] = next_appends[position + 1];
            }
        }
        for (read, found) in &self.reads {
            let reader = read.transaction;
            let last = found.checked_sub(1).map(|position| self.longest[position]);
            if let Some(last) = last {
                analysis.check_intermediate(self.key, last, reader);
                if let Some(writer) = self.writers[found - 1] {
                    analysis.link(writer, reader, Link::Wr, self.key, (Some(last), Some(last)));
                }
            }
            if let Some((position, writer)) = next_appends[*found] {
                analysis.link(reader, writer, Link::Rw, self.key, (last, Some(self.longest[position])));
            }
        }
    }

    /// Nobody finds what he appends only later.
    fn check_own(&self, analysis: &mut Analysis<'_>) {
        for (position, writer) in self.appends() {
            let read = self.reads.binary_search_by_key(&writer, |(read, _)| read.transaction);
            if read.is_ok_and(|read| self.reads[read].1 > position) {
                let (key, value) = (self.key, self.longest[position]);
                analysis.report(AnomalyKind::Internal, Order::Data, &[writer], |history| {
                    let (key, value) = (history.key_name(key), history.value_text(value));
                    format!("T{writer} read {value} in {key} before it appended it.")
                });
            }
        }
    }

    /// Places committed appends that no read shows behind everything that the longest read shows.
    fn link_unseen(&self, analysis: &mut Analysis<'_>) {
        let mut seen = self.longest.to_vec();
        seen.sort_unstable();
        let writes = analysis.writes;
        let mut unseen: Vec<(TransactionIndex, Value)> = (writes.of_key(self.key).iter())
            .filter(|written| analysis.committed[written.transaction])
            .filter(|written| seen.binary_search(&written.value).is_err())
            .map(|written| (written.transaction, written.value))
            .collect();
        unseen.sort_unstable();
        unseen.dedup_by_key(|(writer, _)| *writer);
        if unseen.is_empty() {
            return;
        }
        self.check_lost(analysis, &unseen);
        let is_unseen = |transaction| unseen.binary_search_by_key(&transaction, |(writer, _)| *writer);
        let last = self.longest.last().copied();
        let last_writer = self.appends().next_back().map(|(_, writer)| writer);
        let last_readers = self.reads.iter().filter(|(_, found)| *found == self.longest.len());
        let before = last_writer.map(|writer| (writer, Link::Ww)).into_iter();
        let before = before.chain(last_readers.map(|(read, _)| (read.transaction, Link::Rw)));
        let (mut updating, before): (Vec<_>, Vec<_>) =
            before.partition(|(transaction, _)| is_unseen(*transaction).is_ok());
        updating.sort_unstable();
        updating.dedup_by_key(|(transaction, _)| *transaction);
        match updating[..] {
            [] => {
                let moment = analysis.graph.moment();
                self.link_all(analysis, &before, moment, last);
                self.link_then(analysis, moment, &unseen, None);
            }
            // It found the longest list, or made it, and appended more: its append is the next.
            [(next, _)] => {
                let value = is_unseen(next).map(|position| unseen[position].1).ok();
                for (transaction, link) in before {
                    analysis.link(transaction, next, link, self.key, (last, value));
                }
                let moment = analysis.graph.moment();
                self.link_all(analysis, &[(next, Link::Ww)], moment, value);
                self.link_then(analysis, moment, &unseen, Some(next));
            }
            [(first, Link::Rw), (second, Link::Rw), ..] => {
                let value = |transaction| is_unseen(transaction).map(|position| unseen[position].1).ok();
                analysis.link(first, second, Link::Rw, self.key, (last, value(second)));
                analysis.link(second, first, Link::Rw, self.key, (last, value(first)));
                self.report_lost_update(analysis, first, second);
            }
            // Somebody found a list that its last writer had not finished: an intermediate read.
            _ => {}
        }
    }

    fn link_all(
        &self,
        analysis: &mut Analysis<'_>,
        before: &[(TransactionIndex, Link)],
        moment: Node,
        version: Option<Value>,
    ) {
        for (transaction, link) in before {
            let versions = (version, None);
            analysis.link_node(*transaction as Node, moment, *link, Order::Data, self.key, versions);
        }
    }

    fn link_then(
        &self,
        analysis: &mut Analysis<'_>,
        moment: Node,
        unseen: &[(TransactionIndex, Value)],
        except: Option<TransactionIndex>,
    ) {
        for (writer, value) in unseen.iter().filter(|(writer, _)| Some(*writer) != except) {
            let versions = (None, Some(*value));
            analysis.link_node(moment, *writer as Node, Link::Then, Order::Data, self.key, versions);
        }
    }

    fn report_lost_update(
        &self,
        analysis: &mut Analysis<'_>,
        first: TransactionIndex,
        second: TransactionIndex,
    ) {
        let key = self.key;
        analysis.report(AnomalyKind::LostUpdate, Order::Data, &[first, second], |history| {
            let key = history.key_name(key);
            format!("T{first} and T{second} found the same elements in {key}, and both appended to it.")
        });
    }

    fn check_lost(&self, analysis: &mut Analysis<'_>, unseen: &[(TransactionIndex, Value)]) {
        let transactions = analysis.history.transactions();
        let Some(reader) = self
            .reads
            .iter()
            .map(|(read, _)| read.transaction)
            .max_by_key(|reader| transactions[*reader].invoked)
        else {
            return;
        };
        let lost = unseen.iter().find(|(writer, _)| {
            transactions[*writer].ending == Ending::Ok
                && transactions[*writer].is_before(&transactions[reader])
        });
        if let Some((writer, value)) = lost.copied() {
            let key = self.key;
            analysis.report(AnomalyKind::LostAppend, Order::RealTime, &[writer, reader], |history| {
                let (key, value) = (history.key_name(key), history.value_text(value));
                format!("T{writer} appended {value} to {key} and ended before T{reader} began, which did not see it.")
            });
        }
    }
}
