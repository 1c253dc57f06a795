//! A relay: packets between nodes come here, wait, and go on.
//!
//! The kernel of many machines can delay packets by itself (netem), that of others cannot; this works on all. Marked
//! packets are routed into a TUN device, from which this process reads them; what it writes back is forwarded to where
//! it was going. Addresses, ports and contents stay as they are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tun::Tun;

use super::conditions::Conditions;
use super::rules::RELAY_MARK;
use crate::error::HarnessError;
use crate::tool::{refusal, run_tool};

/// The TUN device.
const DEVICE: &str = "relay";
/// The routing table of what is marked.
const ROUTES: u32 = 77;
/// As large as a packet can be.
const PACKET_MAX: usize = 65_536;
/// As many packets wait at most. Later ones are lost, as they would be in any queue.
const WAITING_MAX: usize = 20_000;

/// What a relay has done so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Packets that went on.
    pub passed: AtomicU64,
    /// Packets that went on before one that had come earlier.
    pub overtaking: AtomicU64,
    /// Packets that went on twice.
    pub repeated: AtomicU64,
}

/// A relay that works until it is stopped.
pub struct Relay {
    counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Relay {
    /// Why there can be none here, if so: a device, a rule and a route are made as for one, and removed.
    pub fn obstacle() -> Option<String> {
        let steps = [
            format!("tuntap add dev {DEVICE} mode tun"),
            format!("link set {DEVICE} up"),
            format!("route replace default dev {DEVICE} table {ROUTES}"),
            format!("rule add fwmark {RELAY_MARK} lookup {ROUTES}"),
            format!("rule del fwmark {RELAY_MARK} lookup {ROUTES}"),
        ];
        let refused = steps.iter().find_map(|step| refusal("ip", step, ""));
        let removed = refusal("ip", &format!("tuntap del dev {DEVICE} mode tun"), "");
        refused.or(removed).map(|why| format!("packets cannot be relayed: {why}"))
    }

    /// Starts one. Nothing comes its way before rules mark packets for it.
    ///
    /// # Errors
    ///
    /// What the system refused.
    pub async fn start(conditions: Conditions, seed: u64) -> Result<Self, HarnessError> {
        let device = Tun::builder().name(DEVICE).up().build();
        let device = device.ok().and_then(|mut devices| devices.pop());
        let device = device.ok_or_else(|| HarnessError::Nonsense("no TUN device can be made here".into()))?;
        run_tool("ip", &format!("route replace default dev {DEVICE} table {ROUTES}")).await?;
        run_tool("ip", &format!("rule add fwmark {RELAY_MARK} lookup {ROUTES}")).await?;
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = oneshot::channel();
        let work = Work {
            device,
            conditions,
            random: ChaCha8Rng::seed_from_u64(seed),
            counts: Arc::clone(&counts),
            waiting: BinaryHeap::new(),
            came: 0,
            newest_gone: 0,
        };
        Ok(Self { counts, stop, task: tokio::spawn(work.run(stopped)) })
    }

    /// What it has done so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Ends it. Packets that wait are lost, and so are those that are still marked for it.
    ///
    /// # Errors
    ///
    /// It had failed, or the system refused.
    pub async fn stop(self) -> Result<(), HarnessError> {
        run_tool("ip", &format!("rule del fwmark {RELAY_MARK} lookup {ROUTES}")).await?;
        // One that has ended by itself does not hear it, and says below why it has.
        let _ = self.stop.send(());
        let ended = self.task.await.map_err(|error| HarnessError::Nonsense(format!("the relay: {error}")))?;
        ended.map_err(HarnessError::system("relaying packets"))
    }
}

/// A packet that waits: when it goes on, its number, its bytes. The earliest first.
type Waiting = Reverse<(Instant, u64, Vec<u8>)>;

struct Work {
    device: Tun,
    conditions: Conditions,
    random: ChaCha8Rng,
    counts: Arc<Counts>,
    waiting: BinaryHeap<Waiting>,
    /// How many have come.
    came: u64,
    /// The highest number of those that went on.
    newest_gone: u64,
}

impl Work {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> io::Result<()> {
        let mut packet = vec![0; PACKET_MAX];
        loop {
            let next = self.waiting.peek().map(|Reverse((when, ..))| *when);
            // Without any, for as long as nothing comes.
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                biased;
                _ = &mut stopped => return Ok(()),
                () = tokio::time::sleep_until(next) => self.pass_on().await,
                received = self.device.recv(&mut packet) => {
                    let length = received?;
                    self.take(&packet[..length]);
                }
            }
        }
    }

    fn take(&mut self, packet: &[u8]) {
        if self.waiting.len() >= WAITING_MAX {
            return;
        }
        self.came += 1;
        let (first, again) = self.conditions.arrivals(&mut self.random);
        let now = Instant::now();
        self.waiting.push(Reverse((now + first, self.came, packet.to_vec())));
        if let Some(again) = again {
            self.counts.repeated.fetch_add(1, Ordering::Relaxed);
            self.waiting.push(Reverse((now + again, self.came, packet.to_vec())));
        }
    }

    /// Passes on all whose time has come.
    async fn pass_on(&mut self) {
        let now = Instant::now();
        while self.waiting.peek().is_some_and(|Reverse((when, ..))| *when <= now) {
            let Some(Reverse((_, number, packet))) = self.waiting.pop() else { return };
            if number < self.newest_gone {
                self.counts.overtaking.fetch_add(1, Ordering::Relaxed);
            }
            self.newest_gone = self.newest_gone.max(number);
            // What cannot be sent is a packet lost, which networks may do.
            if self.device.send_all(&packet).await.is_ok() {
                self.counts.passed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
