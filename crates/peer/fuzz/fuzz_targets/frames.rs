//! A stream of frames from a stranger, and the handshakes in them.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use quorate_peer::frame::Frame;
use quorate_peer::limits::HANDSHAKE_PAYLOAD_BYTES_MAX;
use quorate_peer::{Hello, Reject, Welcome};

fuzz_target!(|input: &[u8]| {
    let mut stream = BytesMut::from(input);
    while let Ok(Some(frame)) = Frame::decode(&mut stream, HANDSHAKE_PAYLOAD_BYTES_MAX) {
        let again = Frame::decode(&mut BytesMut::from(&frame.encode()[..]), HANDSHAKE_PAYLOAD_BYTES_MAX);
        assert_eq!(again, Ok(Some(frame)));
    }
    // Behind a checksum little would get through by chance, so payloads are tried as well.
    let payload = Bytes::copy_from_slice(input);
    let _ = Hello::decode(payload.clone());
    let _ = Welcome::decode(payload.clone());
    let _ = Reject::decode(payload);
});
