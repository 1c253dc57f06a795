//! The simulated network fails the way real ones do.
#![cfg(madsim)]

use std::io::ErrorKind;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use madsim::net::NetSim;
use madsim::runtime::{Handle, NodeHandle};
use madsim::time::sleep;
use quorate_environment::{Elapsed, Environment, Listener};
use quorate_sim::environment::simulation::simulate;
use quorate_sim::environment::{SimulatedEnvironment, SimulatedNetwork};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

const SERVER: &str = "10.0.0.1:80";
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// A server that answers every byte with the next one, and a client, on nodes of their own.
struct World {
    network: SimulatedNetwork,
    server: NodeHandle,
    client: NodeHandle,
}

impl World {
    fn new(network: SimulatedNetwork) -> Self {
        let environment = SimulatedEnvironment::new(network.clone());
        let server = Handle::current()
            .create_node()
            .name("server")
            .ip(server_address())
            .init(move || serve(environment.clone()))
            .build();
        let client = Handle::current().create_node().name("client").ip([10, 0, 0, 2].into()).build();
        Self { network, server, client }
    }

    /// Runs `body` on the client's node.
    async fn client<F, Fut>(&self, body: F) -> Fut::Output
    where
        F: FnOnce(SimulatedEnvironment) -> Fut,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let body = body(SimulatedEnvironment::new(self.network.clone()));
        self.client.spawn(body).await.expect("nobody kills the client")
    }
}

fn server_address() -> IpAddr {
    [10, 0, 0, 1].into()
}

async fn serve(environment: SimulatedEnvironment) {
    let mut listener = environment.listen(SERVER).await.expect("the port is free");
    loop {
        let (mut stream, _) = listener.accept().await.expect("the listener is open");
        environment.spawn("connection", async move {
            while let Ok(byte) = stream.read_u8().await {
                if stream.write_u8(byte + 1).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// Sends one byte and expects the next.
async fn ask(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> std::io::Result<()> {
    stream.write_u8(41).await?;
    assert_eq!(stream.read_u8().await?, 42);
    Ok(())
}

/// Runs `test` as the supervisor of a simulation, once the server listens.
fn in_world<F, Fut>(test: F)
where
    F: Fn(World) -> Fut + Send + Sync,
    Fut: Future<Output = ()>,
{
    for seed in 0..10 {
        simulate(seed, HOUR, || async {
            let world = World::new(SimulatedNetwork::default());
            sleep(SECOND).await;
            test(world).await;
        });
    }
}

#[test]
fn a_partition_delays_a_stream_and_heals() {
    in_world(|world| async move {
        let server = world.server.id();
        world
            .client(async move |environment| {
                let mut stream = environment.connect(SERVER).await.expect("the server listens");
                ask(&mut stream).await.expect("the server answers");

                NetSim::current().clog_node(server);
                let answer = environment.timeout(SECOND * 3, ask(&mut stream)).await;
                assert!(matches!(answer, Err(Elapsed)), "an answer came through a partition");

                NetSim::current().unclog_node(server);
                assert_eq!(stream.read_u8().await.expect("the stream has healed"), 42);
                ask(&mut stream).await.expect("the stream has healed");
            })
            .await;
    });
}

#[test]
fn a_connection_request_waits_for_a_partition_to_heal() {
    in_world(|world| async move {
        let server = world.server.id();
        world
            .client(async move |environment| {
                NetSim::current().clog_node(server);
                let attempt = environment.timeout(SECOND * 5, environment.connect(SERVER)).await;
                assert!(matches!(attempt, Err(Elapsed)), "a partition was answered: {attempt:?}");

                let (begin, heal) = (environment.now(), SECOND * 10);
                environment.spawn("healer", {
                    let environment = environment.clone();
                    async move {
                        environment.sleep(heal).await;
                        NetSim::current().unclog_node(server);
                    }
                });
                let mut stream = environment.connect(SERVER).await.expect("the partition heals");
                assert!(environment.now().saturating_since(begin) >= heal);
                ask(&mut stream).await.expect("the server answers");
            })
            .await;
    });
}

#[test]
fn a_closed_port_refuses_at_once() {
    in_world(|world| async move {
        world
            .client(async move |environment| {
                let begin = environment.now();
                let error = environment.connect("10.0.0.1:81").await.expect_err("nobody listens");
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                assert!(environment.now().saturating_since(begin) < SECOND);
            })
            .await;
    });
}

#[test]
fn a_killed_process_ends_its_streams_and_refuses() {
    in_world(|world| async move {
        let server = world.server.id();
        world
            .client(async move |environment| {
                let mut stream = environment.connect(SERVER).await.expect("the server listens");
                ask(&mut stream).await.expect("the server answers");

                Handle::current().kill(server);
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.expect("the stream ends");
                assert!(rest.is_empty());
                let error = environment.connect(SERVER).await.expect_err("nobody listens");
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

                Handle::current().restart(server);
                environment.sleep(SECOND).await;
                let mut stream = environment.connect(SERVER).await.expect("the server listens again");
                ask(&mut stream).await.expect("the server answers again");
            })
            .await;
    });
}

#[test]
fn the_end_of_a_stream_does_not_pass_a_partition() {
    in_world(|world| async move {
        let server = world.server.id();
        world
            .client(async move |environment| {
                let mut stream = environment.connect(SERVER).await.expect("the server listens");
                ask(&mut stream).await.expect("the server answers");
                NetSim::current().clog_node(server);
                Handle::current().kill(server);
                let end = environment.timeout(SECOND * 5, stream.read_u8()).await;
                assert!(matches!(end, Err(Elapsed)), "the end came through a partition");
                NetSim::current().unclog_node(server);
                let error = stream.read_u8().await.expect_err("the stream ends");
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            })
            .await;
    });
}

#[test]
fn a_machine_without_power_is_silent() {
    in_world(|world| async move {
        let (network, server) = (world.network.clone(), world.server.id());
        world
            .client(async move |environment| {
                let mut stream = environment.connect(SERVER).await.expect("the server listens");
                ask(&mut stream).await.expect("the server answers");

                network.lose_power(server_address());
                Handle::current().kill(server);
                let answer = environment.timeout(SECOND * 5, ask(&mut stream)).await;
                assert!(matches!(answer, Err(Elapsed)), "a dead machine said something");
                let attempt = environment.timeout(SECOND * 5, environment.connect(SERVER)).await;
                assert!(matches!(attempt, Err(Elapsed)), "a dead machine answered: {attempt:?}");

                network.restore_power(server_address());
                Handle::current().restart(server);
                let error = stream.read_u8().await.expect_err("the machine has forgotten the stream");
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                environment.sleep(SECOND).await;
                let mut stream = environment.connect(SERVER).await.expect("the server listens again");
                ask(&mut stream).await.expect("the server answers again");
            })
            .await;
    });
}

fn write_now(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Poll<std::io::Result<usize>> {
    Pin::new(stream).poll_write(&mut Context::from_waker(Waker::noop()), bytes)
}

#[test]
fn a_writer_waits_for_its_reader() {
    const WINDOW: u64 = 1_000;
    simulate(1, HOUR, || async {
        let network = SimulatedNetwork::with_window_bytes(WINDOW);
        let environment = SimulatedEnvironment::new(network);
        let node = Handle::current().create_node().name("node").ip(server_address()).build();
        let test = async move {
            let mut listener = environment.listen(SERVER).await.expect("the port is free");
            let mut client = environment.connect(SERVER).await.expect("the port is open");
            let (mut server, _) = listener.accept().await.expect("the connection is accepted");

            client.write_all(&[1; WINDOW as usize - 1]).await.expect("the window is open");
            let partial = write_now(&mut client, &[2; 10]);
            assert!(matches!(partial, Poll::Ready(Ok(1))), "{partial:?}");
            assert!(write_now(&mut client, &[3; 10]).is_pending());

            // Reading makes room for as much as was read, and wakes the writer.
            environment.spawn("writer", async move {
                client.write_all(&[3; 10]).await.expect("the window opens");
            });
            let mut bytes = vec![0; WINDOW as usize];
            server.read_exact(&mut bytes).await.expect("the bytes arrive");
            server.read_exact(&mut bytes[..10]).await.expect("the bytes arrive");
            assert_eq!(bytes[..10], [3; 10]);
        };
        node.spawn(test).await.expect("nobody kills the node");
    });
}

#[test]
fn a_writer_that_waits_learns_that_its_reader_is_gone() {
    simulate(1, HOUR, || async {
        let environment = SimulatedEnvironment::new(SimulatedNetwork::with_window_bytes(10));
        let node = Handle::current().create_node().name("node").ip(server_address()).build();
        let test = async move {
            let mut listener = environment.listen(SERVER).await.expect("the port is free");
            let mut client = environment.connect(SERVER).await.expect("the port is open");
            let (server, _) = listener.accept().await.expect("the connection is accepted");
            environment.spawn("reader", {
                let environment = environment.clone();
                async move {
                    environment.sleep(SECOND).await;
                    drop(server);
                }
            });
            let error = client.write_all(&[0; 100]).await.expect_err("the reader has gone");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert!(environment.now().since_origin() >= SECOND);
        };
        node.spawn(test).await.expect("nobody kills the node");
    });
}

#[test]
fn lost_messages_only_delay() {
    in_world(|world| async move {
        NetSim::current().update_config(|config| config.packet_loss_rate = 0.3);
        world
            .client(async move |environment| {
                let mut stream = environment.connect(SERVER).await.expect("the server listens");
                for _ in 0..100 {
                    ask(&mut stream).await.expect("the server answers");
                }
            })
            .await;
    });
}
