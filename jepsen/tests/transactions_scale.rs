//! Large histories of transactions: right ones are kept, one wrong read among all convicts.

use std::collections::VecDeque;
use std::time::Instant;

use quorate_jepsen::transactions::{
    Ending, Guarantee, Key, Seen, Step, TransactionHistory, Value, check_transactions,
};

const TRANSACTIONS: usize = 100_000;
const CLIENTS: u64 = 20;
/// Keys that are in use at one time; after some writes a key is replaced by a new one.
const KEYS: usize = 10;
const WRITES_PER_KEY: usize = 64;

/// A generator of numbers, the same on every machine (Steele, Lea and Flood's SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % limit
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Workload {
    Lists,
    Registers,
}

/// What a key holds: all values that were written to it, in order.
struct Cell {
    key: Key,
    values: Vec<Value>,
}

struct Store {
    workload: Workload,
    numbers: Numbers,
    history: TransactionHistory,
    cells: Vec<Cell>,
    keys: usize,
    values: usize,
}

impl Store {
    fn new_cell(&mut self) -> Cell {
        self.keys += 1;
        Cell { key: self.history.key(&format!("k{}", self.keys)), values: Vec::new() }
    }

    /// Four steps, not yet executed.
    fn plan(&mut self) -> Vec<(usize, Step)> {
        (0..4)
            .map(|_| {
                let at = self.numbers.below(KEYS as u64) as usize;
                let key = self.cells[at].key;
                if self.numbers.below(2) == 0 {
                    return (at, Step::Read { key, seen: Seen::Unknown });
                }
                self.values += 1;
                let value = self.history.value(&self.values.to_string());
                (
                    at,
                    match self.workload {
                        Workload::Lists => Step::Append { key, value },
                        Workload::Registers => Step::Write { key, value },
                    },
                )
            })
            .collect()
    }

    /// Executes steps at one instant. `stale` withholds the last writes from reads.
    fn execute(&mut self, steps: &mut [(usize, Step)], stale: usize) {
        for (at, step) in steps {
            let is_current = self.cells[*at].key == step.key();
            let values = if is_current { &mut self.cells[*at].values } else { &mut Vec::new() };
            match step {
                Step::Append { value, .. } | Step::Write { value, .. } => values.push(*value),
                Step::Read { seen, .. } => {
                    let visible = &values[..values.len().saturating_sub(stale)];
                    *seen = match (self.workload, visible) {
                        (_, []) => Seen::Nothing,
                        (Workload::Lists, visible) => Seen::List(self.history.list(visible)),
                        (Workload::Registers, [.., last]) => Seen::Value(*last),
                    };
                }
            }
        }
    }
}

struct Open {
    index: usize,
    client: u64,
    steps: Vec<(usize, Step)>,
}

/// Runs a store that executes each transaction when it is answered, and replaces a full key only when
/// nobody has it in his plan.
fn run(workload: Workload, stale_at: Option<usize>) -> TransactionHistory {
    let mut store = Store {
        workload,
        numbers: Numbers(7),
        history: TransactionHistory::new(),
        cells: Vec::new(),
        keys: 0,
        values: 0,
    };
    store.cells = (0..KEYS).map(|_| store.new_cell()).collect();
    let mut idle: VecDeque<u64> = (0..CLIENTS).collect();
    let mut next_client = CLIENTS;
    let mut open: Vec<Open> = Vec::new();
    let mut line = 0;
    let mut is_stale_due = false;
    while store.history.transactions().len() < TRANSACTIONS || !open.is_empty() {
        line += 1;
        is_stale_due |= Some(store.history.transactions().len()) == stale_at;
        let begins = store.history.transactions().len() < TRANSACTIONS && !idle.is_empty();
        if begins && (open.is_empty() || store.numbers.below(2) == 0) {
            let client = idle.pop_front().expect("a client is idle");
            let steps = store.plan();
            let asked: Vec<Step> = steps.iter().map(|(_, step)| *step).collect();
            let index = store.history.invoke(client, &asked, u64::from(line), line);
            open.push(Open { index, client, steps });
            continue;
        }
        let chosen = store.numbers.below(open.len() as u64) as usize;
        let Open { index, client, mut steps } = open.swap_remove(chosen);
        let reads_much = steps
            .iter()
            .any(|(at, step)| matches!(step, Step::Read { .. }) && store.cells[*at].values.len() > 40)
            && steps.iter().all(|(_, step)| matches!(step, Step::Read { .. }));
        let is_stale = is_stale_due && reads_much;
        is_stale_due &= !is_stale;
        store.execute(&mut steps, if is_stale { 35 } else { 0 });
        if store.numbers.below(50) == 0 && !is_stale {
            store.history.unknown(index, u64::from(line), line);
            idle.push_back(next_client);
            next_client += 1;
        } else {
            let steps: Vec<Step> = steps.iter().map(|(_, step)| *step).collect();
            store.history.ok(index, &steps, u64::from(line), line).expect("the same steps");
            idle.push_back(client);
        }
        for at in 0..KEYS {
            let is_planned = open.iter().any(|open| open.steps.iter().any(|(other, _)| *other == at));
            if store.cells[at].values.len() >= WRITES_PER_KEY && !is_planned {
                store.cells[at] = store.new_cell();
            }
        }
    }
    store.history
}

fn check(workload: Workload, stale_at: Option<usize>, expected: &[&str]) {
    let history = run(workload, stale_at);
    let begin = Instant::now();
    let report = check_transactions(&history, Guarantee::StrictlySerializable).expect("a sound workload");
    println!("{TRANSACTIONS} transactions in {:?}", begin.elapsed());
    let mut names: Vec<String> = report.anomalies().iter().map(|anomaly| anomaly.name()).collect();
    names.dedup();
    assert_eq!(names, expected, "{report}");
    assert_eq!(report.is_kept(), expected.is_empty(), "{report}");
    let unknown = history.transactions().iter().filter(|other| other.ending == Ending::Unknown).count();
    assert!(unknown > TRANSACTIONS / 100);
}

#[test]
fn a_large_history_of_lists_is_kept() {
    check(Workload::Lists, None, &[]);
}

#[test]
fn one_stale_read_of_a_list_in_a_large_history_convicts() {
    check(Workload::Lists, Some(TRANSACTIONS / 2), &["G-single"]);
}

#[test]
fn a_large_history_of_registers_is_kept() {
    check(Workload::Registers, None, &[]);
}

#[test]
fn one_stale_read_of_a_register_in_a_large_history_convicts() {
    check(Workload::Registers, Some(TRANSACTIONS / 2), &["G-single-realtime"]);
}
