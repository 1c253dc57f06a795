//! Every limit of the peer protocol, in one place.
//!
//! Those marked *protocol* are promises between two nodes: changing one needs a new
//! [`PROTOCOL_VERSION`] or a feature bit.

use std::time::Duration;

/// *Protocol.* The version that this build speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// *Protocol.* The optional abilities that this build has; none so far.
pub const FEATURES: u64 = 0;

/// *Protocol.* The largest payload of a frame.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 16 << 20;

/// *Protocol.* The largest payload of a frame before the handshake is done: a stranger gets no more
/// of our memory than this.
pub const HANDSHAKE_PAYLOAD_BYTES_MAX: usize = 16 << 10;

/// *Protocol.* How many requests an append stream may have unanswered.
pub const APPEND_WINDOW_REQUESTS: usize = 128;

/// *Protocol.* How many bytes of requests an append stream may have unanswered. A single larger request
/// goes out when nothing else is unanswered.
pub const APPEND_WINDOW_BYTES: usize = 8 << 20;

/// *Protocol.* The largest piece of a snapshot in one frame.
pub const SNAPSHOT_CHUNK_BYTES: usize = 256 << 10;

/// *Protocol.* How many pieces of a snapshot may be unacknowledged.
pub const SNAPSHOT_WINDOW_CHUNKS: usize = 4;

/// How long a dial may take to get a byte stream.
pub const DIAL_TIMEOUT: Duration = Duration::from_millis(1_000);

/// How long a handshake may take, on either side.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(2_000);

/// The pause after the first failed dial; it doubles with each further one.
pub const DIAL_BACKOFF_FIRST: Duration = Duration::from_millis(25);

/// The longest pause between dials, before jitter.
pub const DIAL_BACKOFF_MAX: Duration = Duration::from_millis(400);

/// How often a connection looks whether its other end still lives.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_millis(500);

/// A connection on which something is awaited, but nothing at all has arrived for this long, is dead.
pub const SILENCE_MAX: Duration = Duration::from_millis(2_000);

/// The dialing side closes a connection that has not been used for this long. It is the dialing side
/// that does so because it knows that nothing is on the way.
pub const IDLE_CLOSE: Duration = Duration::from_secs(30);

/// The accepting side closes a connection from which nothing has come for this long: its other end
/// should have closed it long ago, so it is gone.
pub const ABANDONED_CLOSE: Duration = Duration::from_secs(120);

/// A write that moves no byte for this long ends the connection.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(10);

/// How long a node that stops goes on to write the answers that it has given.
pub const LAST_ANSWERS_MAX: Duration = Duration::from_millis(1_000);

/// How many bytes may wait in a connection's outbox. It must take the largest frame.
pub const OUTBOX_BYTES_MAX: usize = FRAME_PAYLOAD_BYTES_MAX + (1 << 20);

/// How many application calls one connection may have unanswered.
pub const CALLS_IN_FLIGHT_MAX: usize = 16_384;

/// How many connections a node accepts at once.
pub const CONNECTIONS_MAX: usize = 1_024;

/// How many tasks may work for one accepted connection.
pub const SESSION_TASKS_MAX: usize = 16_384;

/// How many application requests of one accepted connection may be in work; more are refused.
pub const SESSION_REQUESTS_MAX: usize = 8_192;

/// How many bytes of application requests of one accepted connection may be in work; more are refused.
pub const SESSION_REQUEST_BYTES_MAX: usize = 64 << 20;

/// How many append streams one accepted connection may have open.
pub const SESSION_APPEND_STREAMS_MAX: usize = 256;

/// How many bytes of append requests of one accepted connection may be unanswered: two streams' worth, since
/// a stream that has failed may be worked on for a while beside the one that takes its place.
pub const SESSION_APPEND_BYTES_MAX: usize = 2 * (APPEND_WINDOW_BYTES + FRAME_PAYLOAD_BYTES_MAX);

/// How many snapshots one accepted connection may be sending.
pub const SESSION_SNAPSHOTS_MAX: usize = 2;

/// The longest time for which a request may be worked on, whatever deadline it names.
pub const REQUEST_DEADLINE_MAX: Duration = Duration::from_secs(120);

/// An append stream fails if its oldest request has waited this long for its answer. openraft's own
/// limit for it, three quarters of a heartbeat interval, would take one slow flush of the follower for
/// a broken connection and send everything again; the larger of the two counts.
pub const APPEND_RESPONSE_TIMEOUT_MIN: Duration = Duration::from_millis(1_000);

/// A snapshot transfer fails if no piece is acknowledged for this long.
pub const SNAPSHOT_PROGRESS_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the receiver may take to install a snapshot that it has in full.
pub const SNAPSHOT_INSTALL_TIMEOUT: Duration = Duration::from_secs(600);

/// How many bytes are asked of the network at once.
pub(crate) const READ_BYTES: usize = 64 << 10;

/// A write buffer that has grown past this is given back after use.
pub(crate) const WRITE_BUFFER_KEEP_BYTES: usize = 1 << 20;

const _: () = assert!(OUTBOX_BYTES_MAX > FRAME_PAYLOAD_BYTES_MAX, "the largest frame fits into an outbox");
const _: () = assert!(OUTBOX_BYTES_MAX < u32::MAX as usize, "permits are counted in u32");
