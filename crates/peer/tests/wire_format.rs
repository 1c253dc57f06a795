//! The bytes of frames and handshakes: held still, read back exactly, and safe against any input.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use quorate_consensus::{ClusterId, GroupId, Member, NodeId};
use quorate_peer::frame::{Frame, FrameError, FrameKind, HEADER_BYTES, PREFACE, flag};
use quorate_peer::handshake::HelloError;
use quorate_peer::limits::FRAME_PAYLOAD_BYTES_MAX;
use quorate_peer::{Hello, Introduction, Lane, Refusal, Reject, RejectCode, Welcome};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn check_golden(bytes: &[u8], golden: &str) {
    assert_eq!(hex(bytes), golden.replace([' ', '\n'], ""), "a format has changed");
}

fn decode(bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
    Frame::decode(&mut BytesMut::from(bytes), FRAME_PAYLOAD_BYTES_MAX)
}

fn frame() -> Frame {
    Frame {
        kind: FrameKind::StreamAppend,
        flags: flag::FIRST | flag::LAST,
        group: GroupId(0x0a0b_0c0d),
        request_id: 0x1112_1314_1516_1718,
        payload: Bytes::from_static(b"payload"),
    }
}

fn introduction() -> Introduction {
    Introduction {
        cluster: ClusterId(*b"0123456789abcdef"),
        node: NodeId::new(1, 0x1122_3344_5566_7788),
        member: Member::new("a:1", "http://a"),
    }
}

const INTRODUCTION_HEX: &str = "30313233343536373839616263646566 0100000000000000 8877665544332211
    03000000 613a31 08000000 687474703a2f2f61";

#[test]
fn the_preface_keeps_its_bytes() {
    check_golden(&PREFACE, "51554f524154450a");
}

#[test]
fn frames_keep_their_bytes() {
    let golden = "07000000 ee6fe726 28 03 0000 0d0c0b0a 1817161514131211 7061796c6f6164";
    check_golden(&frame().encode(), golden);
    assert_eq!(decode(&frame().encode()), Ok(Some(frame())));
    let empty = Frame { payload: Bytes::new(), ..frame() };
    assert_eq!(empty.encode().len(), HEADER_BYTES);
    assert_eq!(decode(&empty.encode()), Ok(Some(empty)));
}

#[test]
fn kinds_keep_their_ordinals() {
    let ordinals: Vec<u8> = FrameKind::ALL.into_iter().map(|kind| kind as u8).collect();
    assert_eq!(ordinals, [1, 2, 3, 4, 5, 16, 17, 18, 32, 33, 34, 35, 40, 41, 48, 49, 50, 51]);
    let known = (0..=u8::MAX).filter_map(FrameKind::from_ordinal).collect::<Vec<_>>();
    assert_eq!(known, FrameKind::ALL);
    let refusals = [Refusal::NotReady, Refusal::Overloaded, Refusal::Expired, Refusal::Malformed];
    assert_eq!(refusals.map(|refusal| refusal as u8), [1, 2, 3, 4]);
}

#[test]
fn handshakes_keep_their_bytes() {
    let mut hello = Hello::new(introduction(), NodeId::new(2, 3), Lane::Bulk);
    hello.authentication = Bytes::from_static(b"key");
    let golden = format!(
        "01000000 0000000000000000 {INTRODUCTION_HEX} 0200000000000000 0300000000000000 02 03000000 6b6579"
    );
    check_golden(&hello.encode(), &golden);
    assert_eq!(Hello::decode(hello.encode()), Ok(hello));

    let welcome = Welcome::new(introduction());
    check_golden(&welcome.encode(), &format!("01000000 0000000000000000 {INTRODUCTION_HEX}"));
    assert_eq!(Welcome::decode(welcome.encode()), Ok(welcome));

    let reject = Reject { code: RejectCode::WrongCluster, message: "no".to_owned(), by: introduction() };
    check_golden(&reject.encode(), &format!("02 02000000 6e6f {INTRODUCTION_HEX}"));
    assert_eq!(Reject::decode(reject.encode()), Ok(reject));
}

#[test]
fn a_hello_of_another_version_is_recognised_whatever_follows() {
    let decoded = Hello::decode(Bytes::from_static(&[9, 0, 0, 0, 0xff]));
    assert_eq!(decoded, Err(HelloError::Version { protocol_version: 9 }));
}

#[test]
fn a_refusal_of_a_newer_release_is_still_a_refusal() {
    let reject = Reject { code: RejectCode::Other, message: "no".to_owned(), by: introduction() };
    let mut payload = reject.encode().to_vec();
    payload[0] = 77;
    assert_eq!(Reject::decode(payload.into()), Ok(reject));
}

#[test]
fn reserved_bytes_and_unknown_kinds_are_refused() {
    let with_checksum = |change: &dyn Fn(&mut [u8])| {
        let mut bytes = frame().encode().to_vec();
        change(&mut bytes);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..4]), &bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        decode(&bytes)
    };
    assert_eq!(with_checksum(&|_| ()), Ok(Some(frame())));
    assert_eq!(with_checksum(&|bytes| bytes[10] = 1), Err(FrameError::Reserved));
    assert_eq!(with_checksum(&|bytes| bytes[8] = 200), Err(FrameError::UnknownKind { ordinal: 200 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_frame_is_read_back_however_it_arrives(
        kind in prop::sample::select(&FrameKind::ALL[..]),
        flags in any::<u8>(),
        group in any::<u32>(),
        request_id in any::<u64>(),
        payload in vec(any::<u8>(), 0..300),
        cut in any::<prop::sample::Index>(),
    ) {
        let frame = Frame { kind, flags, group: GroupId(group), request_id, payload: payload.into() };
        let encoded = frame.encode();
        let cut = cut.index(encoded.len());
        let mut buffer = BytesMut::from(&encoded[..cut]);
        prop_assert_eq!(Frame::decode(&mut buffer, FRAME_PAYLOAD_BYTES_MAX), Ok(None));
        buffer.extend_from_slice(&encoded[cut..]);
        buffer.extend_from_slice(b"next");
        prop_assert_eq!(Frame::decode(&mut buffer, FRAME_PAYLOAD_BYTES_MAX), Ok(Some(frame)));
        prop_assert_eq!(&buffer[..], b"next");
    }

    #[test]
    fn a_flipped_bit_never_passes(payload in vec(any::<u8>(), 0..100), bit in any::<prop::sample::Index>()) {
        let frame = Frame { payload: payload.into(), ..frame() };
        let mut bytes = frame.encode().to_vec();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!matches!(decode(&bytes), Ok(Some(_))));
    }

    #[test]
    fn any_bytes_are_handled(bytes in vec(any::<u8>(), 0..300)) {
        // Whatever comes out, nothing panics.
        let _ = decode(&bytes);
        let bytes = Bytes::from(bytes);
        let _ = Hello::decode(bytes.clone());
        let _ = Welcome::decode(bytes.clone());
        let _ = Reject::decode(bytes.clone());
        let versioned = [&1_u32.to_le_bytes()[..], &bytes].concat();
        let _ = Hello::decode(versioned.into());
    }
}
