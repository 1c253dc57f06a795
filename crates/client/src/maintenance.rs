//! Requests about the store as a whole: compaction, settings, status.

use bytes::Bytes;
use http::Method;
use quorate_api::{
    CLUSTER_PATH, COMPACT_PATH, ClusterStatus, CompactAnswer, CompactBody, HEALTH_PATH, METRICS_PATH,
    READY_PATH, SETTINGS_PATH, SettingAnswer, SettingsAnswer, SettingsBody,
};
use quorate_environment::Environment;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

impl<E: Environment> Client<E> {
    /// Lets the store forget what was before `revision`, which becomes the oldest one that can be read. Gives
    /// the oldest revision that can be read from now on: a later one if it had been compacted further already.
    pub async fn compact(&self, revision: u64) -> Result<u64, ClientError> {
        let call = Call::new(Method::POST, COMPACT_PATH, String::new(), json(&CompactBody { revision }));
        let answer: CompactAnswer = self.ask(&call.repeatable()).await?.json()?;
        Ok(answer.compacted)
    }

    /// The replicated settings.
    pub async fn settings(&self) -> Result<Vec<SettingAnswer>, ClientError> {
        let answer: SettingsAnswer = self.ask(&Call::get(SETTINGS_PATH, String::new())).await?.json()?;
        Ok(answer.settings)
    }

    /// Changes settings, all of them or none, and gives all there are.
    ///
    /// If it was sent and not answered, the outcome is unknown: it is not sent again, because meanwhile
    /// somebody else may have changed the settings once more.
    pub async fn change_settings(
        &self,
        changes: impl IntoIterator<Item = (impl Into<String>, u64)>,
    ) -> Result<Vec<SettingAnswer>, ClientError> {
        let changes = changes.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let call = Call::new(Method::PUT, SETTINGS_PATH, String::new(), json(&SettingsBody(changes)));
        let answer: SettingsAnswer = self.ask(&call).await?.json_of_write()?;
        Ok(answer.settings)
    }

    /// One node's view of the cluster: of the node that answers.
    pub async fn cluster(&self) -> Result<ClusterStatus, ClientError> {
        self.ask(&Call::get(CLUSTER_PATH, String::new()).without_timeout()).await?.json()
    }

    /// Waits, as long as the client's timeout, until a node or a router says that it runs: that starting it again
    /// would not help. A node that has merely lost its quorum runs.
    pub async fn await_alive(&self) -> Result<(), ClientError> {
        self.ask(&Call::get(HEALTH_PATH, String::new()).without_timeout()).await.map(drop)
    }

    /// Waits, as long as the client's timeout, until a node or a router says that it can serve.
    pub async fn await_ready(&self) -> Result<(), ClientError> {
        self.ask(&Call::get(READY_PATH, String::new()).without_timeout()).await.map(drop)
    }

    /// The metrics of the node that answers, as text for Prometheus.
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let answer = self.ask(&Call::get(METRICS_PATH, String::new()).without_timeout()).await?;
        let text = std::str::from_utf8(&answer.body).map(str::to_owned);
        text.map_err(|error| answer.unreadable(error.to_string()))
    }
}

fn json(body: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(body).expect("wire types can be written as JSON").into()
}
