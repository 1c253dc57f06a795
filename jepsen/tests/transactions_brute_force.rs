//! The checker of transactions against brute force: on tiny histories, every order of every subset is
//! tried.
//!
//! The histories come from a store that is broken in different ways: it executes transactions at one
//! instant, inside their interval or outside of it, or step by step with those of others in between, and
//! it may abort half of one. For lists the two must agree always; for registers the checker may
//! say that it does not know, and rarely does.
//!
//! `TRANSACTION_CASES` sets how many histories are tried.

use quorate_jepsen::transactions::{
    Ending, Guarantee, Key, Seen, Step, TransactionHistory, TransactionVerdict, Value, check_transactions,
};

/// Histories of each kind that a plain run tries.
const CASES: u64 = 30_000;

const GUARANTEES: [Guarantee; 3] =
    [Guarantee::Serializable, Guarantee::SessionSerializable, Guarantee::StrictlySerializable];

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

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Which keys the transactions use: keys 0 and 1 are lists or registers.
#[derive(Clone, Copy)]
enum Workload {
    Lists,
    Registers,
    Both,
}

impl Workload {
    fn is_list(self, key: usize) -> bool {
        match self {
            Self::Lists => true,
            Self::Registers => false,
            Self::Both => key == 0,
        }
    }
}

#[derive(Clone, Copy)]
enum PlannedStep {
    Read(usize),
    Change(usize, u32),
}

struct Planned {
    begin: u64,
    end: u64,
    ending: Ending,
    /// Whether it is executed.
    happens: bool,
    steps: Vec<PlannedStep>,
    /// When each step is executed.
    at: Vec<u64>,
    /// What each step saw.
    saw: Vec<Vec<u32>>,
}

/// Plans transactions whose intervals are short compared with the history, and when their steps happen.
fn plan(numbers: &mut Numbers) -> Vec<Planned> {
    let count = 1 + numbers.below(6);
    let is_atomic = numbers.chance(70);
    let is_timely = numbers.chance(60);
    let mut value = 0;
    let mut planned: Vec<Planned> = (0..count)
        .map(|_| {
            let begin = numbers.below(12);
            let end = begin + numbers.below(8);
            let ending = match numbers.below(8) {
                0 => Ending::Unknown,
                1 => Ending::Failed,
                _ => Ending::Ok,
            };
            let happens = match ending {
                Ending::Ok => true,
                Ending::Failed => numbers.chance(10),
                Ending::Unknown => numbers.chance(50),
            };
            let steps: Vec<PlannedStep> = (0..1 + numbers.below(4))
                .map(|_| {
                    let key = numbers.below(2) as usize;
                    if numbers.chance(50) {
                        return PlannedStep::Read(key);
                    }
                    value += 1;
                    PlannedStep::Change(key, value)
                })
                .collect();
            let mut instant = || match is_timely {
                true => begin + numbers.below(end - begin + 1 + u64::from(ending == Ending::Unknown) * 9),
                false => numbers.below(20),
            };
            let first = instant();
            let mut at: Vec<u64> = steps.iter().map(|_| if is_atomic { first } else { instant() }).collect();
            at.sort_unstable();
            Planned { begin, end, ending, happens, steps, at, saw: Vec::new() }
        })
        .collect();
    planned.sort_by_key(|transaction| transaction.begin);
    planned
}

/// Executes every step at its instant.
fn execute(planned: &mut [Planned], workload: Workload, numbers: &mut Numbers) {
    let mut instants: Vec<(u64, usize, usize)> = Vec::new();
    for (index, transaction) in planned.iter_mut().enumerate() {
        transaction.saw = vec![Vec::new(); transaction.steps.len()];
        if transaction.happens {
            instants.extend(transaction.at.iter().enumerate().map(|(step, at)| (*at, index, step)));
        }
    }
    instants.sort_unstable();
    let mut keys: [Vec<u32>; 2] = Default::default();
    for (_, index, step) in instants {
        match planned[index].steps[step] {
            PlannedStep::Read(key) => planned[index].saw[step] = keys[key].clone(),
            PlannedStep::Change(key, value) => {
                if !workload.is_list(key) {
                    keys[key].clear();
                }
                keys[key].push(value);
            }
        }
    }
    if numbers.chance(15) {
        let (index, other) =
            (numbers.below(planned.len() as u64) as usize, numbers.below(planned.len() as u64) as usize);
        let step = numbers.below(planned[index].steps.len() as u64) as usize;
        let from = numbers.below(planned[other].steps.len() as u64) as usize;
        if let (PlannedStep::Read(to), PlannedStep::Read(key)) =
            (planned[index].steps[step], planned[other].steps[from])
            && workload.is_list(to) == workload.is_list(key)
        {
            planned[index].saw[step] = planned[other].saw[from].clone();
        }
    }
}

/// Records the transactions. Clients are used again as soon as they are free.
fn record(planned: &[Planned], workload: Workload) -> TransactionHistory {
    let mut history = TransactionHistory::new();
    let keys = [history.key("x"), history.key("y")];
    let mut free_at: Vec<Option<u64>> = Vec::new();
    for (line, transaction) in (1..).zip(planned) {
        let steps = |history: &mut TransactionHistory, is_answered: bool| -> Vec<Step> {
            let step = |(step, saw): (&PlannedStep, &Vec<u32>)| match *step {
                PlannedStep::Read(key) => {
                    let values: Vec<Value> =
                        saw.iter().map(|value| history.value(&value.to_string())).collect();
                    let seen = match values[..] {
                        _ if !is_answered => Seen::Unknown,
                        [] => Seen::Nothing,
                        [value] if !workload.is_list(key) => Seen::Value(value),
                        _ => Seen::List(history.list(&values)),
                    };
                    Step::Read { key: keys[key], seen }
                }
                PlannedStep::Change(key, value) => {
                    let value = history.value(&value.to_string());
                    if workload.is_list(key) {
                        Step::Append { key: keys[key], value }
                    } else {
                        Step::Write { key: keys[key], value }
                    }
                }
            };
            transaction.steps.iter().zip(&transaction.saw).map(step).collect()
        };
        let process = (0..free_at.len())
            .find(|process| free_at[*process].is_some_and(|end| end < transaction.begin))
            .unwrap_or_else(|| {
                free_at.push(None);
                free_at.len() - 1
            });
        free_at[process] = (transaction.ending != Ending::Unknown).then_some(transaction.end);
        let invoked = steps(&mut history, false);
        let index = history.invoke(process as u64, &invoked, transaction.begin, 2 * line - 1);
        match transaction.ending {
            Ending::Ok => {
                let completed = steps(&mut history, true);
                history.ok(index, &completed, transaction.end, 2 * line).expect("the same steps");
            }
            Ending::Failed => history.failed(index, transaction.end, 2 * line),
            Ending::Unknown => history.unknown(index, transaction.end, 2 * line),
        }
    }
    history
}

/// What the two keys hold.
#[derive(Clone, Default)]
struct Store {
    lists: Vec<(Key, Vec<Value>)>,
    registers: Vec<(Key, Value)>,
}

impl Store {
    /// Executes a transaction. Says whether its answer is right.
    fn execute(&mut self, history: &TransactionHistory, index: usize) -> bool {
        let is_answered = history.transactions()[index].ending == Ending::Ok;
        history.steps(index).iter().all(|step| match *step {
            Step::Append { key, value } => {
                match self.lists.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, list)) => list.push(value),
                    None => self.lists.push((key, vec![value])),
                }
                true
            }
            Step::Write { key, value } => {
                self.registers.retain(|(other, _)| *other != key);
                self.registers.push((key, value));
                true
            }
            Step::Read { .. } if !is_answered => true,
            Step::Read { key, seen } => {
                let list = self.lists.iter().find(|(other, _)| *other == key).map(|(_, list)| &list[..]);
                let register = self.registers.iter().find(|(other, _)| *other == key);
                match seen {
                    Seen::Unknown => true,
                    Seen::Nothing => list.is_none() && register.is_none(),
                    Seen::Value(value) => register == Some(&(key, value)),
                    Seen::List(seen) => list.unwrap_or_default() == history.elements(seen),
                }
            }
        })
    }
}

/// Whether some order of the transactions that are not in `used` keeps the promise.
fn explains(history: &TransactionHistory, guarantee: Guarantee, used: &mut Vec<bool>, store: &Store) -> bool {
    let transactions = history.transactions();
    let is_required = |index: usize, used: &[bool]| !used[index] && transactions[index].ending == Ending::Ok;
    if !(0..transactions.len()).any(|index| is_required(index, used)) {
        return true;
    }
    (0..transactions.len()).any(|index| {
        let must_wait = (0..transactions.len()).any(|other| {
            let same_client = transactions[other].process == transactions[index].process && other < index;
            let in_time = guarantee == Guarantee::StrictlySerializable
                && transactions[other].is_before(&transactions[index]);
            let in_session = guarantee >= Guarantee::SessionSerializable && same_client;
            is_required(other, used) && (in_time || in_session)
        });
        if used[index] || transactions[index].ending == Ending::Failed || must_wait {
            return false;
        }
        let mut next = store.clone();
        if !next.execute(history, index) {
            return false;
        }
        used[index] = true;
        let explained = explains(history, guarantee, used, &next);
        used[index] = false;
        explained
    })
}

fn describe(history: &TransactionHistory) -> String {
    (0..history.transactions().len())
        .map(|index| {
            let transaction = &history.transactions()[index];
            format!("{:?} {}\n", (transaction.invoked, transaction.completed), history.describe(index))
        })
        .collect()
}

/// What was found, over many histories.
#[derive(Debug, Default)]
struct Counts {
    kept: u64,
    broken: u64,
    unknown: u64,
}

/// Compares the verdicts on many histories.
fn compare(workload: Workload, seed: u64) -> Counts {
    let cases = std::env::var("TRANSACTION_CASES").map_or(CASES, |text| text.parse().expect("a number"));
    let mut counts = Counts::default();
    for case in 0..cases {
        let mut numbers = Numbers(seed + case);
        let mut planned = plan(&mut numbers);
        execute(&mut planned, workload, &mut numbers);
        let history = record(&planned, workload);
        for guarantee in GUARANTEES {
            let used = &mut vec![false; history.transactions().len()];
            let expected = explains(&history, guarantee, used, &Store::default());
            let report = check_transactions(&history, guarantee).expect("no value is written twice");
            let found = match &report.verdict {
                TransactionVerdict::Kept { .. } => {
                    counts.kept += 1;
                    true
                }
                TransactionVerdict::Broken { .. } => {
                    counts.broken += 1;
                    false
                }
                TransactionVerdict::Unknown { .. } => {
                    counts.unknown += 1;
                    continue;
                }
            };
            assert_eq!(found, expected, "case {case}, {guarantee}\n{}\n{report}", describe(&history));
        }
    }
    println!("{cases} histories: {counts:?}");
    counts
}

#[test]
fn lists_get_the_verdict_of_brute_force() {
    let counts = compare(Workload::Lists, 1 << 32);
    assert_eq!(counts.unknown, 0, "lists are decided always");
    assert!(counts.kept.min(counts.broken) > (counts.kept + counts.broken) / 10, "{counts:?}");
}

#[test]
fn registers_get_the_verdict_of_brute_force_or_none() {
    let counts = compare(Workload::Registers, 2 << 32);
    assert!(counts.unknown < counts.kept / 100, "{counts:?}");
    assert!(counts.kept.min(counts.broken) > (counts.kept + counts.broken) / 10, "{counts:?}");
}

#[test]
fn lists_and_registers_in_one_history_get_the_verdict_of_brute_force_or_none() {
    let counts = compare(Workload::Both, 3 << 32);
    assert!(counts.unknown < counts.kept / 100, "{counts:?}");
    assert!(counts.kept.min(counts.broken) > (counts.kept + counts.broken) / 10, "{counts:?}");
}
