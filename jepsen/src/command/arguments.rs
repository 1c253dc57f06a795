//! What the command line says.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use quorate_jepsen::import::{FailedCas, Format, ImportOptions, Info, Keyed, ModelName, NilRead, Order};
use quorate_jepsen::transactions::Guarantee;

/// Is this history linearizable?
#[derive(Debug, Parser)]
#[command(name = "quorate-jepsen", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check histories. Exit code: 0 all in order, 1 a violation, 2 a limit was reached, 3 bad input.
    Check(CheckArguments),
    /// Make a history of registers that is linearizable, or has one planted anomaly.
    Gen(GenArguments),
}

/// How histories are checked.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Histories: Jepsen's EDN, JSON lines, or an etcd log; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// What the history is checked against; recognised from its functions unless given.
    #[arg(long)]
    pub model: Option<ModelArgument>,

    /// The format of the files; recognised from their first bytes unless given.
    #[arg(long)]
    pub format: Option<FormatArgument>,

    /// What transactions promise.
    #[arg(long, value_enum, default_value_t = GuaranteeArgument::StrictSerializable)]
    pub guarantee: GuaranteeArgument,

    /// Milliseconds that the check of one file may take, without reading it.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 60_000)]
    pub limit_ms: u64,

    /// Mebibytes that the process may take while it checks.
    #[arg(long, value_name = "MEBIBYTES", default_value_t = 4_096)]
    pub limit_mib: u64,

    /// Keys that are checked at once; as many as there are processors unless given.
    #[arg(long)]
    pub threads: Option<usize>,

    /// Draw the history, its faults and what contradicts each other into this page.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Print one JSON object a file instead of text.
    #[arg(long)]
    pub json: bool,

    /// How the files are understood.
    #[command(flatten)]
    pub meaning: Meaning,
}

/// What history is made.
#[derive(Debug, Args)]
pub struct GenArguments {
    /// Where it is written; the standard output unless given.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// The format.
    #[arg(long, value_enum, default_value_t = GenFormat::Edn)]
    pub format: GenFormat,

    /// Operations in total.
    #[arg(long, default_value_t = 1_000)]
    pub operations: usize,

    /// Clients that are busy all the time.
    #[arg(long, default_value_t = 5, value_parser = at_least_one)]
    pub clients: usize,

    /// Keys; each operation draws one.
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    pub keys: usize,

    /// How many different values are written to a key; each write has its own unless given.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub values: Option<u32>,

    /// Percent of the operations that are writes.
    #[arg(long, value_name = "PERCENT", default_value_t = 45.0, value_parser = percent)]
    pub writes: f64,

    /// Percent of the operations that are compare-and-sets of what is there.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    pub cas: f64,

    /// Percent of the operations that are compare-and-sets of what was there before, and fail.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub failed_cas: f64,

    /// Percent of the operations whose outcome is unknown.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub unknown: f64,

    /// What is planted.
    #[arg(long, value_enum, default_value_t = Anomaly::None)]
    pub anomaly: Anomaly,

    /// The same seed makes the same history.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// `gen --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GenFormat {
    /// Jepsen's history.edn
    Edn,
    /// one JSON object a line
    Jsonl,
}

/// `gen --anomaly`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Anomaly {
    /// nothing: the history is linearizable
    None,
    /// a read returns a value that was overwritten before it began
    StaleRead,
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("expected 0 to 100".to_owned()) }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

/// How files are understood where formats leave it open.
#[derive(Debug, Args)]
#[command(next_help_heading = "What events mean")]
pub struct Meaning {
    /// What the failure of a compare-and-set says.
    #[arg(long, value_enum, default_value_t = FailedCasArgument::Marked)]
    pub failed_cas: FailedCasArgument,

    /// What `info` says.
    #[arg(long, value_enum, default_value_t = InfoArgument::Open)]
    pub info: InfoArgument,

    /// What a read of nil says.
    #[arg(long, value_enum, default_value_t = NilReadArgument::Unset)]
    pub nil_read: NilReadArgument,

    /// Whether values are pairs of key and value, as `jepsen.independent` makes them.
    #[arg(long, value_enum, default_value_t = KeyedArgument::Auto)]
    pub keyed: KeyedArgument,

    /// What orders the events.
    #[arg(long, value_enum, default_value_t = OrderArgument::Time)]
    pub order: OrderArgument,

    /// What registers hold before the first write; unset unless given.
    #[arg(long, value_name = "VALUE")]
    pub initial: Option<String>,
}

/// `--model`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelArgument {
    /// read, write, cas
    #[value(alias = "cas-register")]
    Register,
    /// get, put, append, delete, cas
    #[value(alias = "kv")]
    KeyValue,
    /// get, put, delete, put-if, delete-if, with revisions
    Store,
    /// add, remove, read
    Set,
    /// add, increment, decrement, read
    Counter,
    /// acquire, release
    Mutex,
    /// txn with appends, writes and reads of many keys, in Elle's forms
    #[value(aliases = ["list-append", "rw-register"])]
    Transactions,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArgument {
    /// Jepsen's history.edn
    Edn,
    /// one JSON object a line
    Jsonl,
    /// logs of Jepsen's etcd tests of 2014
    EtcdLog,
    /// key-value histories of Porcupine, in EDN; keys are empty at first
    KvLog,
}

/// `--guarantee`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GuaranteeArgument {
    /// one after the other, in any order
    Serializable,
    /// and in each client's own order
    SessionSerializable,
    /// and in the order of time
    StrictSerializable,
}

/// `--failed-cas`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailedCasArgument {
    /// with the error `mismatch`, and in etcd logs: another value was there; otherwise: it did not happen
    Marked,
    /// another value was there, unless there is another error or it timed out
    Strict,
    /// it did not happen, and nothing else is known
    Dropped,
}

/// `--info`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InfoArgument {
    /// it may take effect at any later time, or never
    Open,
    /// it did not happen
    Failed,
}

/// `--nil-read`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NilReadArgument {
    /// nothing was written, or it was deleted
    Unset,
    /// nothing: the read matches any value
    Unknown,
}

/// `--keyed`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyedArgument {
    /// if a read is invoked with `[key nil]`, or a cas with `[key [old new]]`
    Auto,
    /// they are
    Yes,
    /// they are not
    No,
}

/// `--order`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderArgument {
    /// their times, else their indexes, else their lines; what is equal is concurrent
    Time,
    /// their place in the file
    Line,
}

impl CheckArguments {
    /// The options of the import.
    pub fn import_options(&self) -> ImportOptions {
        let meaning = &self.meaning;
        ImportOptions {
            format: self.format.map(|format| match format {
                FormatArgument::Edn => Format::Edn,
                FormatArgument::Jsonl => Format::JsonLines,
                FormatArgument::EtcdLog => Format::EtcdLog,
                FormatArgument::KvLog => Format::KvLog,
            }),
            model: self.model.map(|model| match model {
                ModelArgument::Register => ModelName::Register,
                ModelArgument::KeyValue => ModelName::KeyValue,
                ModelArgument::Store => ModelName::Store,
                ModelArgument::Set => ModelName::Set,
                ModelArgument::Counter => ModelName::Counter,
                ModelArgument::Mutex => ModelName::Mutex,
                ModelArgument::Transactions => ModelName::Transactions,
            }),
            failed_cas: match meaning.failed_cas {
                FailedCasArgument::Marked => FailedCas::AsMarked,
                FailedCasArgument::Strict => FailedCas::Strict,
                FailedCasArgument::Dropped => FailedCas::Dropped,
            },
            info: match meaning.info {
                InfoArgument::Open => Info::Open,
                InfoArgument::Failed => Info::Failed,
            },
            nil_read: match meaning.nil_read {
                NilReadArgument::Unset => NilRead::Unset,
                NilReadArgument::Unknown => NilRead::Unknown,
            },
            keyed: match meaning.keyed {
                KeyedArgument::Auto => Keyed::Recognised,
                KeyedArgument::Yes => Keyed::Yes,
                KeyedArgument::No => Keyed::No,
            },
            order: match meaning.order {
                OrderArgument::Time => Order::Time,
                OrderArgument::Line => Order::Line,
            },
            initial: meaning.initial.clone(),
        }
    }

    /// What transactions promise.
    pub fn guarantee(&self) -> Guarantee {
        match self.guarantee {
            GuaranteeArgument::Serializable => Guarantee::Serializable,
            GuaranteeArgument::SessionSerializable => Guarantee::SessionSerializable,
            GuaranteeArgument::StrictSerializable => Guarantee::StrictlySerializable,
        }
    }
}
