//! Pictures of histories of every kind, and of what was found in them.

use std::collections::BTreeMap;

use super::bands::bands;
use super::points::place;
use super::{Picture, PictureConflict, PictureEnding, PictureOperation, PictureVerdict};
use crate::checker::Verdict;
use crate::history::{Call, History, Outcome, quoted};
use crate::import::{ImportedHistory, Lines};
use crate::judge::{Conclusion, Judgement};
use crate::register::{self, KeyId, RegisterHistory, RegisterOperation, RegisterVerdict, Request};
use crate::transactions::{
    Ending, TransactionHistory, TransactionIndex, TransactionReport, TransactionVerdict,
};

impl Picture {
    /// The picture of a history that was read from a file, and of what was found in it.
    ///
    /// # Panics
    ///
    /// If the judgement is that of a history of another model.
    pub fn of_judgement(title: &str, history: &ImportedHistory, judgement: &Judgement<'_>) -> Self {
        let mut picture = match (history, judgement) {
            (_, Judgement::Registers { history, verdict }) => Self::of_registers(history, verdict),
            (_, Judgement::Transactions { history, report }) => Self::of_transactions(history, report),
            (ImportedHistory::KeyValue(typed), Judgement::General { lines, verdict }) => {
                Self::of_history(&typed.history, lines, verdict)
            }
            (ImportedHistory::Set(typed), Judgement::General { lines, verdict }) => {
                Self::of_history(&typed.history, lines, verdict)
            }
            (ImportedHistory::Counter(typed), Judgement::General { lines, verdict }) => {
                Self::of_history(&typed.history, lines, verdict)
            }
            (ImportedHistory::Mutex(typed), Judgement::General { lines, verdict }) => {
                Self::of_history(&typed.history, lines, verdict)
            }
            (ImportedHistory::Store(typed), Judgement::Store { lines, report }) => {
                let mut picture = Self::of_history(&typed.history, lines, &report.verdict);
                let violations = report.revision_violations.iter().map(|violation| PictureConflict {
                    title: "A rule of revisions is broken".to_owned(),
                    explanation: violation.to_string(),
                    operations: vec![violation.known_by, violation.broken_by],
                });
                picture.conflicts.splice(0..0, violations);
                picture
            }
            _ => panic!("a judgement of another history"),
        };
        title.clone_into(&mut picture.title);
        picture.verdict = match judgement.conclusion() {
            Conclusion::Kept => PictureVerdict::Kept,
            Conclusion::Broken => PictureVerdict::Broken,
            Conclusion::Unknown => PictureVerdict::Unknown,
        };
        if picture.conflicts.is_empty() {
            picture.summary = judgement.to_string();
        }
        picture
    }

    /// The picture of registers.
    pub fn of_registers(history: &RegisterHistory, verdict: &RegisterVerdict) -> Self {
        let mut operations: Vec<PictureOperation> =
            history.operations().map(|operation| of_register_operation(history, &operation)).collect();
        let mut conflicts = Vec::new();
        match verdict {
            RegisterVerdict::Linearizable { witness } => {
                for order in witness {
                    place(&mut operations, order.iter().map(|operation| *operation as usize));
                }
            }
            RegisterVerdict::NotLinearizable { certificate } => conflicts.push(PictureConflict {
                title: format!("Key {} is not linearizable", quoted(history.key_name(certificate.key))),
                explanation: certificate.explanation.clone(),
                operations: certificate.operations.iter().map(|operation| *operation as usize).collect(),
            }),
            RegisterVerdict::Unknown { .. } => {}
        }
        let keys = (0..history.key_count() as u32).map(|key| name(history.key_name(KeyId(key))));
        Self {
            title: "Registers".to_owned(),
            verdict: match verdict {
                RegisterVerdict::Linearizable { .. } => PictureVerdict::Kept,
                RegisterVerdict::NotLinearizable { .. } => PictureVerdict::Broken,
                RegisterVerdict::Unknown { .. } => PictureVerdict::Unknown,
            },
            summary: String::new(),
            keys: keys.collect(),
            operations,
            bands: bands(history.nemesis()),
            conflicts,
        }
    }

    /// The picture of objects of any model, with the lines of the operations if they have any.
    pub fn of_history<C: Call>(history: &History<C>, lines: &[Lines], verdict: &Verdict) -> Self {
        let mut keys: BTreeMap<&[u8], u32> = BTreeMap::new();
        for operation in history.operations() {
            let next = keys.len() as u32;
            keys.entry(&operation.key).or_insert(next);
        }
        let mut operations: Vec<PictureOperation> = (history.operations().iter().enumerate())
            .map(|(index, operation)| PictureOperation {
                process: operation.process,
                keys: vec![keys[&operation.key[..]]],
                label: match operation.answer() {
                    Some(answer) => format!("{}: {answer}", operation.call),
                    None => operation.call.to_string(),
                },
                begin: operation.invoked,
                end: operation.completed,
                ending: match operation.outcome {
                    Outcome::Ok(_) => PictureEnding::Ok,
                    Outcome::Failed => PictureEnding::Failed,
                    Outcome::Unknown => PictureEnding::Unknown,
                },
                point: None,
                lines: lines.get(index).copied().unwrap_or_default(),
            })
            .collect();
        if let Verdict::Linearizable { witness } = verdict {
            witness.values().for_each(|order| place(&mut operations, order.iter().copied()));
        }
        let conflicts = verdict.certificate().map(|certificate| PictureConflict {
            title: format!("Key {} is not linearizable", quoted(&certificate.key)),
            explanation: certificate.to_string(),
            operations: certificate.operations().into_iter().collect(),
        });
        let mut names = vec![String::new(); keys.len()];
        keys.into_iter().for_each(|(key, number)| names[number as usize] = name(key));
        Self {
            title: "History".to_owned(),
            verdict: match verdict {
                Verdict::Linearizable { .. } => PictureVerdict::Kept,
                Verdict::NotLinearizable { .. } => PictureVerdict::Broken,
                Verdict::Unknown { .. } => PictureVerdict::Unknown,
            },
            summary: String::new(),
            keys: names,
            operations,
            bands: bands(history.nemesis()),
            conflicts: conflicts.into_iter().collect(),
        }
    }

    /// The picture of transactions.
    pub fn of_transactions(history: &TransactionHistory, report: &TransactionReport) -> Self {
        let mut operations: Vec<PictureOperation> =
            (0..history.transactions().len()).map(|index| of_transaction(history, index)).collect();
        if let TransactionVerdict::Kept { witness } = &report.verdict {
            place(&mut operations, witness.iter().copied());
        }
        let conflicts = report.anomalies().iter().map(|anomaly| PictureConflict {
            title: anomaly.name(),
            explanation: anomaly.explanation.clone(),
            operations: anomaly.transactions.clone(),
        });
        Self {
            title: "Transactions".to_owned(),
            verdict: match report.verdict {
                TransactionVerdict::Kept { .. } => PictureVerdict::Kept,
                TransactionVerdict::Broken { .. } => PictureVerdict::Broken,
                TransactionVerdict::Unknown { .. } => PictureVerdict::Unknown,
            },
            summary: format!("The history is to be {}.", report.guarantee),
            keys: history.key_names().map(str::to_owned).collect(),
            operations,
            bands: bands(history.nemesis()),
            conflicts: conflicts.collect(),
        }
    }
}

/// A key for people: as it is if it is text.
fn name(key: &[u8]) -> String {
    std::str::from_utf8(key).map_or_else(|_| quoted(key), str::to_owned)
}

fn of_register_operation(history: &RegisterHistory, operation: &RegisterOperation) -> PictureOperation {
    let value = |value| history.describe_value(value);
    let label = match (operation.request, operation.ending) {
        (Request::Read, register::Ending::Value(found)) => format!("read: {}", value(found)),
        (Request::Read, _) => "read".to_owned(),
        (Request::Write(written), _) => format!("write {}", value(written)),
        (Request::CompareAndSet { expected, new }, ending) => {
            let refused = if ending == register::Ending::Refused { ": refused" } else { "" };
            format!("cas {} to {}{refused}", value(expected), value(new))
        }
    };
    PictureOperation {
        process: operation.process,
        keys: vec![operation.key.index() as u32],
        label,
        begin: operation.invoked,
        end: operation.completed,
        ending: match operation.ending {
            register::Ending::Value(_) | register::Ending::Done => PictureEnding::Ok,
            register::Ending::Refused | register::Ending::Failed => PictureEnding::Failed,
            register::Ending::Unknown => PictureEnding::Unknown,
        },
        point: None,
        lines: (operation.invoked_line, operation.completed_line),
    }
}

fn of_transaction(history: &TransactionHistory, index: TransactionIndex) -> PictureOperation {
    let transaction = &history.transactions()[index];
    let mut keys: Vec<u32> = history.steps(index).iter().map(|step| step.key().index() as u32).collect();
    keys.sort_unstable();
    keys.dedup();
    PictureOperation {
        process: transaction.process,
        keys,
        label: format!("T{index} {}", history.describe_steps(index)),
        begin: transaction.invoked,
        end: transaction.completed,
        ending: match transaction.ending {
            Ending::Ok => PictureEnding::Ok,
            Ending::Failed => PictureEnding::Failed,
            Ending::Unknown => PictureEnding::Unknown,
        },
        point: None,
        lines: (transaction.invoked_line, transaction.completed_line.unwrap_or(0)),
    }
}
