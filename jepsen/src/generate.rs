//! Histories of registers that are known to be right, or to have one planted anomaly.
//!
//! Clients talk to one register a key. Every operation takes effect at an instant of its own interval, so
//! the history is linearizable by construction. Operations whose answer is lost take effect or not; their
//! client goes on as a new process. The same seed gives the same history on every machine.

mod numbers;

use crate::register::{Ending, KeyId, OperationId, RegisterHistory, Request, ValueId};

pub use numbers::Numbers;

/// Which values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Every write of a key has a value of its own.
    Unique,
    /// Values are drawn from this many.
    Repeated(u32),
}

/// Which history is made. Shares are percentages, from 0 to 100.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Operations in total.
    pub operations: usize,
    /// Clients that are busy all the time.
    pub clients: usize,
    /// Keys; each operation draws one.
    pub keys: usize,
    /// The values.
    pub values: Values,
    /// Of all operations, the share whose outcome is unknown.
    pub unknown_percent: f64,
    /// Of all operations, the share of writes.
    pub write_percent: f64,
    /// Of all operations, the share of compare-and-sets that expect what is there when they are sent. Some
    /// find something else when they arrive.
    pub cas_percent: f64,
    /// Of all operations, the share of further compare-and-sets that expect a value that was there before.
    /// If it is 0, compare-and-sets that did not happen are recorded as failed, otherwise as refused, which
    /// is an observation.
    pub refused_percent: f64,
    /// Whether one read returns a value that was overwritten before the read began. Where values repeat,
    /// another write of the same value may explain it, and the history is right after all.
    pub has_stale_read: bool,
    /// The seed of every choice.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            operations: 1_000,
            clients: 5,
            keys: 1,
            values: Values::Unique,
            unknown_percent: 0.0,
            write_percent: 45.0,
            cas_percent: 5.0,
            refused_percent: 0.0,
            has_stale_read: false,
            seed: 0,
        }
    }
}

/// What a client is at.
#[derive(Clone, Copy)]
enum Client {
    Idle,
    /// A request that has not taken effect, and whether its answer will be lost.
    Sent {
        operation: OperationId,
        key: u32,
        request: Request,
        is_lost: bool,
    },
    /// An answer on its way.
    Answered {
        operation: OperationId,
        ending: Ending,
    },
}

/// One register, while a history is made.
#[derive(Clone, Copy)]
struct Register {
    value: ValueId,
    /// A value that it held before.
    former: ValueId,
    written: u32,
}

/// Makes a history.
pub fn generate(recipe: &Recipe) -> RegisterHistory {
    let mut workshop = Workshop::new(recipe);
    let mut time = 0;
    let mut busy = 0;
    while workshop.history.len() < recipe.operations || busy > 0 {
        time += 1;
        let client = workshop.numbers.below(recipe.clients as u64) as usize;
        let (next, change) = match workshop.clients[client] {
            Client::Idle if workshop.history.len() == recipe.operations => (Client::Idle, 0),
            Client::Idle => (workshop.send(client, time), 1),
            Client::Sent { operation, key, request, is_lost } => {
                workshop.arrive(client, operation, key, request, is_lost, time)
            }
            Client::Answered { operation, ending } => {
                workshop.complete(operation, ending, time);
                (Client::Idle, -1)
            }
        };
        workshop.clients[client] = next;
        busy += change;
    }
    workshop.history
}

struct Workshop<'a> {
    recipe: &'a Recipe,
    numbers: Numbers,
    history: RegisterHistory,
    clients: Vec<Client>,
    processes: Vec<u64>,
    registers: Vec<Register>,
    repeated: Vec<Vec<ValueId>>,
    /// The read that is to lie, counted from the end; none once it has.
    stale_after: Option<usize>,
}

impl<'a> Workshop<'a> {
    fn new(recipe: &'a Recipe) -> Self {
        let mut history = RegisterHistory::new();
        history.reserve(recipe.operations);
        let keys: Vec<KeyId> = (0..recipe.keys).map(|key| history.key(key.to_string().as_bytes())).collect();
        let repeated = match recipe.values {
            Values::Unique => Vec::new(),
            Values::Repeated(count) => keys
                .iter()
                .map(|key| {
                    (0..count).map(|value| history.value(*key, value.to_string().as_bytes())).collect()
                })
                .collect(),
        };
        let register = Register { value: ValueId::INITIAL, former: ValueId::INITIAL, written: 0 };
        Self {
            recipe,
            numbers: Numbers::new(recipe.seed),
            history,
            clients: vec![Client::Idle; recipe.clients],
            processes: (0..recipe.clients as u64).collect(),
            registers: vec![register; recipe.keys],
            repeated,
            stale_after: recipe.has_stale_read.then_some(recipe.operations * 3 / 4),
        }
    }

    /// Draws a request and sends it.
    fn send(&mut self, client: usize, time: u64) -> Client {
        let key = self.numbers.below(self.recipe.keys as u64) as u32;
        let share = self.numbers.percent();
        let recipe = self.recipe;
        let cas_from = recipe.write_percent;
        let refused_from = cas_from + recipe.cas_percent;
        let register = self.registers[key as usize];
        let request = if share < cas_from {
            Request::Write(self.draw_value(key))
        } else if share < refused_from {
            Request::CompareAndSet { expected: register.value, new: self.draw_value(key) }
        } else if share < refused_from + recipe.refused_percent {
            Request::CompareAndSet { expected: register.former, new: self.draw_value(key) }
        } else {
            Request::Read
        };
        let is_lost = self.numbers.percent() < recipe.unknown_percent;
        let line = (2 * self.history.len() + 1) as u32;
        let operation = self.history.invoke(self.processes[client], KeyId::new(key), request, time, line);
        Client::Sent { operation, key, request, is_lost }
    }

    /// A request reaches its register. Returns what the client is at, and by how much that changes the
    /// number of busy clients.
    fn arrive(
        &mut self,
        client: usize,
        operation: OperationId,
        key: u32,
        request: Request,
        is_lost: bool,
        time: u64,
    ) -> (Client, i32) {
        if is_lost {
            if self.numbers.below(2) == 0 {
                self.execute(key, request);
            }
            self.complete(operation, Ending::Unknown, time);
            self.processes[client] += self.recipe.clients as u64;
            return (Client::Idle, -1);
        }
        let mut ending = self.execute(key, request);
        if let Some(after) = self.stale_after
            && operation as usize >= after
            && request == Request::Read
            && let Some(stale) = self.stale_value(operation, key)
        {
            ending = Ending::Value(stale);
            self.stale_after = None;
        }
        (Client::Answered { operation, ending }, 0)
    }

    fn complete(&mut self, operation: OperationId, ending: Ending, time: u64) {
        let line = 2 * operation + 2;
        self.history.complete(operation, ending, time, line);
    }

    fn draw_value(&mut self, key: u32) -> ValueId {
        if let Some(values) = self.repeated.get(key as usize) {
            return values[self.numbers.below(values.len() as u64) as usize];
        }
        let register = &mut self.registers[key as usize];
        register.written += 1;
        let mut digits = [0; 10];
        let text = decimal(register.written, &mut digits);
        self.history.new_value(KeyId::new(key), text)
    }

    fn execute(&mut self, key: u32, request: Request) -> Ending {
        let register = &mut self.registers[key as usize];
        let new = match request {
            Request::Read => return Ending::Value(register.value),
            Request::CompareAndSet { expected, .. } if expected != register.value => {
                let is_told = self.recipe.refused_percent > 0.0;
                return if is_told { Ending::Refused } else { Ending::Failed };
            }
            Request::Write(new) | Request::CompareAndSet { new, .. } => new,
        };
        register.former = register.value;
        register.value = new;
        Ending::Done
    }

    /// A value that certainly was overwritten before `read` began: written, acknowledged, and followed by
    /// another acknowledged write whose own call began after that.
    fn stale_value(&self, read: OperationId, key: u32) -> Option<ValueId> {
        let begins = self.history.operation(read).invoked;
        let mut later: Option<u64> = None;
        for id in (0..read).rev().take(20_000) {
            let operation = self.history.operation(id);
            let Request::Write(value) = operation.request else { continue };
            let (Ending::Done, Some(completed)) = (operation.ending, operation.completed) else { continue };
            if operation.key.index() != key as usize || completed >= begins {
                continue;
            }
            match later {
                Some(later) if completed < later => return Some(value),
                Some(later_begins) => later = Some(later_begins.max(operation.invoked)),
                None => later = Some(operation.invoked),
            }
        }
        None
    }
}

/// The digits of a number.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[begin..];
        }
    }
}
