//! Raft's entries, votes and messages: bytes are refused, or are the only encoding of what they stand for.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use quorate_consensus::encoding::{Decode, Encode, SnapshotHeader};
use quorate_consensus::{
    ClusterId, Entry, LogId, Member, Membership, NodeId, RaftTypes, SnapshotMeta, StoredMembership, Vote,
};
use quorate_environment::{Environment, TokioEnvironment};

type Types = RaftTypes<<TokioEnvironment as Environment>::Runtime>;

fn check<T: Encode + Decode>(input: &Bytes) {
    if let Ok(value) = T::decode(input.clone()) {
        assert_eq!(value.encode(), input);
    }
}

fuzz_target!(|input: &[u8]| {
    let input = Bytes::copy_from_slice(input);
    check::<NodeId>(&input);
    check::<ClusterId>(&input);
    check::<Member>(&input);
    check::<Option<Vote>>(&input);
    check::<Option<LogId>>(&input);
    check::<Entry>(&input);
    check::<Membership>(&input);
    check::<StoredMembership>(&input);
    check::<SnapshotMeta>(&input);
    check::<SnapshotHeader>(&input);
    check::<AppendEntriesRequest<Types>>(&input);
    check::<AppendEntriesResponse<Types>>(&input);
    check::<StreamAppendResult<Types>>(&input);
    check::<VoteRequest<Types>>(&input);
    check::<VoteResponse<Types>>(&input);
    check::<SnapshotResponse<Types>>(&input);
    check::<TransferLeaderRequest<Types>>(&input);
    check::<TransferLeaderResponse<Types>>(&input);
});
