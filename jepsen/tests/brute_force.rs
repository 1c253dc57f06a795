//! The checker against brute force: on tiny histories, every order of every subset is tried.
//!
//! The reference for our store is written anew, without the model: it executes the calls one after the
//! other on a plain value and compares answers. The two agree on tens of thousands of random histories,
//! right and wrong, or the checker is broken.

use proptest::prelude::*;
use quorate_jepsen::checker::{Limits, check};
use quorate_jepsen::history::{Call, History, Operation, Outcome};
use quorate_jepsen::model::{
    CasRegister, Model, RegisterAnswer, RegisterCall, RevisionedKey, Text, TextAnswer, TextCall,
};
use quorate_jepsen::store::{Expected, StoreAnswer, StoreCall};

const LIMITS: Limits = Limits { steps_per_key_max: 1_000_000 };

/// An object that executes calls, for the reference.
trait Object<C: Call>: Clone {
    /// Every object that is possible after this operation, in all of the ways that its answer allows.
    fn after(&self, operation: &Operation<C>) -> Vec<Self>;
}

/// Whether some order of the operations that are not in `used` explains their answers.
fn explains<C: Call, O: Object<C>>(operations: &[Operation<C>], used: &mut Vec<bool>, object: &O) -> bool {
    let is_required =
        |index: usize, used: &[bool]| !used[index] && matches!(operations[index].outcome, Outcome::Ok(_));
    if !(0..operations.len()).any(|index| is_required(index, used)) {
        return true;
    }
    for index in 0..operations.len() {
        let operation = &operations[index];
        let comes_too_early = (0..operations.len()).any(|other| {
            other != index
                && is_required(other, used)
                && operations[other].completed.is_some_and(|completed| completed < operation.invoked)
        });
        if used[index] || operation.outcome == Outcome::Failed || comes_too_early {
            continue;
        }
        used[index] = true;
        let explained = object.after(operation).iter().any(|object| explains(operations, used, object));
        used[index] = false;
        if explained {
            return true;
        }
    }
    false
}

fn agree<M: Model, O: Object<M::Call> + Default>(history: &History<M::Call>) -> Result<(), TestCaseError> {
    let operations = history.operations();
    let expected = explains(operations, &mut vec![false; operations.len()], &O::default());
    let verdict = check::<M>(history, &LIMITS);
    prop_assert_eq!(verdict.is_linearizable(), expected, "{:?}", verdict);
    prop_assert_eq!(verdict.certificate().is_some(), !expected, "{:?}", verdict);
    if let Some(certificate) = verdict.certificate() {
        prop_assert!(certificate.operations().iter().all(|index| *index < operations.len()));
        prop_assert!(!certificate.states.is_empty(), "{}", certificate);
        prop_assert!(matches!(operations[certificate.operation].outcome, Outcome::Ok(_)));
    }
    Ok(())
}

/// Revisions that a history of the store may mention.
const REVISION_MAX: u64 = 6;

/// One key of the store.
#[derive(Clone, Default)]
struct PlainKey {
    content: Option<(Vec<u8>, u64)>,
    last_revision: u64,
}

impl PlainKey {
    fn set(&self, value: &[u8], revision: u64) -> Option<Self> {
        let content = Some((value.to_vec(), revision));
        (revision > self.last_revision).then_some(Self { content, last_revision: revision })
    }

    /// A write whose revision is not told takes any revision, mentioned or not.
    fn set_somewhere(&self, value: &[u8]) -> Vec<Self> {
        // Past the largest that is mentioned, the smallest leaves the most room.
        let last = REVISION_MAX.max(self.last_revision) + 1;
        (1..=last).filter_map(|revision| self.set(value, revision)).collect()
    }

    fn holds(&self, expected: Expected) -> bool {
        match (expected, &self.content) {
            (Expected::Absent, content) => content.is_none(),
            (Expected::Revision(wanted), Some((_, revision))) => wanted == *revision,
            (Expected::Revision(_), None) => false,
        }
    }

    fn delete(&self, answer: Option<&StoreAnswer>) -> Vec<Self> {
        let gone = |last_revision| Self { content: None, last_revision };
        let Some(StoreAnswer::Deleted { existed, revision }) = answer else {
            return vec![gone(self.last_revision)];
        };
        match (existed, revision) {
            (Some(existed), _) if *existed != self.content.is_some() => vec![],
            (Some(false), _) | (_, None) => vec![gone(self.last_revision)],
            (_, Some(revision)) if *revision > self.last_revision => vec![gone(*revision)],
            (_, Some(_)) => vec![],
        }
    }
}

impl Object<StoreCall> for PlainKey {
    fn after(&self, operation: &Operation<StoreCall>) -> Vec<Self> {
        let answer = operation.answer();
        let refused = answer == Some(&StoreAnswer::Mismatch);
        let unchanged = |is_right: bool| if is_right { vec![self.clone()] } else { vec![] };
        let written = |value: &[u8]| match answer {
            Some(StoreAnswer::Written { revision }) => self.set(value, *revision).into_iter().collect(),
            _ => self.set_somewhere(value),
        };
        match (&operation.call, answer) {
            (StoreCall::Get, Some(StoreAnswer::Found { value, revision })) => {
                unchanged(self.content == Some((value.clone(), *revision)))
            }
            (StoreCall::Get, Some(_)) => unchanged(self.content.is_none()),
            (StoreCall::Get, None) => unchanged(true),
            (StoreCall::Put { value }, _) => written(value),
            (StoreCall::Delete, _) => self.delete(answer),
            (StoreCall::PutIf { expected, value }, _) => match self.holds(*expected) {
                holds if refused => unchanged(!holds),
                true => written(value),
                false => vec![],
            },
            (StoreCall::DeleteIf { revision }, _) => match self.holds(Expected::Revision(*revision)) {
                holds if refused => unchanged(!holds),
                true => self.delete(answer),
                false => vec![],
            },
        }
    }
}

/// A register.
#[derive(Clone, Default)]
struct PlainRegister(Option<i64>);

impl Object<RegisterCall> for PlainRegister {
    fn after(&self, operation: &Operation<RegisterCall>) -> Vec<Self> {
        let answer = operation.answer();
        let next = match operation.call {
            RegisterCall::Read => {
                let is_right = answer.is_none_or(|answer| *answer == RegisterAnswer::Value(self.0));
                is_right.then_some(self.0)
            }
            RegisterCall::Write(value) => Some(Some(value)),
            RegisterCall::Cas(old, new) => match self.0 == Some(old) {
                holds if answer == Some(&RegisterAnswer::Mismatch) => (!holds).then_some(self.0),
                true => Some(Some(new)),
                false => None,
            },
        };
        next.map(Self).into_iter().collect()
    }
}

/// A text.
#[derive(Clone, Default)]
struct PlainText(String);

impl Object<TextCall> for PlainText {
    fn after(&self, operation: &Operation<TextCall>) -> Vec<Self> {
        match (&operation.call, operation.answer()) {
            (TextCall::Get, Some(TextAnswer(Some(text)))) if *text != self.0 => vec![],
            (TextCall::Get, _) => vec![self.clone()],
            (TextCall::Put(text), _) => vec![Self(text.clone())],
            (TextCall::Append(text), _) => vec![Self(format!("{}{text}", self.0))],
        }
    }
}

/// When an operation begins, how long it takes, and how it ends: 0 failed, 1 and 2 unknown, else ok.
type Shape = (u64, u64, u8);

fn shape() -> impl Strategy<Value = Shape> {
    (0..12_u64, 0..6_u64, 0..12_u8)
}

fn record<C: Call>(operations: Vec<(C, C::Answer, Shape)>) -> History<C> {
    let mut history = History::new();
    for (process, (call, answer, (invoked, duration, ending))) in (0..).zip(operations) {
        let operation = history.invoke(process, b"k", call, invoked);
        match ending {
            0 => history.failed(operation, invoked + duration),
            1 | 2 => history.unknown(operation, invoked + duration),
            _ => history.ok(operation, answer, invoked + duration),
        }
    }
    history
}

/// A history of the store whose answers are drawn at random.
fn store_operation() -> impl Strategy<Value = (StoreCall, StoreAnswer, Shape)> {
    let value = prop::sample::select(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]);
    let numbers = (0..9_u8, 1..=REVISION_MAX, 1..=REVISION_MAX, any::<bool>());
    (value, numbers, shape()).prop_map(|(value, (kind, revision, other, flag), shape)| {
        let existed = flag.then_some(other.is_multiple_of(2));
        let taken = (other.is_multiple_of(3)).then_some(revision);
        let (call, answer) = match kind {
            0 | 1 => (StoreCall::Get, StoreAnswer::Found { value, revision }),
            2 => (StoreCall::Get, StoreAnswer::Absent),
            3 | 4 => (StoreCall::Put { value }, StoreAnswer::Written { revision }),
            5 => (StoreCall::Delete, StoreAnswer::Deleted { existed, revision: taken }),
            6 => {
                let call = StoreCall::PutIf { expected: Expected::Absent, value };
                (call, if flag { StoreAnswer::Written { revision } } else { StoreAnswer::Mismatch })
            }
            7 => {
                let call = StoreCall::PutIf { expected: Expected::Revision(other), value };
                (call, if flag { StoreAnswer::Written { revision } } else { StoreAnswer::Mismatch })
            }
            _ => {
                let deleted = StoreAnswer::Deleted { existed: Some(true), revision: taken };
                let call = StoreCall::DeleteIf { revision: other };
                (call, if flag { deleted } else { StoreAnswer::Mismatch })
            }
        };
        (call, answer, shape)
    })
}

/// A history of the store as the store could have made it, except for at most one changed answer.
///
/// Random answers are nearly always wrong, and wrong in obvious ways. Here each operation is executed at
/// a moment of its own interval, so that the history is right; then perhaps one answer is another's.
fn store_history() -> impl Strategy<Value = History<StoreCall>> {
    let operations = prop::collection::vec((store_operation(), 0..6_u64, any::<bool>()), 1..8);
    (operations, prop::option::of((0..8_usize, 0..8_usize))).prop_map(|(drawn, change)| {
        let mut order: Vec<usize> = (0..drawn.len()).collect();
        let happens = |index: &usize| {
            let ((_, _, (invoked, duration, ending)), at, _) = &drawn[*index];
            let late = if matches!(ending, 1 | 2) { 3 * at } else { *(at.min(duration)) };
            (invoked + late, *index)
        };
        order.sort_by_key(happens);
        let mut operations: Vec<_> = drawn.iter().map(|(operation, _, _)| operation.clone()).collect();
        let mut content: Option<(Vec<u8>, u64)> = None;
        let mut revision = 0;
        for index in order {
            let (call, answer, (_, _, ending)) = &mut operations[index];
            let has_effect = match ending {
                0 => false,
                1 | 2 => drawn[index].2,
                _ => true,
            };
            if has_effect && revision < REVISION_MAX {
                *answer = execute(call, &mut content, &mut revision, drawn[index].2);
            }
        }
        if let Some((to, from)) = change {
            let (to, from) = (to % operations.len(), from % operations.len());
            let answer = operations[from].1.clone();
            if operations[to].0.fits(&answer) {
                operations[to].1 = answer;
            }
        }
        record(operations)
    })
}

fn execute(
    call: &StoreCall,
    content: &mut Option<(Vec<u8>, u64)>,
    last_revision: &mut u64,
    tells: bool,
) -> StoreAnswer {
    let at = content.as_ref().map(|(_, revision)| *revision);
    let holds = match call {
        StoreCall::PutIf { expected: Expected::Absent, .. } => at.is_none(),
        StoreCall::PutIf { expected: Expected::Revision(revision), .. }
        | StoreCall::DeleteIf { revision } => at == Some(*revision),
        _ => true,
    };
    if !holds {
        return StoreAnswer::Mismatch;
    }
    match call {
        StoreCall::Get => match content {
            Some((value, revision)) => StoreAnswer::Found { value: value.clone(), revision: *revision },
            None => StoreAnswer::Absent,
        },
        StoreCall::Put { value } | StoreCall::PutIf { value, .. } => {
            *last_revision += 1;
            *content = Some((value.clone(), *last_revision));
            StoreAnswer::Written { revision: *last_revision }
        }
        StoreCall::Delete | StoreCall::DeleteIf { .. } => {
            let existed = content.take().is_some();
            *last_revision += u64::from(existed);
            StoreAnswer::Deleted {
                existed: tells.then_some(existed),
                revision: existed.then_some(*last_revision),
            }
        }
    }
}

fn register_operation() -> impl Strategy<Value = (RegisterCall, RegisterAnswer, Shape)> {
    (0..6_u8, 0..3_i64, 0..3_i64, shape()).prop_map(|(kind, first, second, shape)| {
        let (call, answer) = match kind {
            0 | 1 => (RegisterCall::Read, RegisterAnswer::Value(Some(first))),
            2 => (RegisterCall::Read, RegisterAnswer::Value((first == 0).then_some(second))),
            3 => (RegisterCall::Write(first), RegisterAnswer::Done),
            4 => (RegisterCall::Cas(first, second), RegisterAnswer::Done),
            _ => (RegisterCall::Cas(first, second), RegisterAnswer::Mismatch),
        };
        (call, answer, shape)
    })
}

fn text_operation() -> impl Strategy<Value = (TextCall, TextAnswer, Shape)> {
    (0..5_u8, "[ab]{0,3}", shape()).prop_map(|(kind, text, shape)| {
        let (call, answer) = match kind {
            0 | 1 => (TextCall::Get, TextAnswer(Some(text))),
            2 => (TextCall::Put(text), TextAnswer(None)),
            _ => (TextCall::Append(text), TextAnswer(None)),
        };
        (call, answer, shape)
    })
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn random_answers_of_the_store_get_the_same_verdict(
        operations in prop::collection::vec(store_operation(), 1..7)
    ) {
        agree::<RevisionedKey, PlainKey>(&record(operations))?;
    }

    #[test]
    fn plausible_histories_of_the_store_get_the_same_verdict(history in store_history()) {
        agree::<RevisionedKey, PlainKey>(&history)?;
    }

    #[test]
    fn random_histories_of_a_register_get_the_same_verdict(
        operations in prop::collection::vec(register_operation(), 1..8)
    ) {
        agree::<CasRegister, PlainRegister>(&record(operations))?;
    }

    #[test]
    fn random_histories_of_a_text_get_the_same_verdict(
        operations in prop::collection::vec(text_operation(), 1..7)
    ) {
        agree::<Text, PlainText>(&record(operations))?;
    }
}
