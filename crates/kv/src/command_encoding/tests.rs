//! The tests of the encodings of proposals and commands.

use proptest::prelude::*;

use super::*;
use crate::command::NotAWrite;
use crate::fixtures::{arbitrary_command, assert_golden};
use crate::range::KeyRange;

fn example() -> Proposal {
    let put = |condition| Command::Put {
        key: Bytes::from_static(b"key"),
        value: Bytes::from_static(b"value"),
        condition,
    };
    Proposal {
        time_ms: 0x0102_0304_0506_0708,
        commands: vec![
            put(Condition::Always),
            put(Condition::Absent),
            put(Condition::Exists),
            put(Condition::RevisionIs(300)),
            Command::Delete { key: Bytes::from_static(b"\0\xff"), condition: Condition::Always },
        ],
    }
}

#[test]
fn the_format_of_a_proposal_stays() {
    let golden = "01 0102030405060708 05 \
        0100 036b6579 0576616c7565 \
        0101 036b6579 0576616c7565 \
        0102 036b6579 0576616c7565 \
        0103ac02 036b6579 0576616c7565 \
        0200 0200ff";
    assert_golden(&example().encode(), golden);
    assert_eq!(Proposal::decode(&example().encode()), Ok(example()));
}

#[test]
fn the_format_of_a_command_stays() {
    let command = Command::Delete { key: Bytes::from_static(b"key"), condition: Condition::RevisionIs(7) };
    assert_golden(&command.encode(), "01 02 0307 036b6579");
}

#[test]
fn decoding_copies_neither_keys_nor_values() {
    let input = example().encode();
    let proposal = Proposal::decode(&input).expect("valid");
    let inside = input.as_ptr_range();
    for command in &proposal.commands {
        let (Command::Put { key, .. } | Command::Delete { key, .. }) = command else {
            panic!("{command:?} is not in the example");
        };
        assert!(inside.contains(&key.as_ptr()));
        if let Command::Put { value, .. } = command {
            assert!(inside.contains(&value.as_ptr()));
        }
    }
}

#[test]
fn the_formats_of_the_other_commands_stay() {
    let check = |command: Command, golden| {
        assert_golden(&command.encode(), golden);
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    };
    let range = KeyRange::new(Bytes::from("a"), Some(Bytes::from("bc")));
    check(Command::DeleteRange { range, keys_max: 300 }, "01 03 0161 01 026263 ac02");
    check(Command::DeleteRange { range: KeyRange::all(), keys_max: 0 }, "01 03 00 00 00");
    check(Command::Compact { revision: 300 }, "01 05 ac02");
    check(Command::Sweep { records_max: 300 }, "01 06 ac02");
    check(Command::OpenSession { ttl_ms: 60_000 }, "01 07 e0d403");
    check(Command::KeepSession { session: 300 }, "01 08 ac02");
    check(Command::CloseSession { session: 300 }, "01 09 ac02");
    let changes = vec![
        SettingChange { setting: Setting::ValueBytesMax, value: 300 },
        SettingChange { setting: Setting::DigestIntervalMs, value: 0 },
    ];
    check(Command::ChangeSettings { changes }, "01 0a 02 01ac02 0b00");
    check(Command::MarkDigest, "01 0b");
    let digest = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
    check(Command::CheckDigest { mark: 300, digest }, "01 0c ac02 00112233445566778899aabbccddeeff");
    let request = SessionRequest { session: 300, sequence: 7, acknowledged_below: 6, fingerprint: digest };
    let delete = Command::Delete { key: Bytes::from_static(b"key"), condition: Condition::RevisionIs(7) };
    let golden = "01 0d ac02 07 06 00112233445566778899aabbccddeeff 02 0307 036b6579";
    check(delete.in_session(request).expect("it is a write"), golden);
}

#[test]
fn only_writes_are_a_part_of_sessions() {
    let request = SessionRequest { session: 1, sequence: 1, acknowledged_below: 0, fingerprint: 0 };
    let nested = Command::Compact { revision: 1 };
    assert_eq!(nested.in_session(request), Err(NotAWrite));
    let inner = Command::DeleteRange { range: KeyRange::all(), keys_max: 1 };
    let inner = inner.in_session(request).expect("it is a write");
    assert_eq!(inner.in_session(request), Err(NotAWrite));
}

#[test]
fn what_is_unknown_is_refused_by_its_name() {
    let check = |input: &'static [u8], expected| {
        assert_eq!(Command::decode(&Bytes::from_static(input)), Err(expected));
    };
    check(&[2, 2, 0, 1, 1], DecodeError::UnknownVersion { what: COMMAND, version: 2 });
    let field = "command kind";
    check(&[1, 14, 0, 1, 1], DecodeError::UnknownOrdinal { what: COMMAND, field, ordinal: 14 });
    let field = "condition kind";
    check(&[1, 2, 4, 1, 1], DecodeError::UnknownOrdinal { what: COMMAND, field, ordinal: 4 });
    let session = [1, 13, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let field = "command kind in a session";
    for ordinal in 5..=13 {
        let inner: &[u8] = match ordinal {
            10 => &[10, 0],
            12 => &[12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ordinal => &[ordinal, 0],
        };
        let found = Command::decode(&[&session, inner].concat().into());
        assert_eq!(found, Err(DecodeError::UnknownOrdinal { what: COMMAND, field, ordinal }));
    }
    let field = "setting";
    check(&[1, 10, 1, 12, 0], DecodeError::UnknownOrdinal { what: COMMAND, field, ordinal: 12 });
    check(
        &[1, 4, 0, 1, 7],
        DecodeError::UnknownOrdinal { what: COMMAND, field: "kind of operation", ordinal: 7 },
    );
    check(&[1, 3, 0, 2, 1], DecodeError::Number { what: COMMAND });
    check(&[1, 2, 0, 1, 1, 9], DecodeError::Trailing { what: COMMAND, bytes: 1 });
    check(&[1, 2, 0, 2, 1], DecodeError::Truncated { what: COMMAND });
    check(&[], DecodeError::Truncated { what: COMMAND });
}

#[test]
fn a_count_beyond_the_input_is_refused_before_anything_is_allocated() {
    let mut input = vec![VERSION];
    input.extend_from_slice(&7u64.to_be_bytes());
    put_varint(&mut input, u64::MAX);
    assert_eq!(Proposal::decode(&input.into()), Err(DecodeError::Truncated { what: PROPOSAL }));
}

#[test]
fn every_proper_prefix_is_refused() {
    let input = example().encode();
    for length in 0..input.len() {
        assert!(Proposal::decode(&input.slice(..length)).is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn proposals_round_trip(
        time_ms: u64,
        commands in prop::collection::vec(arbitrary_command(), 0..8),
    ) {
        let proposal = Proposal { time_ms, commands };
        let input = proposal.encode();
        let header = 9 + varint_bytes(proposal.commands.len() as u64);
        let bodies: usize = proposal.commands.iter().map(Command::encoded_bytes).sum();
        prop_assert_eq!(input.len(), header + bodies);
        prop_assert_eq!(Proposal::decode(&input), Ok(proposal));
    }

    #[test]
    fn commands_round_trip(command in arbitrary_command()) {
        prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
    }

    #[test]
    fn any_bytes_are_refused_or_are_the_only_encoding(tail in prop::collection::vec(any::<u8>(), 0..64)) {
        // Starting as a proposal of few commands, so that the decoder gets somewhere.
        let mut input = vec![VERSION, 0, 0, 0, 0, 0, 0, 0, 0];
        input.extend(tail.iter().map(|byte| if *byte < 128 { byte % 14 } else { *byte }));
        let input = Bytes::from(input);
        if let Ok(proposal) = Proposal::decode(&input) {
            prop_assert_eq!(proposal.encode(), input);
        }
    }

    #[test]
    fn a_changed_byte_never_panics(
        commands in prop::collection::vec(arbitrary_command(), 0..4),
        position: prop::sample::Index,
        byte: u8,
    ) {
        let mut input = Proposal { time_ms: 1, commands }.encode().to_vec();
        let position = position.index(input.len());
        input[position] = byte;
        let input = Bytes::from(input);
        if let Ok(proposal) = Proposal::decode(&input) {
            prop_assert_eq!(proposal.encode(), input);
        }
    }
}
