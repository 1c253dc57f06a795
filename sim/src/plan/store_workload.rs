//! What the clients of a run do with the whole store: more than single keys.

use serde::{Deserialize, Serialize};

/// One client, which does one kind of thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreClientPlan {
    /// The member that it speaks to; without one, another for each request.
    pub home: Option<u64>,
    /// How long it waits for an answer, in milliseconds.
    pub patience_ms: u64,
    /// The time limit that it asks the server for, in milliseconds.
    pub server_timeout_ms: u64,
    /// The longest pause between two things that it does, in milliseconds.
    pub pause_ms_max: u64,
    /// What it does.
    pub job: Job,
}

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Job {
    /// Transactions that read lists and append to them.
    Lists {
        /// How many lists there are.
        keys: u64,
        /// Clients append at moments that are multiples of this, in milliseconds, and so get into each other's
        /// way; 0 means at any moment.
        step_ms: u64,
    },
    /// Transactions that move money from one account to another, and looks at all accounts.
    Bank {
        /// How many accounts there are.
        accounts: u64,
        /// Clients move money at moments that are multiples of this, in milliseconds; 0 means at any moment.
        step_ms: u64,
    },
    /// Puts, deletes and range deletes of some keys, and listings of them page by page.
    Ranges {
        /// How many keys.
        keys: u64,
        /// The longest page, in keys.
        page_keys_max: u64,
    },
    /// Writes in sessions, each repeated until its outcome is known.
    Sessions {
        /// How many keys it writes to.
        keys: u64,
        /// The time to live of sessions, in milliseconds.
        ttl_ms: u64,
        /// How many of a hundred requests are sent to two members at once.
        twice_percent: u64,
    },
    /// Reads at revisions of the past, and of the history of changes.
    Past {
        /// How many of a hundred revisions are any that it has ever seen. The others are among the newest.
        old_percent: u64,
    },
    /// Compacts by hand, and changes settings.
    Keeper {
        /// How many of a hundred times it compacts. The other times it changes settings.
        compact_percent: u64,
        /// The settings that it changes, each now and then to one of its values.
        settings: Vec<SettingPlan>,
    },
    /// Fills the store to its quota, and makes room again.
    Quota {
        /// The quota, in bytes.
        bytes: u64,
        /// The length of the values that it fills the store with, in bytes.
        value_bytes: u64,
    },
}

/// A replicated setting that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingPlan {
    /// Its name.
    pub name: String,
    /// The values that it takes.
    pub values: Vec<u64>,
}
