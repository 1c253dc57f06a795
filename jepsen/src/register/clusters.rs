//! Which operations concern the same value, and which values follow each other.
//!
//! A *cluster* is a value's writer and its readers. If the value is written once, they follow each other in
//! every order without another write between them. A compare-and-set is the last of the value that it
//! expects and the first of the value that it sets, so the clusters that compare-and-sets link form a
//! *chain* that stays together as well.
//!
//! A write of unknown outcome is needed only if its value was *observed*: by a read, by a successful
//! compare-and-set, or by an unknown compare-and-set whose own value was observed. All others are dropped;
//! only a refused compare-and-set could tell that one of them happened.

use super::rows::{INITIAL, Kind, Row};

/// No row, or no cluster.
pub(super) const NONE: u32 = u32::MAX;
/// The writer of the initial value.
const BEFORE_EVERYTHING: u32 = u32::MAX - 1;

/// The operations on one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    /// When the first of its reads ended.
    pub(super) first_read_end: u64,
    /// When the last of its reads began.
    pub(super) last_read_begin: u64,
    writer: u32,
    /// The cluster that follows by a compare-and-set.
    pub(super) next: u32,
    pub(super) reads: u32,
    is_observed: bool,
    has_more_writers: bool,
    is_refused: bool,
    pub(super) is_continuation: bool,
}

impl Cluster {
    const EMPTY: Self = Self {
        first_read_end: u64::MAX,
        last_read_begin: 0,
        writer: NONE,
        next: NONE,
        reads: 0,
        is_observed: false,
        has_more_writers: false,
        is_refused: false,
        is_continuation: false,
    };

    /// The row that writes the value; none for the initial value.
    pub(super) fn writer(&self) -> Option<usize> {
        (self.writer < BEFORE_EVERYTHING).then_some(self.writer as usize)
    }

    /// Whether the value is in every order.
    pub(super) fn exists(&self) -> bool {
        self.writer != NONE
    }
}

/// Why a register cannot have behaved so. Numbers are rows, of operations that are required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// This row observed a value that nothing writes.
    NeverWritten(usize),
    /// Both rows changed the same value to another.
    TakenTwice(usize, usize),
    /// The value that this compare-and-set sets was needed to reach the value that it expects.
    Circle(usize),
    /// The second must come after the first, by the values that they saw and left, and ended before the
    /// first began.
    TooEarly(usize, usize),
    /// Two chains, each as an operation that had ended when an operation of the other began: first and
    /// second of the one chain, then of the other.
    Crossed([usize; 4]),
    /// A refused compare-and-set, of a value that was there all the time: an operation that had ended when
    /// it began, and one that began when it had ended.
    Held {
        /// The compare-and-set.
        refused: usize,
        /// What shows that the value was there before; none for the initial value.
        before: Option<usize>,
        /// What shows that it was there after.
        after: usize,
    },
}

/// What the clusters of a key tell.
pub(super) enum Gathered {
    /// They are clear.
    Clusters(Clusters),
    /// They cannot be.
    Impossible(Contradiction),
    /// Some value that matters has several writers.
    Ambiguous,
}

/// The clusters of one key.
pub(super) struct Clusters {
    /// By the number of the value; more follow for repeated writes of values that nobody observed.
    pub(super) all: Vec<Cluster>,
    /// The refused compare-and-sets, as rows.
    pub(super) refused: Vec<u32>,
}

impl Clusters {
    /// Gathers the clusters of one key with `values` values.
    pub(super) fn gather(rows: &[Row], values: usize) -> Gathered {
        let mut clusters = Self { all: vec![Cluster::EMPTY; values], refused: Vec::new() };
        clusters.all[INITIAL as usize].writer = BEFORE_EVERYTHING;
        let mut links = Vec::new();
        let mut repeated = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let index = index as u32;
            match row.kind {
                Kind::Read => {
                    let cluster = &mut clusters.all[row.first as usize];
                    cluster.first_read_end = cluster.first_read_end.min(row.end);
                    cluster.last_read_begin = cluster.last_read_begin.max(row.begin);
                    cluster.reads += 1;
                    cluster.is_observed = true;
                }
                Kind::Refused => {
                    clusters.all[row.first as usize].is_refused = true;
                    clusters.refused.push(index);
                }
                Kind::Write | Kind::MaybeWrite => clusters.written(index, row.first, &mut repeated),
                Kind::Cas | Kind::MaybeCas => {
                    clusters.all[row.first as usize].is_observed |= row.kind == Kind::Cas;
                    clusters.written(index, row.second, &mut repeated);
                    links.push(index);
                }
            }
        }
        clusters.observe_through_unknown(rows, &mut links);
        if clusters.is_ambiguous(rows, &repeated) {
            return Gathered::Ambiguous;
        }
        let contradiction = clusters.drop_unobserved(rows).or_else(|| clusters.link(rows, &links));
        if let Some(contradiction) = contradiction {
            return Gathered::Impossible(contradiction);
        }
        clusters.add_repeated(rows, &repeated);
        Gathered::Clusters(clusters)
    }

    fn written(&mut self, row: u32, value: u32, repeated: &mut Vec<u32>) {
        let cluster = &mut self.all[value as usize];
        if cluster.writer == NONE {
            cluster.writer = row;
        } else {
            cluster.has_more_writers = true;
            repeated.push(row);
        }
    }

    /// Follows observed values back through the unknown compare-and-sets that must have written them, and
    /// leaves in `links` the compare-and-sets that are required.
    fn observe_through_unknown(&mut self, rows: &[Row], links: &mut Vec<u32>) {
        let (mut required, unknown): (Vec<u32>, Vec<u32>) =
            links.iter().partition(|row| rows[**row as usize].kind == Kind::Cas);
        let mut observed: Vec<u32> = unknown
            .into_iter()
            .filter(|row| {
                let cluster = &self.all[rows[*row as usize].second as usize];
                cluster.is_observed && cluster.writer == *row
            })
            .collect();
        while let Some(row) = observed.pop() {
            required.push(row);
            let before = &mut self.all[rows[row as usize].first as usize];
            let writer = before.writer();
            if !std::mem::replace(&mut before.is_observed, true)
                && let Some(writer) = writer
                && rows[writer].kind == Kind::MaybeCas
            {
                observed.push(writer as u32);
            }
        }
        *links = required;
    }

    /// Whether a value with several writers matters to anybody.
    fn is_ambiguous(&self, rows: &[Row], repeated: &[u32]) -> bool {
        repeated.iter().any(|row| {
            let row = &rows[*row as usize];
            let value = row.written().expect("a repeated writer writes");
            let cluster = &self.all[value as usize];
            cluster.is_observed || cluster.is_refused || row.kind == Kind::Cas
        })
    }

    /// Drops the unknown writes that nobody observed.
    fn drop_unobserved(&mut self, rows: &[Row]) -> Option<Contradiction> {
        let mut is_unwritten = false;
        for cluster in &mut self.all {
            if let Some(writer) = cluster.writer()
                && !cluster.is_observed
                && !rows[writer].kind.is_required()
            {
                cluster.writer = NONE;
            }
            is_unwritten |= cluster.is_observed && cluster.writer == NONE;
        }
        let observes_nothing =
            |row: &Row| matches!(row.kind, Kind::Read | Kind::Cas) && !self.all[row.first as usize].exists();
        let observes_through_unknown = |row: &Row| {
            row.kind == Kind::MaybeCas
                && self.all[row.second as usize].is_observed
                && !self.all[row.first as usize].exists()
        };
        if !is_unwritten {
            return None;
        }
        let row =
            rows.iter().position(observes_nothing).or_else(|| rows.iter().position(observes_through_unknown));
        Some(Contradiction::NeverWritten(row.expect("a value is observed by a row")))
    }

    fn link(&mut self, rows: &[Row], links: &[u32]) -> Option<Contradiction> {
        for index in links {
            let row = &rows[*index as usize];
            let after = self.all[row.first as usize].next;
            if after != NONE {
                let other = self.all[after as usize].writer().expect("a compare-and-set wrote it");
                return Some(Contradiction::TakenTwice(other, *index as usize));
            }
            self.all[row.first as usize].next = row.second;
            self.all[row.second as usize].is_continuation = true;
        }
        None
    }

    /// Repeated writes of values that nobody observed are clusters of their own.
    fn add_repeated(&mut self, rows: &[Row], repeated: &[u32]) {
        for row in repeated {
            if rows[*row as usize].kind.is_required() {
                self.all.push(Cluster { writer: *row, ..Cluster::EMPTY });
            }
        }
    }
}
