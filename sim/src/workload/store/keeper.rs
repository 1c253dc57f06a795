//! Somebody who compacts by hand and changes settings while others work.

use quorate_api::Consistency;
use quorate_kv::{Command, KeyRange, RangeForm, RangeQuery, Setting, SettingChange};

use super::StoreClient;
use crate::oracles::store::{Asked, Told};
use crate::plan::SettingPlan;

/// How many revisions a compaction leaves at most.
const LEFT_MAX: u64 = 40;

impl StoreClient {
    /// Works while things go wrong; what it did then is undone before service is demanded.
    pub(super) async fn keep_store(&mut self, compact_percent: u64, settings: Vec<SettingPlan>) {
        while self.goes_on().await && !self.is_calm() {
            if settings.is_empty() || self.dice.chance(compact_percent) {
                self.compact().await;
            } else {
                self.change_settings(&settings).await;
            }
        }
    }

    /// Compacts up to a revision that is not far from the newest.
    async fn compact(&mut self) {
        let query = RangeQuery { form: RangeForm::Count, ..RangeQuery::new(KeyRange::all()) };
        let consistency = Consistency::Linearizable;
        let told = self.ask(Asked::Range { query, after: None, consistency }).await;
        let Told::Count { revision: newest, .. } = told else { return };
        let revision = newest.saturating_sub(self.dice.range(0..=LEFT_MAX));
        self.write(Command::Compact { revision }).await;
    }

    /// Changes one setting, or several at once.
    async fn change_settings(&mut self, settings: &[SettingPlan]) {
        let mut places: Vec<usize> = (0..settings.len()).collect();
        self.dice.shuffle(&mut places);
        places.truncate(self.dice.range(1..=3) as usize);
        let mut changes = Vec::new();
        for place in places {
            let plan = &settings[place];
            let setting = Setting::from_name(&plan.name).expect("the plan was checked");
            changes.push(SettingChange { setting, value: self.dice.pick(&plan.values) });
        }
        self.write(Command::ChangeSettings { changes }).await;
    }
}
