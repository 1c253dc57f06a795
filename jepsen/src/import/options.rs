//! What a file may leave open, and how it is understood unless the caller says otherwise.

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Jepsen's `history.edn`, see [`edn`](crate::edn).
    Edn,
    /// JSON lines, see [`jsonl`](crate::jsonl).
    JsonLines,
    /// The logs of Jepsen's etcd tests of 2014, see [`etcd_log`](crate::etcd_log).
    EtcdLog,
    /// The key-value histories of Porcupine: EDN with `:get`, `:put` and `:append` on texts, empty at
    /// first, and the key in a field of its own.
    KvLog,
}

impl Format {
    /// The name of the format on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edn => "edn",
            Self::JsonLines => "jsonl",
            Self::EtcdLog => "etcd-log",
            Self::KvLog => "kv-log",
        }
    }
}

/// The object that a history is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelName {
    /// `read`, `write` and `cas` of one value, or of one value a key.
    Register,
    /// `get`, `put`, `append`, `delete` and `cas` of one text a key.
    KeyValue,
    /// `get`, `put`, `delete`, `put-if` and `delete-if` with revisions.
    Store,
    /// `add`, `remove` and `read` of a set.
    Set,
    /// `add`, `increment`, `decrement` and `read` of a number.
    Counter,
    /// `acquire` and `release` of a lock.
    Mutex,
    /// `txn` over many keys, lists or registers, in Elle's forms.
    Transactions,
}

impl ModelName {
    /// The name of the model on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::KeyValue => "key-value",
            Self::Store => "store",
            Self::Set => "set",
            Self::Counter => "counter",
            Self::Mutex => "mutex",
            Self::Transactions => "transactions",
        }
    }

    /// The functions of its histories.
    pub fn functions(self) -> &'static str {
        match self {
            Self::Register => "read, write, cas",
            Self::KeyValue => "get, put, append, delete, cas",
            Self::Store => "get, put, delete, put-if, delete-if",
            Self::Set => "add, remove, read",
            Self::Counter => "add, increment, decrement, read",
            Self::Mutex => "acquire, release",
            Self::Transactions => "txn",
        }
    }
}

/// What a compare-and-set that failed says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailedCas {
    /// What its format says: in etcd logs as [`FailedCas::Strict`], elsewhere only if its error is
    /// `mismatch` that another value was there, and otherwise that it did not happen.
    #[default]
    AsMarked,
    /// That another value was there, unless it has another error than `mismatch` or timed out.
    Strict,
    /// That it did not happen, and nothing else. This is what Knossos does.
    Dropped,
}

/// What `info` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Info {
    /// That the operation may take effect at any later time, or never.
    #[default]
    Open,
    /// That it did not happen. Only right for a system that says so.
    Failed,
}

/// What a read says that was answered with nil.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NilRead {
    /// That nothing was written, or it was deleted.
    #[default]
    Unset,
    /// Nothing: such a read matches any value. This is what Knossos does.
    Unknown,
}

/// Whether values are pairs of key and value, as `jepsen.independent` makes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keyed {
    /// They are if some read is invoked with a pair whose second is nil, or a `cas` with a pair whose
    /// second is a pair. In the file a keyed value cannot be told from a value that is a pair.
    #[default]
    Recognised,
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// What says which of two events was first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The time of the events; without times their indexes; without both their lines. At equal times
    /// operations are concurrent.
    #[default]
    Time,
    /// Their place in the file, even if they have times.
    Line,
}

/// How a file is read. The default is right for Jepsen's and our own histories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The format; recognised from the first bytes if none is given.
    pub format: Option<Format>,
    /// The model; recognised from the functions of the first events if none is given.
    pub model: Option<ModelName>,
    /// What a failed compare-and-set says.
    pub failed_cas: FailedCas,
    /// What `info` says.
    pub info: Info,
    /// What a read of nil says.
    pub nil_read: NilRead,
    /// Whether values are pairs of key and value.
    pub keyed: Keyed,
    /// What orders the events.
    pub order: Order,
    /// What registers hold before the first write: unset if none is given.
    pub initial: Option<String>,
}
