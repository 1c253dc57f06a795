//! Byte streams.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::check;
use crate::environment::{Elapsed, Environment, Listener};
use crate::time::Moment;

/// The suite runs inside one machine.
const ANY_PORT: &str = "127.0.0.1:0";

/// More than the buffers of a connection hold.
const LARGE_BYTES: usize = 16 << 20;

pub(super) async fn run<E: Environment>(environment: &E) {
    check(environment, "a listener names its port", listener_names_port(environment)).await;
    check(environment, "bytes go both ways", bytes_go_both_ways(environment)).await;
    check(environment, "a half-closed stream still reads", half_closed_stream_reads(environment)).await;
    check(environment, "written bytes need no flush", written_bytes_arrive(environment)).await;
    check(environment, "many bytes arrive whole", many_bytes_arrive(environment)).await;
    check(environment, "writing to a closed peer fails", writing_to_closed_peer(environment)).await;
    check(environment, "connections are accepted in order", accepted_in_order(environment)).await;
    check(environment, "a dropped accept loses nothing", dropped_accept(environment)).await;
    check(environment, "a closed port refuses", closed_port_refuses(environment)).await;
    check(environment, "a port has one listener", port_has_one_listener(environment)).await;
    check(environment, "an address without a port is an error", bad_address(environment)).await;
}

async fn listen<E: Environment>(environment: &E) -> (E::Listener, String) {
    let listener = environment.listen(ANY_PORT).await.expect("a free port can be bound");
    let address = listener.local_address().expect("a listener knows its address");
    (listener, address)
}

/// A connected pair: the client's stream and the server's.
async fn pair<E: Environment>(environment: &E) -> (E::Stream, E::Stream) {
    let (mut listener, address) = listen(environment).await;
    let client = environment.connect(&address).await.expect("a listening port can be connected");
    let (server, _) = listener.accept().await.expect("the connection is accepted");
    (client, server)
}

async fn listener_names_port<E: Environment>(environment: &E) {
    let (mut listener, address) = listen(environment).await;
    let (host, port) = address.rsplit_once(':').expect("an address has the form HOST:PORT");
    assert_eq!(host, "127.0.0.1");
    assert_ne!(port.parse::<u16>().expect("the port is a number"), 0, "no port was picked");

    let (second, second_address) = listen(environment).await;
    assert_ne!(address, second_address, "two listeners got the same port");
    drop(second);

    let _client = environment.connect(&address).await.expect("the named address can be connected");
    let (_server, peer) = listener.accept().await.expect("the connection is accepted");
    assert!(peer.starts_with("127.0.0.1:"), "the peer's address is {peer:?}");
}

async fn bytes_go_both_ways<E: Environment>(environment: &E) {
    let (mut client, mut server) = pair(environment).await;
    for round in 0..10_u8 {
        client.write_all(&[round, 1, 2, 3]).await.expect("the stream takes bytes");
        client.flush().await.expect("the stream flushes");
        let mut received = [0; 4];
        server.read_exact(&mut received).await.expect("the bytes arrive");
        assert_eq!(received, [round, 1, 2, 3]);

        server.write_all(&[round, 9]).await.expect("the stream takes bytes");
        server.flush().await.expect("the stream flushes");
        let mut received = [0; 2];
        client.read_exact(&mut received).await.expect("the bytes arrive");
        assert_eq!(received, [round, 9]);
    }
}

async fn half_closed_stream_reads<E: Environment>(environment: &E) {
    let (mut client, mut server) = pair(environment).await;
    client.write_all(b"question").await.expect("the stream takes bytes");
    client.shutdown().await.expect("the stream's sending half closes");

    let mut question = Vec::new();
    server.read_to_end(&mut question).await.expect("the other side sees the end");
    assert_eq!(question, b"question");

    server.write_all(b"answer").await.expect("the open half takes bytes");
    drop(server);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("a half-closed stream reads to the end");
    assert_eq!(answer, b"answer");
    assert!(client.write_all(b"more").await.is_err(), "a closed half took bytes");
}

async fn written_bytes_arrive<E: Environment>(environment: &E) {
    let (mut client, mut server) = pair(environment).await;
    client.write_all(b"no flush").await.expect("the stream takes bytes");
    let mut received = [0; 8];
    server.read_exact(&mut received).await.expect("bytes arrive without a flush");
    assert_eq!(&received, b"no flush");

    client.write_all(b"last words").await.expect("the stream takes bytes");
    drop(client);
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.expect("a dropped stream ends");
    assert_eq!(rest, b"last words");
}

/// The byte at `position` of the large transfer: a pattern that no shift maps to itself.
fn pattern(position: usize) -> u8 {
    (position % 251) as u8
}

async fn many_bytes_arrive<E: Environment>(environment: &E) {
    let (mut client, mut server) = pair(environment).await;
    environment.spawn("conformance-writer", async move {
        let bytes: Vec<u8> = (0..LARGE_BYTES).map(pattern).collect();
        client.write_all(&bytes).await.expect("the stream takes all bytes");
    });
    let mut received = Vec::new();
    server.read_to_end(&mut received).await.expect("the stream reads to the end");
    assert_eq!(received.len(), LARGE_BYTES, "bytes were lost or added");
    let wrong = received.iter().enumerate().position(|(position, byte)| *byte != pattern(position));
    assert_eq!(wrong, None, "a byte has changed");
}

async fn writing_to_closed_peer<E: Environment>(environment: &E) {
    let (mut client, server) = pair(environment).await;
    drop(server);
    // The first bytes may be taken before the news has arrived.
    while client.write_all(b"anyone there?").await.is_ok() {
        environment.sleep(Duration::from_millis(1)).await;
    }
}

async fn accepted_in_order<E: Environment>(environment: &E) {
    let (mut listener, address) = listen(environment).await;
    let mut clients = Vec::new();
    for number in 0..8_u8 {
        let mut client = environment.connect(&address).await.expect("a listening port can be connected");
        client.write_all(&[number]).await.expect("the stream takes bytes");
        clients.push(client);
    }
    for number in 0..8_u8 {
        let (mut server, _) = listener.accept().await.expect("the connection is accepted");
        let received = server.read_u8().await.expect("the byte arrives");
        assert_eq!(received, number, "a later connection was accepted first");
    }
}

async fn dropped_accept<E: Environment>(environment: &E) {
    let (mut listener, address) = listen(environment).await;
    let nobody = environment.timeout(Duration::from_millis(5), listener.accept()).await;
    assert!(matches!(nobody, Err(Elapsed)), "a connection came from nowhere");

    let mut client = environment.connect(&address).await.expect("a listening port can be connected");
    client.write_all(&[7]).await.expect("the stream takes bytes");
    let mut server = loop {
        // The first tries are given up at once, whether or not the connection has arrived.
        if let Ok(accepted) = environment.timeout_at(Moment::default(), listener.accept()).await {
            break accepted.expect("the connection is accepted").0;
        }
        if let Ok(accepted) = environment.timeout(Duration::from_millis(5), listener.accept()).await {
            break accepted.expect("the connection is accepted").0;
        }
    };
    assert_eq!(server.read_u8().await.expect("the byte arrives"), 7);
}

async fn closed_port_refuses<E: Environment>(environment: &E) {
    let (listener, address) = listen(environment).await;
    drop(listener);
    assert!(environment.connect(&address).await.is_err(), "a closed port was connected");
    let mut listener = environment.listen(&address).await.expect("a closed port can be bound again");
    let _client = environment.connect(&address).await.expect("the port is open again");
    listener.accept().await.expect("the connection is accepted");
}

async fn port_has_one_listener<E: Environment>(environment: &E) {
    let (_listener, address) = listen(environment).await;
    assert!(environment.listen(&address).await.is_err(), "a port was bound twice");
}

async fn bad_address<E: Environment>(environment: &E) {
    for address in ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:65536"] {
        assert!(environment.listen(address).await.is_err(), "{address:?} was bound");
        assert!(environment.connect(address).await.is_err(), "{address:?} was connected");
    }
}
