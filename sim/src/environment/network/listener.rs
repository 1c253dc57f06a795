//! A bound address.

use std::io;
use std::sync::Arc;

use madsim::net::TcpListener;
use quorate_environment::Listener;

use super::stream::SimulatedStream;
use super::{Backlog, Place, SimulatedNetwork};

/// A bound address of a simulated node.
#[derive(Debug)]
pub struct SimulatedListener {
    inner: TcpListener,
    network: SimulatedNetwork,
    place: Place,
    backlog: Arc<Backlog>,
}

impl SimulatedListener {
    pub(super) fn new(
        inner: TcpListener,
        network: SimulatedNetwork,
        place: Place,
        backlog: Arc<Backlog>,
    ) -> Self {
        Self { inner, network, place, backlog }
    }
}

impl Listener for SimulatedListener {
    type Stream = SimulatedStream;

    async fn accept(&mut self) -> io::Result<(SimulatedStream, String)> {
        let (inner, peer) = self.inner.accept().await?;
        let connection = self
            .backlog
            .lock()
            .expect("nothing panics under this lock")
            .pop_front()
            .expect("every connection of a simulation is made by SimulatedNetwork");
        let stream = SimulatedStream::server(inner, self.network.clone(), connection)?;
        Ok((stream, peer.to_string()))
    }

    fn local_address(&self) -> io::Result<String> {
        Ok(self.place.address.to_string())
    }
}

impl Drop for SimulatedListener {
    fn drop(&mut self) {
        self.network.forget_listener(self.place);
        // Whoever is connected but was not accepted must not wait for a reader that never comes.
        for connection in self.backlog.lock().expect("nothing panics under this lock").drain(..) {
            connection.to_server.close();
        }
    }
}
