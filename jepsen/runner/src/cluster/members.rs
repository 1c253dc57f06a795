//! Who is a member, and changes of that.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Answer, Cluster, POLL, ask};
use crate::error::HarnessError;
use crate::property::Property;

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(3);

impl Cluster {
    /// The roles of all members, as the first node says that answers; None if none does.
    pub async fn roles(&self) -> Option<BTreeMap<u8, String>> {
        let answer = self.ask_any("GET", "/v1/cluster/members", "").await?;
        let list: Value = serde_json::from_str(&answer.body).ok()?;
        let members = list["members"].as_array()?;
        let role = |member: &Value| {
            Some((member["member"].as_str()?.parse().ok()?, member["role"].as_str()?.to_owned()))
        };
        members.iter().map(role).collect()
    }

    /// Asks one node after the other until one answers with success; else gives the last answer.
    pub async fn ask_any(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        let mut last = None;
        for node in self.running().await {
            let answer = ask(self.client_address(node), method, path, body, LIMIT).await;
            if answer.as_ref().is_some_and(|answer| answer.status < 300) {
                return answer;
            }
            last = answer.or(last);
        }
        last
    }

    /// Waits until the nodes that vote are these.
    ///
    /// # Errors
    ///
    /// They are not within `limit`.
    pub async fn await_voters(&self, voters: &[u8], limit: Duration) -> Result<(), HarnessError> {
        let deadline = Instant::now() + limit;
        let mut seen = None;
        while Instant::now() < deadline {
            seen = self.roles().await;
            if seen
                .as_ref()
                .is_some_and(|roles| roles.keys().eq(voters) && roles.values().all(|role| role == "voter"))
            {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        let what = format!("the members did not become the voters {voters:?} (last seen: {seen:?})");
        Err(HarnessError::Late { property: Property::DoneInTime, what, seconds: limit.as_secs() })
    }
}
