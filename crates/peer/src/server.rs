//! The accepting side: a listener, and a session for each connection.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::NodeId;
use quorate_environment::{Environment, Listener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::gatekeeper::Gatekeeper;
use crate::handler::PeerHandler;
use crate::handshake::{Reject, RejectCode};
use crate::limits::CONNECTIONS_MAX;
use crate::session;

/// The pause after an accept that failed (no file descriptors left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many different refusals are remembered, to log each once.
const REFUSALS_REMEMBERED: usize = 256;

/// What the sessions of one listener share.
#[derive(Debug)]
pub(crate) struct Shared<E, H> {
    pub(crate) environment: E,
    pub(crate) gatekeeper: Arc<dyn Gatekeeper>,
    pub(crate) handler: H,
    pub(crate) snapshot_directory: PathBuf,
    pub(crate) shutdown: CancellationToken,
    refusals: Mutex<BTreeSet<(NodeId, RejectCode)>>,
}

/// Serves peers that connect to `listener` until `shutdown` is cancelled, and returns when the last
/// session has ended. Snapshots that are being received are kept in `snapshot_directory`, which must
/// exist; what an earlier process left unfinished there is its owner's business.
pub async fn serve<E: Environment, H: PeerHandler<E>>(
    environment: E,
    mut listener: E::Listener,
    gatekeeper: Arc<dyn Gatekeeper>,
    handler: H,
    snapshot_directory: PathBuf,
    shutdown: CancellationToken,
) {
    let refusals = Mutex::default();
    let shared = Arc::new(Shared {
        environment: environment.clone(),
        gatekeeper,
        handler,
        snapshot_directory,
        shutdown: shutdown.clone(),
        refusals,
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = match E::Runtime::select2(shutdown.cancelled(), listener.accept()).await {
            Select2::First(()) => break,
            Select2::Second(accepted) => accepted,
        };
        match (accepted, places.clone().try_acquire_owned()) {
            (Ok((stream, address)), Ok(place)) => {
                let shared = shared.clone();
                environment.spawn("peer session", async move {
                    session::run(shared, stream, address).await;
                    drop(place);
                });
            }
            (Ok((_stream, address)), Err(_)) => {
                tracing::warn!(address, limit = CONNECTIONS_MAX, "too many peer connections: one refused");
            }
            (Err(error), _) => {
                tracing::warn!(%error, "accepting a peer connection failed");
                environment.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drop(shared);
    // All places free again means that every session has ended.
    let everyone = u32::try_from(CONNECTIONS_MAX).expect("a small constant");
    drop(places.acquire_many(everyone).await);
}

impl<E, H> Shared<E, H> {
    /// Logs a refusal: loudly the first time, quietly when the same node tries again.
    pub(crate) fn log_refusal(&self, from: NodeId, address: &str, reject: &Reject) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= REFUSALS_REMEMBERED {
            refusals.clear();
        }
        if refusals.insert((from, reject.code)) {
            tracing::warn!(%from, address, reason = reject.message, "peer connection refused");
        } else {
            tracing::debug!(%from, address, reason = reject.message, "peer connection refused again");
        }
    }

    /// The node has been welcomed: its next refusal is news again.
    pub(crate) fn forget_refusals(&self, from: NodeId) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.retain(|(node, _)| *node != from);
    }
}
