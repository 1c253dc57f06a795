//! Single keys that are written and deleted, some only if they have the revision that the client knows.

use super::versioned::{self, Seen};
use crate::client::Client;

const KEYS: u64 = 5;

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    let mut seen = Seen::new();
    while client.goes_on().await {
        let epoch = super::epoch(&client);
        let key = name(epoch, client.choices.range(0..=KEYS - 1));
        if client.choices.chance(40) {
            versioned::read(&mut client, &key, &mut seen).await;
        } else {
            versioned::write(&mut client, &key, [30, 40, 10, 20], &mut seen).await;
        }
    }
    let epochs = 0..=super::epoch(&client);
    let keys: Vec<String> = epochs.flat_map(|epoch| (0..KEYS).map(move |key| name(epoch, key))).collect();
    versioned::read_all(&mut client, "conditional.", &keys).await;
}

fn name(epoch: u64, key: u64) -> String {
    format!("conditional.{epoch}.{key}")
}
