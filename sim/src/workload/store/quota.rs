//! A store that fills up to its quota, in which nothing can be put then, and that gets room again by
//! deletes and compaction.

use bytes::Bytes;
use quorate_api::ErrorCode;
use quorate_kv::{Command, Condition, KeyRange, Setting, SettingChange, Settings};

use super::StoreClient;
use crate::oracles::store::{Effect, Told};

const PREFIX: &str = "fill/";
/// Values after which it gives up on filling the store, and attempts after which it gives up on waiting for
/// room.
const ATTEMPTS_MAX: u64 = 30;

impl StoreClient {
    pub(super) async fn fill_store(&mut self, bytes: u64, value_bytes: u64) {
        let default = Settings::DEFAULT.get(Setting::QuotaBytes);
        while self.goes_on().await && !self.is_calm() {
            if !self.set_quota(bytes).await {
                continue;
            }
            self.fill(value_bytes).await;
            self.make_room().await;
            while !self.set_quota(default).await && !self.is_calm() {}
            let rest = std::time::Duration::from_millis(self.dice.range(500..=3_000));
            quorate_environment::Environment::sleep(&self.environment, rest).await;
        }
    }

    async fn set_quota(&mut self, value: u64) -> bool {
        let changes = vec![SettingChange { setting: Setting::QuotaBytes, value }];
        let told = self.write(Command::ChangeSettings { changes }).await;
        matches!(told, Told::Wrote { effect: Effect::SettingsChanged, .. })
    }

    async fn put_filling(&mut self, number: u64, value_bytes: u64) -> Told {
        let key = Bytes::from(format!("{PREFIX}{number}"));
        let mut value = self.unique().into_bytes();
        value.resize(value.len().max(value_bytes as usize), b'.');
        self.write(Command::Put { key, value: Bytes::from(value), condition: Condition::Always }).await
    }

    /// Puts until that is refused.
    async fn fill(&mut self, value_bytes: u64) {
        for number in 0..ATTEMPTS_MAX {
            let told = self.put_filling(number, value_bytes).await;
            if is_full(&told) || self.is_calm() {
                return;
            }
        }
    }

    /// Deletes and compacts until there is room for a small value.
    async fn make_room(&mut self) {
        for number in 0..ATTEMPTS_MAX {
            if self.is_calm() {
                return;
            }
            let end = format!("{PREFIX}~{}", self.unique());
            let range = KeyRange::new(Bytes::from_static(PREFIX.as_bytes()), Some(Bytes::from(end)));
            let told = self.write(Command::DeleteRange { range, keys_max: u64::MAX }).await;
            if let Some(revision) = told.revision() {
                self.write(Command::Compact { revision }).await;
            }
            let told = self.put_filling(number, 1).await;
            if matches!(told, Told::Wrote { effect: Effect::Put { .. }, .. }) {
                return;
            }
            let pause = std::time::Duration::from_millis(300);
            quorate_environment::Environment::sleep(&self.environment, pause).await;
        }
    }
}

fn is_full(told: &Told) -> bool {
    matches!(told, Told::Wrote { effect: Effect::Refused(ErrorCode::QuotaExceeded), .. })
}
