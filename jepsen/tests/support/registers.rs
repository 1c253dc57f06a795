//! Small random histories of a register, and a judge that tries every order.

// Every file of tests and examples takes of this what it needs.
#![allow(dead_code)]

use quorate_jepsen::register::{Ending, OperationId, RegisterHistory, Request, ValueId};

/// A generator of numbers, the same on every machine (Steele, Lea and Flood's SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
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

/// What kinds of histories are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The most operations.
    pub operations_max: u64,
    /// Distinct values; with 0, every write has a value of its own.
    pub values: u64,
    /// Operations in a hundred that have an unknown outcome.
    pub unknown_percent: u64,
    /// Compare-and-sets in a hundred operations.
    pub cas_percent: u64,
    /// Compare-and-sets in a hundred that may be refused.
    pub refused_percent: u64,
    /// Answers in a hundred that are drawn at random instead of executed.
    pub wrong_percent: u64,
}

struct Draft {
    request: Request,
    ending: Ending,
    invoked: u64,
    completed: u64,
    happens: u64,
}

/// Draws a history: operations take effect at one instant of their interval, and some answers lie.
pub fn random_history(numbers: &mut Numbers, shape: Shape) -> RegisterHistory {
    let mut history = RegisterHistory::new();
    let key = history.key(b"k");
    let count = 1 + numbers.below(shape.operations_max);
    let pool = if shape.values == 0 { count } else { shape.values };
    let mut values = vec![ValueId::INITIAL];
    values.extend((0..pool).map(|value| history.value(key, value.to_string().as_bytes())));
    let horizon = 2 + numbers.below(2 * count);
    let mut drafts: Vec<Draft> = Vec::new();
    for index in 0..count {
        let fresh = if shape.values == 0 { index + 1 } else { 1 + numbers.below(pool) };
        let fresh = values[fresh as usize];
        let any = values[numbers.below(pool + 1) as usize];
        let request = match () {
            () if numbers.chance(shape.cas_percent) => {
                Request::CompareAndSet { expected: any, new: if numbers.chance(5) { any } else { fresh } }
            }
            () if numbers.chance(45) => Request::Write(fresh),
            () => Request::Read,
        };
        let invoked = numbers.below(horizon);
        let completed = invoked + numbers.below(horizon / 2 + 2);
        let happens = invoked * 64 + numbers.below((completed - invoked) * 64 + 1);
        drafts.push(Draft { request, ending: Ending::Unknown, invoked, completed, happens });
    }
    execute(numbers, shape, &values, &mut drafts);
    for (process, draft) in (0..).zip(drafts) {
        let id = history.invoke(process, key, draft.request, draft.invoked, 0);
        history.complete(id, draft.ending, draft.completed, 0);
    }
    history
}

/// Gives every operation an answer.
fn execute(numbers: &mut Numbers, shape: Shape, values: &[ValueId], drafts: &mut [Draft]) {
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.sort_by_key(|index| drafts[*index].happens);
    let mut state = ValueId::INITIAL;
    for index in order {
        let draft = &mut drafts[index];
        let lies = numbers.chance(shape.wrong_percent);
        let is_unknown = numbers.chance(shape.unknown_percent);
        if is_unknown && numbers.chance(50) {
            continue;
        }
        let any = values[numbers.below(values.len() as u64) as usize];
        let (ending, next) = match draft.request {
            Request::Read => (Ending::Value(if lies { any } else { state }), state),
            Request::Write(value) => (Ending::Done, value),
            Request::CompareAndSet { expected, new } if (expected == state) != lies => (Ending::Done, new),
            Request::CompareAndSet { .. } if numbers.chance(shape.refused_percent) => {
                (Ending::Refused, state)
            }
            Request::CompareAndSet { .. } => (Ending::Failed, state),
        };
        state = next;
        draft.ending = if is_unknown { Ending::Unknown } else { ending };
    }
}

/// Whether some order of the operations explains all of their answers. Tries all of them.
pub fn is_linearizable(history: &RegisterHistory) -> bool {
    let operations: Vec<_> = (0..history.len() as OperationId).map(|id| history.operation(id)).collect();
    let mut tried = vec![0_u64; 1 << operations.len()];
    let required: u32 = (0..operations.len())
        .filter(|index| !matches!(operations[*index].ending, Ending::Unknown | Ending::Failed))
        .map(|index| 1 << index)
        .sum();
    let before: Vec<u32> = operations
        .iter()
        .map(|operation| {
            let ends_before = |other: &usize| {
                operations[*other].deadline().is_some_and(|deadline| deadline < operation.invoked)
            };
            (0..operations.len()).filter(ends_before).map(|other| 1 << other).sum::<u32>() & required
        })
        .collect();
    let mut values: Vec<ValueId> = vec![ValueId::INITIAL];
    for operation in &operations {
        let mut add = |value| values.extend((!values.contains(&value)).then_some(value));
        match operation.request {
            Request::Write(value) => add(value),
            Request::CompareAndSet { new, .. } => add(new),
            Request::Read => {}
        }
    }
    let mut waiting = vec![(0_u32, ValueId::INITIAL)];
    while let Some((done, state)) = waiting.pop() {
        if done & required == required {
            return true;
        }
        let state_bit = 1 << values.iter().position(|value| *value == state).expect("it was written");
        if tried[done as usize] & state_bit != 0 {
            continue;
        }
        tried[done as usize] |= state_bit;
        for (index, operation) in operations.iter().enumerate() {
            if done & 1 << index != 0 || before[index] & !done != 0 {
                continue;
            }
            let next = match (operation.request, operation.ending) {
                (_, Ending::Failed) => None,
                (Request::Read, Ending::Value(value)) => (state == value).then_some(state),
                (Request::Read, _) => None,
                (Request::Write(value), _) => Some(value),
                (Request::CompareAndSet { expected, .. }, Ending::Refused) => {
                    (state != expected).then_some(state)
                }
                (Request::CompareAndSet { expected, new }, _) => (state == expected).then_some(new),
            };
            waiting.extend(next.map(|next| (done | 1 << index, next)));
        }
    }
    false
}

/// Every kind of history that is drawn.
pub fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for operations_max in [4, 6, 8, 10] {
        for values in [0, 2, 3] {
            for unknown_percent in [0, 20, 50] {
                for (cas_percent, refused_percent) in [(0, 0), (40, 0), (40, 100), (80, 100)] {
                    for wrong_percent in [3, 20] {
                        shapes.push(Shape {
                            operations_max,
                            values,
                            unknown_percent,
                            cas_percent,
                            refused_percent,
                            wrong_percent,
                        });
                    }
                }
            }
        }
    }
    shapes
}

/// A history as one line an operation.
pub fn describe(history: &RegisterHistory) -> String {
    history.operations().map(|operation| format!("{operation:?}\n")).collect()
}
