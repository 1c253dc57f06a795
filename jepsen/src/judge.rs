//! One verdict for a history of any model.
//!
//! [`judge`] picks the checker: the near-linear one for registers, and for maps that nobody appends to,
//! which are registers too; the general search for the other objects; dependency graphs for transactions.

mod registers_of_map;

use std::borrow::Cow;
use std::fmt;

use crate::checker::{Limits, Verdict, check_while};
use crate::history::Call;
use crate::import::{ImportedHistory, Lines, Typed};
use crate::model::{Counter, KeyValue, Model, Mutex, Set};
use crate::register::{self, RegisterHistory, RegisterVerdict, Spending};
use crate::report::{StoreReport, check_store_while};
use crate::transactions::{
    Guarantee, TransactionHistory, TransactionReport, TransactionVerdict, WorkloadError,
    check_transactions_while,
};
use registers_of_map::registers_of_map;

/// What a check says in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The history keeps what is promised; that was verified.
    Kept,
    /// It does not; that was verified too.
    Broken,
    /// A limit was reached first.
    Unknown,
}

/// What a check found, with all that it found.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a file")]
pub enum Judgement<'h> {
    /// Of registers.
    Registers {
        /// The history that was checked.
        history: Cow<'h, RegisterHistory>,
        /// What was found.
        verdict: RegisterVerdict,
    },
    /// Of an object that the general search checks.
    General {
        /// The lines of each operation.
        lines: &'h [Lines],
        /// What was found.
        verdict: Verdict,
    },
    /// Of a store with revisions.
    Store {
        /// The lines of each operation.
        lines: &'h [Lines],
        /// What was found.
        report: StoreReport,
    },
    /// Of transactions.
    Transactions {
        /// The history that was checked.
        history: &'h TransactionHistory,
        /// What was found.
        report: TransactionReport,
    },
}

/// Checks a history within limits.
///
/// The limit of memory binds the searches of registers. All checks ask every few thousand operations whether
/// the time is up; the caller may look at the memory of the process as well.
///
/// # Errors
/// Transactions that cannot be checked because one value is written twice, or one key used as two kinds.
pub fn judge<'h>(
    history: &'h ImportedHistory,
    guarantee: Guarantee,
    spending: &Spending<'_>,
) -> Result<Judgement<'h>, WorkloadError> {
    Ok(match history {
        ImportedHistory::Register(history) => judge_registers(Cow::Borrowed(history), spending),
        ImportedHistory::KeyValue(typed) => match registers_of_map(typed) {
            Some(registers) => judge_registers(Cow::Owned(registers), spending),
            None => judge_general::<KeyValue>(typed, spending),
        },
        ImportedHistory::Store(typed) => Judgement::Store {
            lines: &typed.lines,
            report: check_store_while(&typed.history, &limits(spending), &|| !(spending.is_time_up)()),
        },
        ImportedHistory::Set(typed) => judge_general::<Set>(typed, spending),
        ImportedHistory::Counter(typed) => judge_general::<Counter>(typed, spending),
        ImportedHistory::Mutex(typed) => judge_general::<Mutex>(typed, spending),
        ImportedHistory::Transactions(history) => {
            let may_go_on = || !(spending.is_time_up)();
            Judgement::Transactions {
                history,
                report: check_transactions_while(history, guarantee, &may_go_on)?,
            }
        }
    })
}

fn limits(spending: &Spending<'_>) -> Limits {
    Limits { steps_per_key_max: spending.steps_per_key_max }
}

fn judge_registers<'h>(history: Cow<'h, RegisterHistory>, spending: &Spending<'_>) -> Judgement<'h> {
    let verdict = register::check(&history, spending);
    Judgement::Registers { history, verdict }
}

fn judge_general<'h, M: Model>(typed: &'h Typed<M::Call>, spending: &Spending<'_>) -> Judgement<'h>
where
    M::Call: Call,
{
    let verdict = check_while::<M>(&typed.history, &limits(spending), &|| !(spending.is_time_up)());
    Judgement::General { lines: &typed.lines, verdict }
}

impl Judgement<'_> {
    /// The verdict in one word.
    pub fn conclusion(&self) -> Conclusion {
        let general = |verdict: &Verdict| match verdict {
            Verdict::Linearizable { .. } => Conclusion::Kept,
            Verdict::NotLinearizable { .. } => Conclusion::Broken,
            Verdict::Unknown { .. } => Conclusion::Unknown,
        };
        match self {
            Self::Registers { verdict, .. } => match verdict {
                RegisterVerdict::Linearizable { .. } => Conclusion::Kept,
                RegisterVerdict::NotLinearizable { .. } => Conclusion::Broken,
                RegisterVerdict::Unknown { .. } => Conclusion::Unknown,
            },
            Self::General { verdict, .. } => general(verdict),
            Self::Store { report, .. } if report.is_violation() => Conclusion::Broken,
            Self::Store { report, .. } => general(&report.verdict),
            Self::Transactions { report, .. } => match report.verdict {
                TransactionVerdict::Kept { .. } => Conclusion::Kept,
                TransactionVerdict::Broken { .. } => Conclusion::Broken,
                TransactionVerdict::Unknown { .. } => Conclusion::Unknown,
            },
        }
    }

    /// The lines of the file on which the operations stand that convict the history, in ascending order.
    /// None if nothing was convicted.
    pub fn lines(&self) -> Vec<u32> {
        let mut found: Vec<u32> = match self {
            Self::Registers { history, verdict } => {
                let operations = verdict.certificate().map(|certificate| certificate.operations.as_slice());
                let of = |operation: &u32| {
                    let operation = history.operation(*operation);
                    [operation.invoked_line, operation.completed_line]
                };
                operations.unwrap_or_default().iter().flat_map(of).collect()
            }
            Self::General { lines, verdict } => lines_of(lines, verdict),
            Self::Store { lines, report } => {
                let of_rule = report.revision_violations.first().map(|violation| {
                    [violation.known_by, violation.broken_by].map(|operation| lines[operation])
                });
                let of_rule = of_rule.into_iter().flatten().flat_map(|(begin, end)| [begin, end]);
                of_rule.chain(lines_of(lines, &report.verdict)).collect()
            }
            Self::Transactions { history, report } => {
                let worst = report.anomalies().first().map(|anomaly| anomaly.transactions.as_slice());
                let of = |index: &usize| {
                    let transaction = &history.transactions()[*index];
                    [transaction.invoked_line, transaction.completed_line.unwrap_or(0)]
                };
                worst.unwrap_or_default().iter().flat_map(of).collect()
            }
        };
        found.retain(|line| *line != 0);
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn lines_of(lines: &[Lines], verdict: &Verdict) -> Vec<u32> {
    let operations = verdict.certificate().map(|certificate| certificate.operations()).unwrap_or_default();
    operations.into_iter().flat_map(|operation| [lines[operation].0, lines[operation].1]).collect()
}

impl fmt::Display for Judgement<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registers { history, verdict } => match verdict {
                RegisterVerdict::Linearizable { witness } => {
                    let operations: usize = witness.iter().map(Vec::len).sum();
                    write!(formatter, "Linearizable: an order of {operations} operations ")?;
                    write!(formatter, "on {} keys explains every answer.", witness.len())
                }
                RegisterVerdict::NotLinearizable { certificate } => write!(formatter, "{certificate}"),
                RegisterVerdict::Unknown { key, limit } => {
                    let key = crate::history::quoted(history.key_name(*key));
                    write!(formatter, "Unknown: {limit} in the search of key {key}.")
                }
            },
            Self::General { lines, verdict } => {
                write_general(formatter, verdict)?;
                write_places(formatter, lines, verdict)
            }
            Self::Store { lines, report } => {
                write!(formatter, "{report}")?;
                write_places(formatter, lines, &report.verdict)
            }
            Self::Transactions { report, .. } => write!(formatter, "{report}"),
        }
    }
}

fn write_general(formatter: &mut fmt::Formatter<'_>, verdict: &Verdict) -> fmt::Result {
    match verdict {
        Verdict::Linearizable { witness } => {
            let operations: usize = witness.values().map(Vec::len).sum();
            write!(formatter, "Linearizable: an order of {operations} operations ")?;
            write!(formatter, "on {} keys explains every answer.", witness.len())
        }
        Verdict::NotLinearizable { certificate } => write!(formatter, "{certificate}"),
        Verdict::Unknown { key, .. } => {
            let key = crate::history::quoted(key);
            write!(formatter, "Unknown: a limit was reached in the search of key {key}.")
        }
    }
}

/// Where in the file the operations stand that a certificate names.
fn write_places(formatter: &mut fmt::Formatter<'_>, lines: &[Lines], verdict: &Verdict) -> fmt::Result {
    let Some(certificate) = verdict.certificate() else { return Ok(()) };
    write!(formatter, "\nWhere they stand:")?;
    for operation in certificate.operations() {
        match lines[operation] {
            (begin, 0) => write!(formatter, "\n  operation {operation}: line {begin}")?,
            (begin, end) => write!(formatter, "\n  operation {operation}: lines {begin} and {end}")?,
        }
    }
    Ok(())
}
