//! Handing leadership over.

use std::time::Duration;

use quorate_api::{ErrorCode, TransferAnswer};
use quorate_replica::TransferError;

use crate::harness::Server;
use crate::refusals::assert_refused;

#[tokio::test]
async fn the_answer_says_who_leads_now() {
    let server = Server::start().await;
    let transferred = server.ask("POST /v1/cluster/leader\n\n{\"to\":\"3\"}").await;
    let expected = "200\ncontent-type: application/json\ncache-control: no-store\n\n{\"leader\":\"3\"}";
    assert_eq!(transferred.transcript(), expected);
    let chosen: TransferAnswer = server.ask("POST /v1/cluster/leader").await.json();
    assert_eq!(chosen.leader, 2);
}

#[tokio::test]
async fn whatever_is_in_the_way_is_told() {
    let server = Server::start().await;
    let reason = "seen".to_owned();
    let retry_after = Duration::from_secs(1);
    for (error, code, mention) in [
        (TransferError::UnknownMember { member: 9 }, ErrorCode::MemberUnknown, "no member 9"),
        (TransferError::NotVoter { member: 3 }, ErrorCode::MemberNotVoter, "member 3 is a learner"),
        (TransferError::Unreachable { member: 3 }, ErrorCode::MemberUnreachable, "member 3"),
        (TransferError::Lagging { member: 3, entries: 70 }, ErrorCode::MemberLagging, "lacks 70 entries"),
        (TransferError::NoSuccessor, ErrorCode::NoSuccessor, "no other voter"),
        (TransferError::NotTakenOver { member: 3 }, ErrorCode::OutcomeUnknown, "member 3"),
        (TransferError::Unknown { reason: reason.clone() }, ErrorCode::OutcomeUnknown, "seen"),
        (TransferError::Unavailable { reason, retry_after }, ErrorCode::Unavailable, "seen"),
        (TransferError::ShuttingDown, ErrorCode::ShuttingDown, "shutting down"),
    ] {
        server.store.state().transfer_errors.push_back(error);
        assert_refused(&server.ask("POST /v1/cluster/leader\n\n{\"to\":3}").await, code, mention);
    }
}

#[tokio::test]
async fn the_answer_comes_within_the_deadline() {
    let server = Server::start().await;
    server.store.state().hangs = true;
    let late = server.ask("POST /v1/cluster/leader?timeout=100ms").await;
    assert_refused(&late, ErrorCode::OutcomeUnknown, "before the request's deadline");
}
