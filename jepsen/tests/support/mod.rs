//! A store that does one thing at a time, and clients that talk to it through a bad network.
//!
//! Each call takes effect at one instant of its interval, so the history is linearizable. Some answers
//! are lost; then the call may take effect later or never, and its client goes on as a new process.

use quorate_jepsen::store::{Expected, StoreAnswer, StoreCall, StoreHistory};

/// What the clients do.
#[derive(Clone, Copy)]
pub struct Workload {
    /// Calls in total.
    pub operations: usize,
    /// Clients.
    pub clients: usize,
    /// Keys.
    pub keys: u64,
    /// Calls in a hundred whose answer is lost.
    pub unknown_percent: u64,
    /// The seed of every choice.
    pub seed: u64,
}

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

/// A call that was sent and has not reached the store.
struct Pending {
    operation: usize,
    key: usize,
    call: StoreCall,
}

enum Client {
    Idle,
    Sent(Pending, bool),
    Done(usize, StoreAnswer),
}

struct Store {
    keys: Vec<Option<(Vec<u8>, u64)>>,
    revision: u64,
}

impl Store {
    fn execute(&mut self, key: usize, call: &StoreCall) -> StoreAnswer {
        let content = &mut self.keys[key];
        let at = content.as_ref().map(|(_, revision)| *revision);
        match call {
            StoreCall::PutIf { expected: Expected::Absent, .. } if at.is_some() => StoreAnswer::Mismatch,
            StoreCall::PutIf { expected: Expected::Revision(revision), .. } if at != Some(*revision) => {
                StoreAnswer::Mismatch
            }
            StoreCall::DeleteIf { revision } if at != Some(*revision) => StoreAnswer::Mismatch,
            StoreCall::Get => match content {
                Some((value, revision)) => StoreAnswer::Found { value: value.clone(), revision: *revision },
                None => StoreAnswer::Absent,
            },
            StoreCall::Put { value } | StoreCall::PutIf { value, .. } => {
                self.revision += 1;
                *content = Some((value.clone(), self.revision));
                StoreAnswer::Written { revision: self.revision }
            }
            StoreCall::Delete | StoreCall::DeleteIf { .. } => {
                let existed = content.take().is_some();
                self.revision += u64::from(existed);
                StoreAnswer::Deleted { existed: Some(existed), revision: existed.then_some(self.revision) }
            }
        }
    }
}

/// Runs a workload.
pub fn run(workload: Workload) -> StoreHistory {
    let mut numbers = Numbers(workload.seed);
    let mut history = StoreHistory::new();
    let mut store = Store { keys: vec![None; workload.keys as usize], revision: 0 };
    let mut clients: Vec<Client> = (0..workload.clients).map(|_| Client::Idle).collect();
    let mut processes: Vec<u64> = (0..workload.clients as u64).collect();
    let mut stray: Vec<Pending> = Vec::new();
    let mut seen = vec![1; workload.keys as usize];
    let mut time = 0;
    while history.operations().len() < workload.operations
        || clients.iter().any(|client| !matches!(client, Client::Idle))
    {
        time += 1;
        if !stray.is_empty() && numbers.below(40) == 0 {
            let late = stray.swap_remove(numbers.below(stray.len() as u64) as usize);
            store.execute(late.key, &late.call);
        }
        let index = numbers.below(workload.clients as u64) as usize;
        clients[index] = match std::mem::replace(&mut clients[index], Client::Idle) {
            Client::Idle if history.operations().len() == workload.operations => Client::Idle,
            Client::Idle => {
                let key = numbers.below(workload.keys) as usize;
                let value = format!("v{}", history.operations().len()).into_bytes();
                let call = match numbers.below(20) {
                    0..9 => StoreCall::Get,
                    9..15 => StoreCall::Put { value },
                    15 => StoreCall::Delete,
                    16 => StoreCall::PutIf { expected: Expected::Absent, value },
                    17 | 18 => StoreCall::PutIf { expected: Expected::Revision(seen[key]), value },
                    _ => StoreCall::DeleteIf { revision: seen[key] },
                };
                let name = format!("key-{key}");
                let operation = history.invoke(processes[index], name.as_bytes(), call.clone(), time);
                Client::Sent(Pending { operation, key, call }, numbers.below(100) < workload.unknown_percent)
            }
            Client::Sent(pending, true) => {
                history.unknown(pending.operation, time);
                processes[index] += workload.clients as u64;
                match numbers.below(3) {
                    0 => drop(pending),
                    1 => drop(store.execute(pending.key, &pending.call)),
                    _ => stray.push(pending),
                }
                Client::Idle
            }
            Client::Sent(pending, false) => {
                let answer = store.execute(pending.key, &pending.call);
                if let StoreAnswer::Found { revision, .. } | StoreAnswer::Written { revision } = &answer {
                    seen[pending.key] = *revision;
                }
                Client::Done(pending.operation, answer)
            }
            Client::Done(operation, answer) => {
                history.ok(operation, answer, time);
                Client::Idle
            }
        };
    }
    history
}
