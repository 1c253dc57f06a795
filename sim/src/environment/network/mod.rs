//! The simulated network: madsim's TCP, made to behave as the real one where that matters.
//!
//! madsim gives links with latency, loss and clogging (`madsim::net::NetSim`: loss and clogs delay a
//! stream, they do not break it). Its streams lack what bugs hide behind, so it is added here:
//!
//! - a stream can be closed in one direction, and its end travels like its bytes: not through a
//!   partition, and not before them;
//! - what was written is on its way without a flush;
//! - the bytes in flight are bounded: a writer waits for a reader that does not read;
//! - connecting through a partition, or to a machine without power, waits as the kernel does, which
//!   repeats its request unanswered; only a machine that is reached and does not listen refuses;
//! - the streams of a machine that loses power fall silent; those of a killed process end.
//!
//! Every stream of a simulation comes from here: a stream that madsim connects on its own to one of
//! these listeners is not understood.
//!
//! Listeners bind an address of their node (or a loopback address), not the unspecified one. One
//! direction of a stream delivers at most one write per millisecond, which is madsim's least sleep.

mod connection;
mod listener;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use madsim::net::{TcpListener, TcpStream, lookup_host};
use madsim::task::NodeId;

use self::connection::Connection;
pub use self::listener::SimulatedListener;
pub use self::stream::SimulatedStream;
use super::sleep::Sleep;

/// How many bytes of one direction of a stream are in flight, at most, by default.
pub const WINDOW_BYTES: u64 = 256 << 10;

/// How long an unanswered connection request waits before its first repetition. It doubles each time.
const FIRST_RETRANSMISSION: Duration = Duration::from_secs(1);

/// The longest wait between two repetitions.
const LONGEST_RETRANSMISSION: Duration = Duration::from_secs(32);

/// The time in which a machine answers that a port is closed.
const REFUSAL_LATENCY: Duration = Duration::from_millis(1);

/// The network of one simulation. Clones share it.
#[derive(Clone, Debug)]
pub struct SimulatedNetwork {
    window_bytes: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    listeners: BTreeMap<Place, Arc<Backlog>>,
    /// Machines without power, and the streams they left behind.
    dark: BTreeMap<IpAddr, Vec<TcpStream>>,
}

/// Where something listens. A loopback address means another place on each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    node: Option<NodeId>,
    address: SocketAddr,
}

impl Place {
    /// The place that `address` means to the node that runs.
    fn of(address: SocketAddr) -> Self {
        Self { node: address.ip().is_loopback().then(madsim::plugin::node), address }
    }
}

/// The connections that a listener has not accepted yet, in the order of madsim's own queue.
type Backlog = Mutex<VecDeque<Arc<Connection>>>;

impl Default for SimulatedNetwork {
    fn default() -> Self {
        Self::with_window_bytes(WINDOW_BYTES)
    }
}

impl SimulatedNetwork {
    /// A network whose streams hold up to `window_bytes` in flight in each direction.
    pub fn with_window_bytes(window_bytes: u64) -> Self {
        assert!(window_bytes > 0, "a stream needs a window");
        Self { window_bytes, state: Arc::default() }
    }

    /// The machine at `address` loses power: from now on its streams end without a word, so that their
    /// peers learn nothing, and nobody answers there. Call it before the node is killed.
    pub fn lose_power(&self, address: IpAddr) {
        self.state().dark.entry(address).or_default();
    }

    /// The machine at `address` has power again. It knows nothing of its earlier streams, so their
    /// peers see them reset. Call it before the node is restarted.
    pub fn restore_power(&self, address: IpAddr) {
        let left_behind = self.state().dark.remove(&address);
        drop(left_behind);
    }

    /// Binds `address`.
    pub(super) async fn listen(&self, address: &str) -> io::Result<SimulatedListener> {
        let address = resolve(address).await?;
        if address.ip().is_unspecified() {
            let reason = "a simulated listener binds an address of its node, not the unspecified one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let inner = TcpListener::bind(address).await?;
        let place = Place::of(inner.local_addr()?);
        let backlog = Arc::<Backlog>::default();
        let replaced = self.state().listeners.insert(place, backlog.clone());
        assert!(replaced.is_none(), "madsim let {address} be bound twice");
        Ok(SimulatedListener::new(inner, self.clone(), place, backlog))
    }

    /// Connects to `address`, however long that takes.
    pub(super) async fn connect(&self, address: &str) -> io::Result<SimulatedStream> {
        let place = Place::of(resolve(address).await?);
        let mut patience = FIRST_RETRANSMISSION;
        loop {
            if let Some(stream) = self.request(place).await? {
                return Ok(stream);
            }
            Sleep::exactly(patience).await;
            patience = (patience * 2).min(LONGEST_RETRANSMISSION);
        }
    }

    /// Sends one connection request. `None` means that it was not answered.
    async fn request(&self, place: Place) -> io::Result<Option<SimulatedStream>> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        if self.is_dark(place.address.ip()) {
            return Ok(None);
        }
        if self.backlog(place).is_none() {
            Sleep::exactly(REFUSAL_LATENCY).await;
            return Err(refused());
        }
        let connected = TcpStream::connect(place.address).await;
        // Looked up again: the listener may have gone in the meantime. If it is there, madsim has
        // queued the connection with it in this very moment.
        let backlog = self.backlog(place).ok_or_else(refused)?;
        match connected {
            Ok(inner) => {
                let connection = Arc::new(Connection::new(self.window_bytes));
                let stream = SimulatedStream::client(inner, self.clone(), connection.clone())?;
                backlog.lock().expect("nothing panics under this lock").push_back(connection);
                Ok(Some(stream))
            }
            // Somebody listens there, so this was loss or a clogged link.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn backlog(&self, place: Place) -> Option<Arc<Backlog>> {
        self.state().listeners.get(&place).cloned()
    }

    /// Called when the listener at `place` is gone.
    fn forget_listener(&self, place: Place) {
        self.state().listeners.remove(&place);
    }

    fn is_dark(&self, address: IpAddr) -> bool {
        self.state().dark.contains_key(&address)
    }

    /// Keeps the stream of a machine without power, so that its peer does not see it end. Gives it
    /// back if the machine has power.
    fn keep_if_dark(&self, address: IpAddr, stream: TcpStream) -> Option<TcpStream> {
        match self.state().dark.get_mut(&address) {
            Some(left_behind) => {
                left_behind.push(stream);
                None
            }
            None => Some(stream),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

async fn resolve(address: &str) -> io::Result<SocketAddr> {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    lookup_host(address).await?.next().ok_or_else(unknown)
}
