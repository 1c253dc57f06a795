//! Reading a history of any format into what its checker takes.
//!
//! [`import`] recognises the format and the model from the beginning of the file, unless
//! [`ImportOptions`] name them, and then reads the file once, event by event. Every error names the line
//! and says what was expected there.
//!
//! What the events mean, where formats leave it open, is an option with a default:
//!
//! | Event | By default | Otherwise |
//! |---|---|---|
//! | `fail` of a `cas` | it did not happen; with the error `mismatch`, and in etcd logs unless it timed out, another value was there | [`FailedCas`] |
//! | any other `fail` | it did not happen | |
//! | `info`, or no completion | it may take effect at any later time, or never | [`Info`] |
//! | a read of nil | nothing was written, or it was deleted | [`NilRead`] |
//! | a value that is a pair | key and value, if the reads are invoked so | [`Keyed`] |
//! | two events | ordered by time, else by index, else by line; equal times are concurrent | [`Order`] |
//!
//! A client has one open operation at a time, and does not go on after an `info`: whoever asks for more
//! must take a new process number, because the old operation may still be running.

mod dialects;
mod keys;
mod options;
mod recorder;
mod register;
mod survey;
mod transactions;
mod turns;
mod typed;

use std::io::Read;

use dialects::{CounterDialect, KeyValueDialect, MutexDialect, SetDialect, StoreDialect};
use keys::Keys;
pub use options::{FailedCas, Format, ImportOptions, Info, Keyed, ModelName, NilRead, Order};
use recorder::record;
use register::RegisterRecorder;
use survey::{Survey, recognise_format};
use transactions::TransactionRecorder;
pub use typed::Lines;
use typed::{Dialect, TypedRecorder};

use crate::event::{Problem, ReadError};
use crate::history::History;
use crate::model::{CounterCall, KeyValueCall, MutexCall, SetCall};
use crate::register::RegisterHistory;
use crate::store::StoreCall;
use crate::transactions::TransactionHistory;

/// Bytes at the beginning of a file from which it is recognised.
const HEAD_BYTES: u64 = 256 << 10;

/// A history that was read.
#[derive(Clone, Debug)]
pub struct Import {
    /// The format that it was read as.
    pub format: Format,
    /// The history, of the model that it was read for.
    pub history: ImportedHistory,
}

/// A history with the lines of its operations.
#[derive(Clone, Debug)]
pub struct Typed<C: crate::history::Call> {
    /// The history.
    pub history: History<C>,
    /// The lines of each operation, in the order of recording.
    pub lines: Vec<Lines>,
}

/// A history of any model.
#[derive(Clone, Debug)]
pub enum ImportedHistory {
    /// Of registers.
    Register(RegisterHistory),
    /// Of a map.
    KeyValue(Typed<KeyValueCall>),
    /// Of a store with revisions.
    Store(Typed<StoreCall>),
    /// Of a set.
    Set(Typed<SetCall>),
    /// Of a counter.
    Counter(Typed<CounterCall>),
    /// Of a lock.
    Mutex(Typed<MutexCall>),
    /// Of transactions.
    Transactions(TransactionHistory),
}

impl ImportedHistory {
    /// The model.
    pub fn model(&self) -> ModelName {
        match self {
            Self::Register(_) => ModelName::Register,
            Self::KeyValue(_) => ModelName::KeyValue,
            Self::Store(_) => ModelName::Store,
            Self::Set(_) => ModelName::Set,
            Self::Counter(_) => ModelName::Counter,
            Self::Mutex(_) => ModelName::Mutex,
            Self::Transactions(_) => ModelName::Transactions,
        }
    }

    /// How many operations or transactions it holds.
    pub fn len(&self) -> usize {
        match self {
            Self::Register(history) => history.len(),
            Self::KeyValue(typed) => typed.history.operations().len(),
            Self::Store(typed) => typed.history.operations().len(),
            Self::Set(typed) => typed.history.operations().len(),
            Self::Counter(typed) => typed.history.operations().len(),
            Self::Mutex(typed) => typed.history.operations().len(),
            Self::Transactions(history) => history.transactions().len(),
        }
    }

    /// Whether it holds none. An import never does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads a history.
///
/// # Errors
/// What is wrong with the first line that is not understood, and what was expected there.
pub fn import(mut input: impl Read, options: &ImportOptions) -> Result<Import, ReadError> {
    let mut head = Vec::new();
    let read = (&mut input).take(HEAD_BYTES).read_to_end(&mut head);
    read.map_err(|error| Problem::from(error).at(1))?;
    let format = match options.format {
        Some(format) => format,
        None => recognise_format(&head).map_err(|problem| problem.at(1))?,
    };
    let survey = Survey::of(&head, format);
    let format = match format {
        Format::Edn if options.format.is_none() && survey.is_kv_log() => Format::KvLog,
        other => other,
    };
    let input = &mut head.as_slice().chain(input);
    let model = match (options.model, survey.model()) {
        (Some(model), _) | (None, Ok(model)) => model,
        (None, Err(problem)) => {
            // A line that is no event at all is the better answer.
            recorder::read_events(input, format, &mut |_| Ok(()))?;
            return Err(problem.at(1));
        }
    };
    let keys = Keys { keyed: survey.is_keyed(options.keyed) };
    let history = read_as(input, format, model, keys, options)?;
    Ok(Import { format, history })
}

fn read_as(
    input: &mut dyn Read,
    format: Format,
    model: ModelName,
    keys: Keys,
    options: &ImportOptions,
) -> Result<ImportedHistory, ReadError> {
    let nil_read = options.nil_read;
    Ok(match model {
        ModelName::Register => {
            let recorder = RegisterRecorder::new(format, keys, options);
            ImportedHistory::Register(record(input, format, options, recorder)?.into_history())
        }
        ModelName::KeyValue => {
            let is_empty_absent = format == Format::KvLog;
            let dialect = KeyValueDialect { failed_cas: options.failed_cas, nil_read, is_empty_absent };
            ImportedHistory::KeyValue(typed(input, format, keys, options, dialect)?)
        }
        ModelName::Store => ImportedHistory::Store(typed(input, format, keys, options, StoreDialect)?),
        ModelName::Set => ImportedHistory::Set(typed(input, format, keys, options, SetDialect { nil_read })?),
        ModelName::Counter => {
            ImportedHistory::Counter(typed(input, format, keys, options, CounterDialect { nil_read })?)
        }
        ModelName::Mutex => ImportedHistory::Mutex(typed(input, format, keys, options, MutexDialect)?),
        ModelName::Transactions => {
            let recorder = record(input, format, options, TransactionRecorder::default())?;
            ImportedHistory::Transactions(recorder.into_history())
        }
    })
}

fn typed<D: Dialect>(
    input: &mut dyn Read,
    format: Format,
    keys: Keys,
    options: &ImportOptions,
    dialect: D,
) -> Result<Typed<D::Call>, ReadError> {
    let recorder = record(input, format, options, TypedRecorder::new(dialect, keys))?;
    let (history, lines) = recorder.into_history();
    Ok(Typed { history, lines })
}
