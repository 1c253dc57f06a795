//! The formats of what reaches disk and wire: held still byte by byte, read back exactly, and safe
//! against any input.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft_rt_tokio::TokioRuntime;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use quorate_consensus::encoding::{Decode, DecodeError, Encode, SnapshotHeader, VERSION};
use quorate_consensus::{
    ClusterId, CommittedLeaderId, Entry, EntryPayload, LogId, Member, Membership, NodeId, ProposalBytes,
    RaftTypes, SnapshotMeta, StoredMembership, Vote, Wanted,
};

type Types = RaftTypes<TokioRuntime>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value's bytes are exactly `golden` (spaces are for the reader), and `golden` is read as the value.
#[track_caller]
fn check_golden<T: Encode + Decode + Debug>(value: T, golden: &str) {
    let encoded = value.encode();
    assert_eq!(hex(&encoded), golden.replace([' ', '\n'], ""), "the format of {value:?} has changed");
    let decoded = T::decode(encoded).expect("golden bytes can be read");
    assert_eq!(format!("{decoded:?}"), format!("{value:?}"));
}

/// What is written is read back; cut short, prolonged or of another version it is refused.
fn check_round_trip<T: Encode + Decode + Debug>(value: &T) -> Result<(), TestCaseError> {
    let encoded = value.encode();
    let decoded = T::decode(encoded.clone());
    prop_assert_eq!(format!("{decoded:?}"), format!("Ok({value:?})"));
    for length in 0..encoded.len() {
        prop_assert!(
            T::decode(encoded.slice(..length)).is_err(),
            "{length} bytes of {value:?} were accepted"
        );
    }
    let longer = [&encoded[..], &[0]].concat();
    let refused = matches!(T::decode(longer.into()), Err(DecodeError::TrailingBytes { count: 1 }));
    prop_assert!(refused, "a byte after {value:?} was accepted");
    let newer = [&[VERSION + 1], &encoded[1..]].concat();
    let refused = matches!(T::decode(newer.into()), Err(DecodeError::UnknownVersion { .. }));
    prop_assert!(refused, "another version of {value:?} was accepted");
    Ok(())
}

/// Bytes are refused, or are exactly what the value they stand for is written as: nothing has two forms.
fn check_any_bytes<T: Encode + Decode + Debug>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = T::decode(Bytes::copy_from_slice(bytes)) {
        prop_assert_eq!(value.encode(), bytes, "another form of {:?} was accepted", value);
    }
    Ok(())
}

/// [`check_any_bytes`] for every type with a format.
fn check_any_bytes_as_everything(bytes: &[u8]) -> Result<(), TestCaseError> {
    check_any_bytes::<NodeId>(bytes)?;
    check_any_bytes::<ClusterId>(bytes)?;
    check_any_bytes::<Member>(bytes)?;
    check_any_bytes::<Vote>(bytes)?;
    check_any_bytes::<Option<Vote>>(bytes)?;
    check_any_bytes::<LogId>(bytes)?;
    check_any_bytes::<Option<LogId>>(bytes)?;
    check_any_bytes::<Entry>(bytes)?;
    check_any_bytes::<Membership>(bytes)?;
    check_any_bytes::<StoredMembership>(bytes)?;
    check_any_bytes::<SnapshotMeta>(bytes)?;
    check_any_bytes::<SnapshotHeader>(bytes)?;
    check_any_bytes::<AppendEntriesRequest<Types>>(bytes)?;
    check_any_bytes::<AppendEntriesResponse<Types>>(bytes)?;
    check_any_bytes::<StreamAppendResult<Types>>(bytes)?;
    check_any_bytes::<VoteRequest<Types>>(bytes)?;
    check_any_bytes::<VoteResponse<Types>>(bytes)?;
    check_any_bytes::<SnapshotResponse<Types>>(bytes)?;
    check_any_bytes::<TransferLeaderRequest<Types>>(bytes)?;
    check_any_bytes::<TransferLeaderResponse<Types>>(bytes)
}

// Golden bytes.

const NODE: NodeId = NodeId::new(2, 0x1122_3344_5566_7788);
const NODE_HEX: &str = "0200000000000000 8877665544332211";
const LOG_ID_HEX: &str = "0300000000000000 0900000000000000";
const VOTE_HEX: &str = "0300000000000000 0200000000000000 8877665544332211 01";
const MEMBER_HEX: &str = "06000000 6e6f64653a31 08000000 687474703a2f2f78";

fn log_id() -> LogId {
    LogId::new(CommittedLeaderId::new(3), 9)
}

fn leadership() -> Vote {
    Vote::new_committed(3, NODE)
}

fn member() -> Member {
    Member::new("node:1", "http://x")
}

fn membership() -> Membership {
    let voters = vec![BTreeSet::from([NODE])];
    Membership::new(voters, BTreeMap::from([(NODE, member())])).expect("every voter is a node")
}

fn membership_hex() -> String {
    format!("01000000 01000000 {NODE_HEX} 01000000 {NODE_HEX} {MEMBER_HEX}")
}

fn entry(payload: EntryPayload) -> Entry {
    Entry { log_id: log_id(), payload }
}

#[test]
fn identities_keep_their_bytes() {
    check_golden(NODE, &format!("01 {NODE_HEX}"));
    check_golden(ClusterId(*b"0123456789abcdef"), "01 30313233343536373839616263646566");
    check_golden(member(), &format!("01 {MEMBER_HEX}"));
}

/// A voter has the bytes that the first releases wrote, which knew nothing else.
#[test]
fn what_is_wanted_of_a_member_keeps_its_bytes() {
    let flagged = "06000080 6e6f64653a31 08000000 687474703a2f2f78";
    let wanted = |wanted| Member { wanted, ..member() };
    check_golden(wanted(Wanted::Voter), &format!("01 {MEMBER_HEX}"));
    check_golden(wanted(Wanted::Learner), &format!("01 {flagged} 01"));
    check_golden(wanted(Wanted::Replacement(NODE)), &format!("01 {flagged} 02 {NODE_HEX}"));
    check_golden(wanted(Wanted::Removed), &format!("01 {flagged} 03"));
    check_golden(Member::unclaimed(Wanted::Learner), "01 00000080 00000000 01");
    check_golden(Member::unclaimed(Wanted::Voter), "01 00000000 00000000");
}

#[test]
fn votes_and_log_ids_keep_their_bytes() {
    check_golden(leadership(), &format!("01 {VOTE_HEX}"));
    check_golden(Vote::new(3, NODE), &format!("01 0300000000000000 {NODE_HEX} 00"));
    check_golden(log_id(), &format!("01 {LOG_ID_HEX}"));
    check_golden(None::<LogId>, "01 00");
    check_golden(Some(log_id()), &format!("01 01 {LOG_ID_HEX}"));
}

#[test]
fn entries_keep_their_bytes() {
    check_golden(entry(EntryPayload::Blank), &format!("01 {LOG_ID_HEX} 00"));
    let proposal = EntryPayload::Normal(ProposalBytes(Bytes::from_static(b"abc")));
    check_golden(entry(proposal), &format!("01 {LOG_ID_HEX} 01 03000000 616263"));
    let change = EntryPayload::Membership(membership());
    check_golden(entry(change), &format!("01 {LOG_ID_HEX} 02 {}", membership_hex()));
}

#[test]
fn memberships_keep_their_bytes() {
    check_golden(Membership::default(), "01 00000000 00000000");
    check_golden(membership(), &format!("01 {}", membership_hex()));
    let stored = StoredMembership::new(Some(log_id()), membership());
    check_golden(stored.clone(), &format!("01 01 {LOG_ID_HEX} {}", membership_hex()));
    let meta = SnapshotMeta { last_log_id: Some(log_id()), last_membership: stored };
    let meta_hex = format!("01 {LOG_ID_HEX} 01 {LOG_ID_HEX} {}", membership_hex());
    check_golden(meta.clone(), &format!("01 {meta_hex}"));
    let header = SnapshotHeader { vote: leadership(), meta, length: 0x0102_0304_0506_0708 };
    check_golden(header, &format!("01 {VOTE_HEX} {meta_hex} 0807060504030201"));
}

#[test]
fn appends_keep_their_bytes() {
    let request = AppendEntriesRequest::<Types> {
        vote: leadership(),
        prev_log_id: None,
        entries: vec![entry(EntryPayload::Blank)],
        leader_commit: Some(log_id()),
    };
    check_golden(request, &format!("01 {VOTE_HEX} 00 01 {LOG_ID_HEX} 01000000 {LOG_ID_HEX} 00"));
    check_golden(AppendEntriesResponse::<Types>::Success, "01 00");
    check_golden(
        AppendEntriesResponse::<Types>::PartialSuccess(Some(log_id())),
        &format!("01 01 01 {LOG_ID_HEX}"),
    );
    check_golden(AppendEntriesResponse::<Types>::Conflict, "01 02");
    check_golden(AppendEntriesResponse::<Types>::HigherVote(leadership()), &format!("01 03 {VOTE_HEX}"));
    check_golden::<StreamAppendResult<Types>>(Ok(Some(log_id())), &format!("01 00 01 {LOG_ID_HEX}"));
    check_golden::<StreamAppendResult<Types>>(
        Err(StreamAppendError::Conflict(log_id())),
        &format!("01 01 {LOG_ID_HEX}"),
    );
    check_golden::<StreamAppendResult<Types>>(
        Err(StreamAppendError::HigherVote(leadership())),
        &format!("01 02 {VOTE_HEX}"),
    );
}

#[test]
fn elections_and_transfers_keep_their_bytes() {
    let mut request = VoteRequest::<Types>::new(leadership(), Some(log_id()));
    request.leadership_transfer = true;
    check_golden(request, &format!("01 {VOTE_HEX} 01 {LOG_ID_HEX} 01"));
    check_golden(VoteResponse::<Types>::new(leadership(), None, true), &format!("01 {VOTE_HEX} 01 00"));
    check_golden(SnapshotResponse::<Types>::new(leadership()), &format!("01 {VOTE_HEX}"));
    check_golden(
        TransferLeaderRequest::<Types>::new(leadership(), NODE, Some(log_id())),
        &format!("01 {VOTE_HEX} {NODE_HEX} 01 {LOG_ID_HEX}"),
    );
    check_golden::<TransferLeaderResponse<Types>>(Ok(()), "01 00");
    check_golden::<TransferLeaderResponse<Types>>(
        Err(TransferLeaderError::VoteChanged { expected: leadership(), actual: leadership() }),
        &format!("01 01 {VOTE_HEX} {VOTE_HEX}"),
    );
    check_golden::<TransferLeaderResponse<Types>>(
        Err(TransferLeaderError::LogNotFlushed { expected: Some(log_id()), actual: None }),
        &format!("01 02 01 {LOG_ID_HEX} 00"),
    );
}

#[test]
fn a_membership_has_one_form_only() {
    let other = "0100000000000000 0100000000000000";
    let decode = |text: &str| {
        let text = text.replace(' ', "");
        let bytes: Vec<u8> = (0..text.len() / 2)
            .map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).expect("hexadecimal"))
            .collect();
        Membership::decode(bytes.into())
    };
    let nodes = format!("02000000 {other} {MEMBER_HEX} {NODE_HEX} {MEMBER_HEX}");
    decode(&format!("01 01000000 02000000 {other} {NODE_HEX} {nodes}")).expect("voters in order");
    let refused = [
        format!("01 01000000 02000000 {NODE_HEX} {other} {nodes}"),
        format!("01 01000000 02000000 {other} {other} {nodes}"),
        format!("01 01000000 01000000 {other} 02000000 {NODE_HEX} {MEMBER_HEX} {other} {MEMBER_HEX}"),
        format!("01 01000000 01000000 {other} 02000000 {other} {MEMBER_HEX} {other} {MEMBER_HEX}"),
        // A voter that is no node, and a configuration without voters.
        format!("01 01000000 01000000 {other} 01000000 {NODE_HEX} {MEMBER_HEX}"),
        format!("01 01000000 00000000 {nodes}"),
    ];
    for text in refused {
        assert!(matches!(decode(&text), Err(DecodeError::Invalid { .. })), "accepted: {text}");
    }
}

// Any value.

fn node_ids() -> impl Strategy<Value = NodeId> {
    (any::<u64>(), any::<u64>()).prop_map(|(member, incarnation)| NodeId::new(member, incarnation))
}

fn log_ids() -> impl Strategy<Value = LogId> {
    (any::<u64>(), any::<u64>()).prop_map(|(term, index)| LogId::new(CommittedLeaderId::new(term), index))
}

fn votes() -> impl Strategy<Value = Vote> {
    (any::<u64>(), node_ids(), any::<bool>()).prop_map(|(term, node, committed)| match committed {
        true => Vote::new_committed(term, node),
        false => Vote::new(term, node),
    })
}

fn members() -> impl Strategy<Value = Member> {
    (".{0,20}", ".{0,20}", wanted_roles()).prop_map(|(peer_address, client_url, wanted)| Member {
        peer_address,
        client_url,
        wanted,
    })
}

fn wanted_roles() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        Just(Wanted::Voter),
        Just(Wanted::Learner),
        node_ids().prop_map(Wanted::Replacement),
        Just(Wanted::Removed),
    ]
}

prop_compose! {
    fn memberships()(
        nodes in btree_map(node_ids(), members(), 1..5),
        masks in vec(1_u8.., 1..3),
    ) -> Membership {
        let voters = |mask: &u8| -> BTreeSet<NodeId> {
            let chosen: BTreeSet<_> =
                nodes.keys().enumerate().filter(|(index, _)| mask >> index & 1 == 1).map(|(_, node)| *node).collect();
            if chosen.is_empty() { nodes.keys().copied().collect() } else { chosen }
        };
        let configurations = masks.iter().map(voters).collect();
        Membership::new(configurations, nodes.clone()).expect("every voter is a node")
    }
}

fn stored_memberships() -> impl Strategy<Value = StoredMembership> {
    (option::of(log_ids()), prop_oneof![Just(Membership::default()), memberships()])
        .prop_map(|(log_id, membership)| StoredMembership::new(log_id, membership))
}

fn entries() -> impl Strategy<Value = Entry> {
    let payloads = prop_oneof![
        Just(EntryPayload::Blank),
        vec(any::<u8>(), 0..50).prop_map(|bytes| EntryPayload::Normal(ProposalBytes(bytes.into()))),
        memberships().prop_map(EntryPayload::Membership),
    ];
    (log_ids(), payloads).prop_map(|(log_id, payload)| Entry { log_id, payload })
}

fn append_requests() -> impl Strategy<Value = AppendEntriesRequest<Types>> {
    (votes(), option::of(log_ids()), vec(entries(), 0..4), option::of(log_ids())).prop_map(
        |(vote, prev_log_id, entries, leader_commit)| AppendEntriesRequest {
            vote,
            prev_log_id,
            entries,
            leader_commit,
        },
    )
}

fn snapshot_headers() -> impl Strategy<Value = SnapshotHeader> {
    (votes(), option::of(log_ids()), stored_memberships(), any::<u64>()).prop_map(
        |(vote, last_log_id, last_membership, length)| SnapshotHeader {
            vote,
            meta: SnapshotMeta { last_log_id, last_membership },
            length,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entries_are_read_back(entry in entries()) {
        check_round_trip(&entry)?;
    }

    #[test]
    fn appends_are_read_back(request in append_requests(), log_id in option::of(log_ids()), vote in votes()) {
        check_round_trip(&request)?;
        check_round_trip(&AppendEntriesResponse::<Types>::PartialSuccess(log_id))?;
        check_round_trip(&AppendEntriesResponse::<Types>::HigherVote(vote))?;
        check_round_trip::<StreamAppendResult<Types>>(&Ok(log_id))?;
        check_round_trip::<StreamAppendResult<Types>>(&Err(StreamAppendError::HigherVote(vote)))?;
    }

    #[test]
    fn elections_are_read_back(
        vote in votes(),
        last_log_id in option::of(log_ids()),
        flag in any::<bool>(),
        node in node_ids(),
    ) {
        let request = VoteRequest::<Types> { vote, last_log_id, leadership_transfer: flag };
        check_round_trip(&request)?;
        check_round_trip(&VoteResponse::<Types>::new(vote, last_log_id, flag))?;
        check_round_trip(&TransferLeaderRequest::<Types>::new(vote, node, last_log_id))?;
        let error = TransferLeaderError::LogNotFlushed { expected: last_log_id, actual: None };
        check_round_trip::<TransferLeaderResponse<Types>>(&Err(error))?;
    }

    #[test]
    fn snapshot_headers_are_read_back(header in snapshot_headers()) {
        check_round_trip(&header)?;
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in vec(any::<u8>(), 0..200)) {
        check_any_bytes_as_everything(&bytes)?;
        let versioned = [&[VERSION], &bytes[..]].concat();
        check_any_bytes_as_everything(&versioned)?;
    }

    #[test]
    fn damaged_values_are_refused_or_canonical(
        request in append_requests(),
        header in snapshot_headers(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for encoded in [request.encode(), header.encode()] {
            let mut damaged = encoded.to_vec();
            let place = place.index(damaged.len());
            damaged[place] = byte;
            check_any_bytes_as_everything(&damaged)?;
        }
    }
}
