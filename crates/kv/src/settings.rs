//! The replicated settings: limits and intervals that decide outcomes, or that all nodes have to agree on.
//! They are state and not configuration, and change through the log.

/// A replicated setting. The ordinal is part of formats: never change one, never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Setting {
    /// See [`Setting::description`], here as for all others.
    ValueBytesMax = 1,
    /// See [`Setting::description`].
    TransactionOperationsMax = 2,
    /// See [`Setting::description`].
    DeleteRangeKeysMax = 3,
    /// See [`Setting::description`].
    SessionsMax = 4,
    /// See [`Setting::description`].
    SessionTtlMsMax = 5,
    /// See [`Setting::description`].
    SessionOutcomesMax = 6,
    /// See [`Setting::description`].
    CompactionAgeMs = 7,
    /// See [`Setting::description`].
    CompactionRevisions = 8,
    /// See [`Setting::description`].
    QuotaBytes = 9,
    /// See [`Setting::description`].
    QuotaWarnPercent = 10,
    /// See [`Setting::description`].
    DigestIntervalMs = 11,
}

/// Everything that there is to say about a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingDescription {
    /// Which setting.
    pub setting: Setting,
    /// Its name in requests and on the command line.
    pub name: &'static str,
    /// What its number counts.
    pub unit: &'static str,
    /// Its value in a new store.
    pub default: u64,
    /// The least value that it can have.
    pub minimum: u64,
    /// The greatest value that it can have.
    pub maximum: u64,
    /// What it decides, in one line.
    pub description: &'static str,
}

/// A setting's new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// Which setting.
    pub setting: Setting,
    /// The value.
    pub value: u64,
}

/// All settings with their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// In the order of [`Setting::ALL`].
    values: [u64; Setting::ALL.len()],
}

const DAY_MS: u64 = 24 * 3_600_000;

/// All settings, in the order of their ordinals.
const DESCRIPTIONS: [SettingDescription; Setting::ALL.len()] = [
    SettingDescription {
        setting: Setting::ValueBytesMax,
        name: "value_bytes_max",
        unit: "bytes",
        default: 1 << 20,
        minimum: 1,
        maximum: 8 << 20,
        description: "The longest value that can be put.",
    },
    SettingDescription {
        setting: Setting::TransactionOperationsMax,
        name: "transaction_operations_max",
        unit: "operations",
        default: 128,
        minimum: 1,
        maximum: 4096,
        description: "Operations in one transaction, and likewise comparisons, nested ones included.",
    },
    SettingDescription {
        setting: Setting::DeleteRangeKeysMax,
        name: "delete_range_keys_max",
        unit: "keys",
        default: 1_000,
        minimum: 1,
        maximum: 10_000,
        description: "Keys that one command or one transaction deletes by ranges.",
    },
    SettingDescription {
        setting: Setting::SessionsMax,
        name: "sessions_max",
        unit: "sessions",
        default: 10_000,
        minimum: 1,
        maximum: 1_000_000,
        description: "Sessions that can be open at once.",
    },
    SettingDescription {
        setting: Setting::SessionTtlMsMax,
        name: "session_ttl_ms_max",
        unit: "milliseconds",
        default: DAY_MS,
        minimum: crate::session::SESSION_TTL_MS_MIN,
        maximum: 30 * DAY_MS,
        description: "The longest time to live that a session can be opened with.",
    },
    SettingDescription {
        setting: Setting::SessionOutcomesMax,
        name: "session_outcomes_max",
        unit: "outcomes",
        default: 256,
        minimum: 1,
        maximum: 4096,
        description: "Outcomes kept for one session that its client has not acknowledged.",
    },
    SettingDescription {
        setting: Setting::CompactionAgeMs,
        name: "compaction_age_ms",
        unit: "milliseconds",
        default: 3_600_000,
        minimum: 0,
        maximum: 3_650 * DAY_MS,
        description: "The age at which revisions are compacted by themselves; 0 for never.",
    },
    SettingDescription {
        setting: Setting::CompactionRevisions,
        name: "compaction_revisions",
        unit: "revisions",
        default: 1_000_000,
        minimum: 0,
        maximum: 1_000_000_000_000,
        description: "Revisions that are kept; older ones are compacted by themselves; 0 for all.",
    },
    SettingDescription {
        setting: Setting::QuotaBytes,
        name: "quota_bytes",
        unit: "bytes",
        default: 8 << 30,
        minimum: 0,
        maximum: 1 << 50,
        description: "Bytes that the store may hold, its history included; puts beyond are refused; 0 for no limit.",
    },
    SettingDescription {
        setting: Setting::QuotaWarnPercent,
        name: "quota_warn_percent",
        unit: "percent",
        default: 80,
        minimum: 1,
        maximum: 100,
        description: "The part of the quota from which status and metrics warn.",
    },
    SettingDescription {
        setting: Setting::DigestIntervalMs,
        name: "digest_interval_ms",
        unit: "milliseconds",
        default: 10_000,
        minimum: 0,
        maximum: DAY_MS,
        description: "How often replicas compare the digests of their states; 0 for never.",
    },
];

impl Setting {
    /// Every setting, in the order of ordinals.
    pub const ALL: [Setting; 11] = [
        Setting::ValueBytesMax,
        Setting::TransactionOperationsMax,
        Setting::DeleteRangeKeysMax,
        Setting::SessionsMax,
        Setting::SessionTtlMsMax,
        Setting::SessionOutcomesMax,
        Setting::CompactionAgeMs,
        Setting::CompactionRevisions,
        Setting::QuotaBytes,
        Setting::QuotaWarnPercent,
        Setting::DigestIntervalMs,
    ];

    /// The persisted number of the setting.
    pub const fn ordinal(self) -> u8 {
        self as u8
    }

    /// The setting with that number, if there is one.
    pub fn from_ordinal(ordinal: u8) -> Option<Setting> {
        Setting::ALL.into_iter().find(|setting| setting.ordinal() == ordinal)
    }

    /// The setting with that name, if there is one.
    pub fn from_name(name: &str) -> Option<Setting> {
        Setting::ALL.into_iter().find(|setting| setting.description().name == name)
    }

    /// Name, unit, default, bounds and meaning.
    pub const fn description(self) -> &'static SettingDescription {
        &DESCRIPTIONS[self.place()]
    }

    /// Whether the setting can have this value.
    pub fn allows(self, value: u64) -> bool {
        (self.description().minimum..=self.description().maximum).contains(&value)
    }

    /// The place in arrays that have one element for each setting: ordinals begin at 1 and have no gaps.
    const fn place(self) -> usize {
        self as usize - 1
    }
}

impl Settings {
    /// The settings of a new store.
    pub const DEFAULT: Settings = {
        let mut values = [0; Setting::ALL.len()];
        let mut place = 0;
        while place < values.len() {
            values[place] = DESCRIPTIONS[place].default;
            place += 1;
        }
        Settings { values }
    };

    /// The value of a setting, in its unit.
    pub const fn get(&self, setting: Setting) -> u64 {
        self.values[setting.place()]
    }

    /// All settings with their values, in the order of ordinals.
    pub fn all(&self) -> impl Iterator<Item = SettingChange> {
        let values = self.values;
        Setting::ALL.into_iter().map(move |setting| SettingChange { setting, value: values[setting.place()] })
    }

    /// These settings, changed. If a value is out of its bounds, the first such change.
    pub fn changed(self, changes: &[SettingChange]) -> Result<Settings, SettingChange> {
        changes.iter().try_fold(self, |settings, change| match change.setting.allows(change.value) {
            true => Ok(settings.with(change.setting, change.value)),
            false => Err(*change),
        })
    }

    /// These settings with another value, which is not checked.
    pub(crate) const fn with(mut self, setting: Setting, value: u64) -> Settings {
        self.values[setting.place()] = value;
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_every_setting_at_its_place() {
        for (place, (setting, description)) in Setting::ALL.iter().zip(&DESCRIPTIONS).enumerate() {
            assert_eq!(description.setting, *setting);
            assert_eq!(setting.place(), place);
            assert_eq!(Setting::from_ordinal(setting.ordinal()), Some(*setting));
            assert_eq!(Setting::from_name(description.name), Some(*setting));
            assert!(setting.allows(description.default), "{description:?}");
            assert!(!description.description.contains('\n'));
        }
        assert_eq!(Setting::from_ordinal(0), None);
        assert_eq!(Setting::from_ordinal(12), None);
        assert_eq!(Setting::from_name("none"), None);
    }

    #[test]
    fn settings_change_all_or_none() {
        let change = |setting, value| SettingChange { setting, value };
        let bytes = change(Setting::ValueBytesMax, 7);
        let changed = Settings::DEFAULT.changed(&[bytes, change(Setting::QuotaBytes, 0)]).expect("in bounds");
        assert_eq!((changed.get(Setting::ValueBytesMax), changed.get(Setting::QuotaBytes)), (7, 0));
        assert_eq!(changed.get(Setting::SessionsMax), 10_000, "the others stay");
        let wrong = [change(Setting::QuotaWarnPercent, 0), change(Setting::QuotaWarnPercent, 101)];
        for wrong in wrong {
            assert_eq!(Settings::DEFAULT.changed(&[bytes, wrong, bytes]), Err(wrong));
        }
        let twice = [bytes, change(Setting::ValueBytesMax, 8)];
        let changed = Settings::DEFAULT.changed(&twice).expect("in bounds");
        assert_eq!(changed.get(Setting::ValueBytesMax), 8, "the later change counts");
    }
}
